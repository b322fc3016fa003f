"""The structure and the oracle that a notebook's campaign will have, looked for before a kernel is started."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError
from acemaker.lammps.executable import native_command
from acemaker.loop.checks import HERE
from acemaker.loop.initial_structures import starts_of
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.smoke_test import try_oracle
from acemaker.potentials.environment import check_structure
from acemaker.structures.embedding import affordable

ELSEWHERE = ("sys.path", "chdir", "pip install")
"""Words of a notebook that may make files or modules be found which are not found now."""


def own_parts(sources: Sequence[str]) -> frozenset[str] | None:
    """Find what a notebook makes of its campaign besides the configuration.

    Parameters
    ----------
    sources
        Its cells, as Python.

    Returns
    -------
    frozenset of str
        Objects that it gives to ``Campaign.create``, and files of the configuration that it uses by name, as if to
        write them. None where nothing can be said: it makes no campaign, or several, or looks elsewhere for modules.
    """
    creations, used = [], set()
    for source in sources:
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except SyntaxError:
            return None  # the kernel will say so
        used |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        creations += [call for call in calls if ast.unparse(call.func).endswith("Campaign.create")]
    if len(creations) != 1 or any(word in source for source in sources for word in ELSEWHERE):
        return None
    names = {word.arg for word in creations[0].keywords}
    return None if None in names else frozenset({str(name) for name in names} | used & {"structure", "pair_coeff"})


def check_parts(config: CampaignConfig, own: frozenset[str]) -> None:
    """Make sure that the structure is there, and what the oracle and LAMMPS in a child need; try a cheap oracle once.

    Parameters
    ----------
    config
        As the notebook will make it.
    own
        See `own_parts`; what the notebook makes itself is left to it.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        As ``Campaign.create`` would.
    """
    if "engine" not in own and config.engine.engine == "isolated":
        native_command(config.engine.lammps)
    if "structure" in own:
        return  # which has the elements that the oracle is for
    start = starts_of(config)[0]
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    check_structure(start, elements)
    if own & {"oracle", "executor", "pair_coeff"} or config.labelling.executor not in HERE:
        return
    if ":" in config.oracle.oracle:
        _check_module(config.oracle.oracle)
        return
    calculator_factory(config.oracle, elements)
    try_oracle(config.oracle, affordable(start, config.oracle.max_atoms, config.embedding))


def _check_module(path: str) -> None:
    """Look for the module of a dotted path, where the kernel will; importing it may take long, and is left to that."""
    package = path.partition(":")[0].partition(".")[0]
    before = sys.path[:]
    sys.path.insert(0, "")  # as in a kernel, modules lie also in the current folder
    try:
        found = package == "__main__" or find_spec(package) is not None
    except (ImportError, ValueError):
        found = False
    finally:
        sys.path[:] = before
    if not found:
        raise ConfigError(
            f"OracleConfig.oracle: {path!r} cannot be imported, there is no module {package!r} here; install it, or "
            "give the command where it lies"
        )
