"""The two sides of a comparison: who is asked, and what they have said before."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis.measured import Measured
from acemaker.analysis.oracle_calculator import OracleCalculator
from acemaker.analysis.properties import Melt, Subject, measure, settings
from acemaker.loop.authorization import admit_oracle
from acemaker.loop.label_store import LabelStore
from acemaker.loop.ledger import label_key
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.factory import lammps_calculator, pair_commands
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.process import INLINE, make_oracle
from acemaker.potentials.generation import Generation

FOLDER = "trust"
"""Of a campaign, for what was measured."""

DEFAULT_LIMIT = 20
"""Calls of an oracle that may take hours each."""


class Side:
    """A calculator, and the file of each property that it has given.

    Parameters
    ----------
    calculator
        Makes the calculator for a subject; the same one again where that is possible.
    folder
        For the files; None where nobody could tell whether they still hold.
    identity
        Of whatever the results depend on besides the subject.
    cheap
        Whether any number of calls may be made without being asked for.
    """

    def __init__(
        self,
        calculator: Callable[[Subject], BaseCalculator],
        folder: Path | None,
        identity: str,
        *,
        cheap: bool = True,
    ) -> None:
        self._calculator, self._folder, self._identity, self._cheap = calculator, folder, identity, cheap
        self._limit = float("inf")
        self._counted: list[OracleCalculator] = []

    @property
    def made(self) -> int:
        """Oracle calls so far."""
        return sum(one.made for one in self._counted)

    def limit(self, asked: int | None) -> float:
        """Return how many calls may be made, and keep to it."""
        self._limit = float(asked) if asked is not None else float("inf") if self._cheap else DEFAULT_LIMIT
        return self._limit

    def knows(self, name: str, subject: Subject) -> bool:
        """Tell whether a property was measured before."""
        file = self._file(name, subject)
        return file is not None and Measured.load(file) is not None

    def measure(self, name: str, subject: Subject, at_rest: Measured | None) -> Measured:
        """Recall a property, or measure it and keep it."""
        file = self._file(name, subject)
        known = Measured.load(file) if file is not None else None
        if known is not None:
            return known
        calculator = self._calculator(subject)
        if isinstance(calculator, OracleCalculator):
            calculator.limit = self._limit - self.made
            self._counted.append(calculator)
        measured = measure(name, subject, calculator, at_rest)
        if file is not None:
            try:
                measured.save(file)
            except OSError as error:  # what was measured is no worse for it
                warnings.warn(f"{file} cannot be written, and is measured again next time: {error}", stacklevel=2)
        return measured

    def _file(self, name: str, subject: Subject) -> Path | None:
        if self._folder is None:
            return None
        atoms = subject.atoms if isinstance(subject, Melt) else subject.primitive
        digest = hashlib.sha256(f"{self._identity} {name} {settings(name)}".encode())
        for array in (atoms.numbers, np.round(atoms.positions, 6) + 0.0, np.round(atoms.cell.array, 6) + 0.0):
            digest.update(np.ascontiguousarray(array).tobytes())
        if isinstance(subject, Melt):
            digest.update(f"{subject.temperature} {subject.timestep}".encode())
        return self._folder / f"{name}_{digest.hexdigest()[:16]}.json"


def potential_side(campaign: CampaignReader, generation: Generation) -> Side:
    """Ask the potential: the calculator that its users get."""
    digest = hashlib.sha256(generation.yaml.read_bytes())
    if generation.baseline is not None:
        digest.update(json.dumps(generation.baseline.described(), sort_keys=True, default=str).encode())
    calculator = generation.calculator()
    return Side(lambda _: calculator, campaign.directory / FOLDER / "physics", digest.hexdigest())


def oracle_side(campaign: CampaignReader, oracle: Oracle | None, *, trust: bool, say: Callable[[str], None]) -> Side:
    """Ask the oracle of the configuration, or the user's own.

    Raises
    ------
    UntrustedError
        If the directory names code that was not used on this machine before.
    ConfigError, MissingLibraryError, OracleError
        If the oracle cannot work.
    """
    config = campaign.config.oracle
    own = oracle if oracle is not None else getattr(campaign, "own_oracle", None)

    cheap = own is None and config.oracle in INLINE

    def tell(_: int) -> None:
        number = side.made + 1
        if number == 1 or number % 100 == 0 or not cheap:
            say(f"  oracle call {number}")

    if own is not None:
        side = Side(lambda _: OracleCalculator(own, on_call=tell), None, "", cheap=False)
        return side
    admit_oracle(campaign.config, campaign.directory, trust=trust)
    elements = tuple(sorted(set(campaign.initial.get_chemical_symbols())))
    print_of_files = fingerprint(config, elements)
    folder = campaign.directory / FOLDER
    store = None if cheap else LabelStore(folder / "labels", print_of_files)
    asked = make_oracle(config, elements, campaign.directory / "oracle_failures")

    def calculator(subject: Subject) -> BaseCalculator:
        labels = asked
        if isinstance(subject, Melt) and config.oracle == "lammps":
            # one LAMMPS for all steps, which is six times faster: the cell stays
            alive = lammps_calculator(pair_commands(config, elements), elements, keep_alive=True)
            labels = CalculatorOracle(lambda: alive, config.max_force, config.max_net_force, config.min_label_distance)
        return OracleCalculator(labels, store=store, key_of=lambda atoms: label_key(atoms, config), on_call=tell)

    identity = f"{print_of_files} {label_key(campaign.initial, config)}"
    side = Side(calculator, folder / "physics", identity, cheap=cheap)
    return side
