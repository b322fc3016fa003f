"""The oracle as an ASE calculator that counts its calls, keeps to a limit, and pays for nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from acemaker.errors import LabelBudgetError
from acemaker.loop.label_store import LabelStore
from acemaker.oracles.oracle import Oracle
from acemaker.structures.files import as_written


class OracleCalculator(Calculator):  # type: ignore[misc]
    """Asks an oracle, whose labels are checked as any label is.

    Parameters
    ----------
    oracle
        What labels.
    limit
        Calls that may be made.
    store
        Where labels are kept as they come, and looked for; None where they cost nothing.
    key_of
        Names a structure's label in the store.
    on_call
        Called with the number of each call, before it is made.

    Attributes
    ----------
    limit : float
        Calls that may be made.
    made, recalled : int
        Calls so far, and labels that were there already.
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
        self.made = self.recalled = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Recall a label, or have one made and kept.

        Raises
        ------
        LabelBudgetError
            Instead of a call beyond the limit.
        OracleError
            If there is no credible label.
        """
        super().calculate(atoms, properties, system_changes)
        wanted = as_written(self.atoms)  # what a file gives back, so that a label is found again
        key = self._key_of(wanted) if self._store is not None else ""
        labelled = self._store.find(key, self._key_of) if self._store is not None else None
        if labelled is None:
            if self.made >= self.limit:
                raise LabelBudgetError(f"expected at most {self.limit:g} oracle calls, and one more is needed")
            self._on_call(self.made + 1)
            labelled = self._oracle.label(wanted)
            self.made += 1
            if self._store is not None:
                self._store.keep(key, labelled)
                labelled = self._store.find(key, self._key_of) or labelled  # its digits are those of a recalled one
        else:
            self.recalled += 1
        assert labelled.calc is not None
        self.results = dict(labelled.calc.results)
        self.results["free_energy"] = self.results["energy"]
