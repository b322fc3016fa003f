"""Oracles of the user that are objects of this process: an oracle, an ASE calculator, or a function."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, OracleError, StructureError
from acemaker.oracles.checks import check_geometry, check_label, check_unmoved, check_values, voigt
from acemaker.oracles.oracle import CalculatorOracle, Oracle, magnetic_results, with_results
from acemaker.oracles.start_moments import with_start_moments
from acemaker.structures.computed import energy_of, forces_of

OWN = "object"
"""Name of the oracle in a configuration whose oracle is an object that is passed to the campaign."""


def as_oracle(value: object, config: OracleConfig) -> Oracle:
    """Return an oracle for any object that can label structures.

    Parameters
    ----------
    value
        An `Oracle`; an ASE calculator, which is copied or reset for each label; a function or class without required
        arguments that returns a calculator; or a function of one structure that returns a labeled structure, a mapping
        with ``energy``, ``forces`` and possibly ``stress``, or these values in this order.
    config
        Limits of a plausible label.

    Returns
    -------
    Oracle

    Raises
    ------
    ConfigError
        For any other object.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> from acemaker import OracleConfig
    >>> oracle = as_oracle(EMT(), OracleConfig(oracle="object"))
    >>> sorted(oracle.label(bulk("Cu", cubic=True)).calc.results)
    ['energy', 'forces', 'stress']
    """
    if callable(getattr(value, "label", None)) and not isinstance(value, type):
        oracle: Oracle = value  # type: ignore[assignment]  # a protocol
        return oracle
    if isinstance(value, str):
        raise ConfigError(
            f"oracle={value!r}: a name belongs to the configuration, CampaignConfig.from_parameters({{'oracle': "
            f"{value!r}, ...}}); this argument is an object: an ASE calculator, a function, or an oracle"
        )
    if _is_calculator(value):
        return _calculator_oracle(CalculatorOfUser(value), config)
    if callable(value):
        if (arguments := _required_arguments(value)) == 0:
            return _calculator_oracle(_Checked(value), config)
        if arguments == 1:
            return FunctionOracle(value, config)
    raise ConfigError(
        f"oracle: expected an ASE calculator, a function without arguments that returns one, a function of one "
        f"structure that returns its energy and forces, or an object with a method label(atoms), got {_describe(value)}"
    )


def _calculator_oracle(factory: Callable[[], BaseCalculator], config: OracleConfig) -> CalculatorOracle:
    limits = config.max_force, config.max_net_force, config.min_label_distance
    return CalculatorOracle(factory, *limits, magnetic_moments=config.magnetic_moments)


class CalculatorOfUser:
    """Returns a calculator object without results of earlier labels: a copy of it, or the object itself after a reset.

    Parameters
    ----------
    calculator
        The user's object.
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator

    @property
    def parameters(self) -> dict[str, Any]:
        """Class and parameters of the calculator, by which its labels are identified."""
        kind, parameters = type(self.calculator), getattr(self.calculator, "parameters", None)
        values = {str(name): repr(value) for name, value in dict(parameters or {}).items()}
        plain = {name: text for name, text in values.items() if " at 0x" not in text}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", **plain}

    def __call__(self) -> BaseCalculator:
        """Return the calculator for the next label."""
        try:
            calculator = copy.deepcopy(self.calculator)
        except Exception:  # objects that hold a library, a process or a file cannot be copied
            calculator = self.calculator
        if callable(getattr(calculator, "reset", None)):
            calculator.reset()
        fresh: BaseCalculator = calculator
        return fresh


class FunctionOracle:
    """Oracle that calls a function of one structure.

    Parameters
    ----------
    function
        Returns a labeled structure, a mapping with ``energy``, ``forces`` and possibly ``stress``, or these values.
    config
        Limits of a plausible label.
    """

    def __init__(self, function: Callable[[Atoms], Any], config: OracleConfig) -> None:
        self.function, self._config = function, config

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure.

        Parameters
        ----------
        atoms
            The structure; it is not changed.

        Raises
        ------
        OracleError
            If the function raises, returns something else than finite numbers of the right shape, or has moved atoms.
        """
        check_geometry(atoms, self._config.min_label_distance)
        try:
            work = with_start_moments(atoms, self._config.magnetic_moments)
        except StructureError as error:
            raise OracleError(str(error), Cause.BAD_STRUCTURE) from error
        try:
            returned = self.function(work)
        except OracleError:
            raise
        except Exception as error:  # a user's function can raise anything
            raise OracleError(f"the function raised {type(error).__name__}: {error}") from error
        check_unmoved(atoms, work)
        if isinstance(returned, Atoms):
            check_unmoved(atoms, returned)
        labeled = with_results(atoms, _results(returned, work))
        check_label(labeled, self._config.max_force, self._config.max_net_force)
        return labeled


class _Checked:
    """Calls a function that must return a calculator."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and code of the function, by which its labels are identified."""
        code = getattr(self.function, "__code__", None)
        name = getattr(self.function, "__qualname__", "")
        constants = [value for value in code.co_consts if not hasattr(value, "co_code")] if code else []
        return {"function": name, "code": code.co_code.hex() if code else "", "constants": repr(constants)}

    def __call__(self) -> BaseCalculator:
        calculator = self.function()
        if not _is_calculator(calculator):
            raise ConfigError(
                f"oracle: expected a function that returns an ASE calculator, it returned {_describe(calculator)}"
            )
        checked: BaseCalculator = calculator
        return checked


def _results(returned: Any, atoms: Atoms) -> dict[str, float | np.ndarray]:
    """Convert what a function returned to results."""
    if isinstance(returned, Atoms):
        values = dict(returned.calc.results) if returned.calc is not None else {}
        if returned.calc is not None and "energy" not in values:  # the calculator has not calculated yet
            values = {"energy": energy_of(returned), "forces": forces_of(returned)}
    elif isinstance(returned, Mapping):
        values = dict(returned)
    elif isinstance(returned, tuple | list) and len(returned) in (2, 3):
        values = dict(zip(("energy", "forces", "stress"), returned, strict=False))
    else:
        raise OracleError(
            "expected a function that returns a labeled structure, a mapping with 'energy' and 'forces', or a tuple "
            f"(energy, forces, stress), it returned {_describe(returned)}",
            Cause.NONSENSE,
        )
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {
        "energy": ((), (1,)),
        "forces": ((len(atoms), 3),),
        "stress": ((6,), (3, 3)),
    }
    if "energy" not in values and "free_energy" in values:
        values["energy"] = values["free_energy"]
    results: dict[str, float | np.ndarray] = {}
    for name in shapes:
        if values.get(name) is not None:
            array = check_values(name, values[name], *shapes[name])
            results[name] = float(array) if name == "energy" else array
    if "stress" in results:
        results["stress"] = voigt(np.asarray(results["stress"]))
    return results | magnetic_results(values, atoms)


def _is_calculator(value: object) -> bool:
    return not isinstance(value, type | Atoms) and all(
        callable(getattr(value, name, None)) for name in ("get_potential_energy", "get_forces")
    )


def _required_arguments(function: Callable[..., Any]) -> int | None:
    """Count the arguments without defaults; None if there are such that must be named, or it cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0 if isinstance(function, type) else None
    required = [item for item in parameters if item.default is item.empty]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(item.kind is inspect.Parameter.KEYWORD_ONLY for item in required):
        return None
    return sum(item.kind in positional for item in required)


def _describe(value: object) -> str:
    if isinstance(value, Atoms):
        return "a structure without a calculator" if value.calc is None else "a structure"
    return f"{value!r:.80} ({type(value).__name__})"
