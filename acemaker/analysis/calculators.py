"""The calculators of a property comparison: the potential's and the oracle's, with the results they gave before."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes

from acemaker.analysis.measured import Measured
from acemaker.analysis.properties import measure, settings
from acemaker.analysis.samples import LiquidSample, Sample
from acemaker.errors import DamagedFileError, LabelBudgetError
from acemaker.loop.label_files import read_label
from acemaker.loop.label_store import LabelStore
from acemaker.loop.labels import label_key
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import contained
from acemaker.loop.trusted_code import authorize_oracle
from acemaker.oracles.factory import lammps_calculator, pair_commands
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.process import INLINE, make_oracle
from acemaker.oracles.user_oracle import as_oracle
from acemaker.potentials.generation import Generation
from acemaker.structures.files import as_written

FOLDER = "validation"
"""Folder of a campaign for the results."""

DEFAULT_LIMIT = 20
"""Maximum number of calls of an oracle each of which may take hours."""


class OracleCalculator(Calculator):  # type: ignore[misc]
    """An oracle as an ASE calculator that counts its calls, enforces a limit, and reuses stored labels.

    Labels are checked as those of a campaign are.

    Parameters
    ----------
    oracle
        The oracle.
    limit
        Maximum number of calls.
    store
        Where labels are stored and looked up; None if they cost nothing.
    key_of
        Returns the key of a structure's label in the store.
    on_call
        Called with the number of each call, before it is made.

    Attributes
    ----------
    limit : float
        Maximum number of calls.
    n_calls, n_reused : int
        Number of calls so far, and of labels that were stored already.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self,
        oracle: Oracle,
        limit: float = float("inf"),
        store: LabelStore | None = None,
        key_of: Callable[[Atoms], str] = lambda _: "",
        on_call: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._oracle, self.limit, self._store, self._key_of, self._on_call = oracle, limit, store, key_of, on_call
        self.n_calls = self.n_reused = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Read a stored label, or call the oracle and store its label.

        Raises
        ------
        LabelBudgetError
            Instead of a call beyond the limit.
        OracleError
            If the oracle returns no credible label.
        """
        super().calculate(atoms, properties, system_changes)
        structure = as_written(self.atoms)  # with the digits of a file, so that its label is found again
        key = self._key_of(structure) if self._store is not None else ""
        labeled = self._store.find(key, self._key_of) if self._store is not None else None
        if labeled is None:
            if self.n_calls >= self.limit:
                raise LabelBudgetError(f"expected at most {self.limit:g} oracle calls, but another one is needed")
            self._on_call(self.n_calls + 1)
            labeled = self._oracle.label(structure)
            self.n_calls += 1
            if self._store is not None:
                self._store.keep(key, labeled)
                labeled = self._store.find(key, self._key_of) or labeled  # with the digits of a stored label
        else:
            self.n_reused += 1
        assert labeled.calc is not None
        self.results = dict(labeled.calc.results)
        self.results["free_energy"] = self.results["energy"]


class PropertyCalculator:
    """Measures properties with a calculator, and stores each result in a file.

    Parameters
    ----------
    calculator
        Creates the calculator for a sample, or returns the same one again where that is possible.
    folder
        Folder of the files; None if it is unknown what the results depend on.
    identity
        Everything that the results depend on besides the sample.
    cheap
        Whether the number of calls is unlimited by default.
    """

    def __init__(
        self,
        calculator: Callable[[Sample], BaseCalculator],
        folder: Path | None,
        identity: str,
        *,
        cheap: bool = True,
    ) -> None:
        self._calculator, self._folder, self._identity, self._cheap = calculator, folder, identity, cheap
        self._limit = float("inf")
        self._oracle_calculators: list[OracleCalculator] = []

    @property
    def n_calls(self) -> int:
        """Number of oracle calls so far."""
        return sum(calculator.n_calls for calculator in self._oracle_calculators)

    def set_limit(self, limit: int | None) -> float:
        """Set the maximum number of calls, and return it; None for the default."""
        self._limit = float(limit) if limit is not None else float("inf") if self._cheap else DEFAULT_LIMIT
        return self._limit

    def is_stored(self, name: str, sample: Sample) -> bool:
        """Return whether a property was measured before."""
        file = self._file(name, sample)
        return file is not None and Measured.load(file) is not None

    def measure(self, name: str, sample: Sample, at_rest: Measured | None) -> Measured:
        """Read a stored property, or measure and store it."""
        file = self._file(name, sample)
        stored = Measured.load(file) if file is not None else None
        if stored is not None:
            return stored
        calculator = self._calculator(sample)
        if isinstance(calculator, OracleCalculator):
            calculator.limit = self._limit - self.n_calls
            self._oracle_calculators.append(calculator)
        measured = measure(name, sample, calculator, at_rest)
        if file is not None:
            try:
                measured.save(file)
            except OSError as error:  # the result itself is valid
                warnings.warn(f"cannot write {file}, it will be measured again next time: {error}", stacklevel=2)
        return measured

    def _file(self, name: str, sample: Sample) -> Path | None:
        if self._folder is None:
            return None
        atoms = sample.atoms if isinstance(sample, LiquidSample) else sample.primitive
        digest = hashlib.sha256(f"{self._identity} {name} {settings(name)}".encode())
        for array in (atoms.numbers, np.round(atoms.positions, 6) + 0.0, np.round(atoms.cell.array, 6) + 0.0):
            digest.update(np.ascontiguousarray(array).tobytes())
        if isinstance(sample, LiquidSample):
            digest.update(f"{sample.temperature} {sample.timestep}".encode())
        return self._folder / f"{name}_{digest.hexdigest()[:16]}.json"


def potential_calculator(campaign: CampaignReader, generation: Generation) -> PropertyCalculator:
    """Return the calculator of the potential: the one that its users get."""
    digest = hashlib.sha256(generation.yaml.read_bytes())
    if generation.baseline is not None:
        digest.update(json.dumps(generation.baseline.description(), sort_keys=True, default=str).encode())
    calculator = generation.calculator()
    return PropertyCalculator(lambda _: calculator, campaign.directory / FOLDER / "properties", digest.hexdigest())


def oracle_calculator_of(
    campaign: CampaignReader, oracle: Oracle | None, *, allow_code: bool, log: Callable[[str], None]
) -> PropertyCalculator:
    """Return the calculator of the configured oracle, or of the user's own oracle object.

    Raises
    ------
    UntrustedError
        If the directory names code that was not used on this machine before.
    ConfigError, MissingLibraryError, OracleError
        If the oracle cannot work.
    """
    config = campaign.config.oracle
    own_oracle = as_oracle(oracle, config) if oracle is not None else getattr(campaign, "own_oracle", None)

    cheap = own_oracle is None and config.oracle in INLINE

    def log_call(_: int) -> None:
        number = calculator.n_calls + 1
        if number == 1 or number % 100 == 0 or not cheap:
            log(f"  oracle call {number}")

    if own_oracle is not None:
        calculator = PropertyCalculator(lambda _: OracleCalculator(own_oracle, on_call=log_call), None, "", cheap=False)
        return calculator
    authorize_oracle(campaign.config, campaign.directory, allow_code=allow_code)
    elements = tuple(sorted(set(campaign.initial_structure().get_chemical_symbols())))
    file_fingerprint = fingerprint(config, elements)
    folder = campaign.directory / FOLDER
    store = None if cheap else LabelStore(folder / "labels", file_fingerprint)
    if store is not None:  # the campaign has paid for these
        for event in campaign.progress.isolated.values():
            with contextlib.suppress(DamagedFileError):
                store.keep(event["key"], read_label(contained(campaign.directory, event["file"])))
    configured = make_oracle(config, elements, campaign.directory / "oracle_failures")

    def make(sample: Sample) -> BaseCalculator:
        labels = configured
        if isinstance(sample, LiquidSample) and config.oracle == "lammps":
            # one LAMMPS instance for all steps, which is six times faster: the cell does not change
            alive = lammps_calculator(pair_commands(config, elements), elements, keep_alive=True)
            labels = CalculatorOracle(lambda: alive, config.max_force, config.max_net_force, config.min_label_distance)
        return OracleCalculator(labels, store=store, key_of=lambda atoms: label_key(atoms, config), on_call=log_call)

    identity = f"{file_fingerprint} {label_key(campaign.initial_structure(), config)}"
    calculator = PropertyCalculator(make, folder / "properties", identity, cheap=cheap)
    return calculator
