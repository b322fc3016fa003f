"""Pressure of the undistorted initial structure, with which a remark on the initial labels compares theirs."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from acemaker.config import CampaignConfig, EngineConfig
from acemaker.errors import OracleError
from acemaker.oracles.checks import START_PRESSURE, TARGET_PRESSURE, pressure_of
from acemaker.oracles.oracle import CalculatorOracle, Oracle


def note_start_pressure(first: Sequence[Atoms], start: Atoms, config: CampaignConfig, own: Oracle | None) -> None:
    """Compute the pressure of the initial structure with a cheap oracle, and note it in the structures made from it.

    The label is not counted. Nothing is noted for clusters, without a stress, and for objects other than a
    `CalculatorOracle`.

    Parameters
    ----------
    first
        Structures made from it, whose ``info`` is changed.
    start
        The structure, as it is labeled.
    config
        The oracle's settings, and the ensemble.
    own
        The user's oracle object instead of that of the configuration.
    """
    if not start.pbc.all() or not (own is None or isinstance(own, CalculatorOracle)):
        return
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    oracle = CalculatorOracle.from_config(config.oracle, elements) if own is None else own
    try:
        labeled = oracle.without_limits().label(start)
    except OracleError:
        return  # the labels of the campaign will report it
    if labeled.calc is None or "stress" not in labeled.calc.results:
        return
    noted = {START_PRESSURE: round(pressure_of(labeled), 3)}
    target = _target(config.engine.stage(0).settings)
    if target:
        noted[TARGET_PRESSURE] = target
    for atoms in first:
        atoms.info |= noted


def _target(config: EngineConfig) -> float:
    """Return the pressure with which the run starts, GPa; 0 if none is set, or only that of some lengths."""
    if not config.has_barostat:
        return 0.0
    if not config.pressure_components:
        return config.pressure[0]
    lengths = [config.pressure_components[axis][0] for axis in ("x", "y", "z") if axis in config.pressure_components]
    return sum(lengths) / 3 if len(lengths) == 3 else 0.0
