"""Comparison of labels that exist with the oracle and with each other: units, signs, outliers, other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError, OracleError
from acemaker.formatting.summary import counted, number
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.process import INLINE
from acemaker.potentials.label_consistency import Compared, compare_labels
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.first_label_files import FIELD
from acemaker.structures.label_keys import LabelRecord
from acemaker.structures.stress_units import USUAL, convention_by_ratio, conventions_of

CLOSE_FORCES, CLOSE_ENERGY = (0.01, 0.02), 5e-3
"""Deviations from a label of the oracle that are allowed: of forces in eV/Å and relative to them, of the energy in
eV/atom."""


@dataclass(kw_only=True)
class NamedLabel:
    """A structure of a source that may become a label."""

    source: int
    record: LabelRecord
    name: str
    reason: str = ""

    @property
    def group(self) -> tuple[int, str]:
        """Source and kind of the stress; the stresses of a group have one convention."""
        return self.source, self.record.quantity

    @property
    def atoms(self) -> Atoms:
        """The structure."""
        return self.record.atoms

    @property
    def written_stress(self) -> np.ndarray | None:
        """The stress as it is written, but a virial divided by the volume; None without one."""
        stress = self.record.stress
        if stress is None or not self.atoms.pbc.all():
            return None
        return stress / self.atoms.get_volume() if self.record.quantity == "virial" else stress


def compare(
    labels: Sequence[NamedLabel],
    config: CampaignConfig,
    elements: Sequence[str],
    oracle: Oracle | None,
    names: Sequence[str],
) -> tuple[str, dict[tuple[int, str], tuple[float, str]]]:
    """Check the labels against the oracle, if it is cheap, and against each other.

    Parameters
    ----------
    labels
        The labels, without isolated atoms. Those that contradict all others get a reason to be left out.
    config
        The campaign's configuration.
    elements
        Its elements.
    oracle
        The user's oracle object, or None.
    names
        Names of the sources.

    Returns
    -------
    checks : str
        How they were checked.
    conventions : dict
        Factor to eV/Å^3 under tension, and its description, by group of labels with stresses.

    Raises
    ------
    ConfigError
        If labels do not belong together, or the convention of their stresses is unknown.
    """
    ratios: dict[tuple[int, str], float] = {}
    checks = []
    if oracle is None and config.oracle.oracle in INLINE and config.oracle.oracle_check:
        ratios = _compare_with_oracle(labels, config, tuple(elements))
        checks.append("a label of each source computed again by the oracle")
    compared = [
        Compared(
            atoms=label.atoms,
            energy=float(label.record.energy or 0.0),
            forces=np.asarray(label.record.forces),
            stress=label.written_stress,
            source=label.source,
            group=label.record.quantity,
            name=label.name,
        )
        for label in labels
    ]
    comparison = compare_labels(compared, config.potential, elements, names) if compared else None
    if comparison is not None and comparison.n_compared:
        checks.append(f"{counted(comparison.n_compared, 'label')} compared with a fit to all of them")
        if comparison.problem:
            raise ConfigError(f"{FIELD}: the labels cannot be used together: {comparison.problem}")
        for index, reason in comparison.outliers.items():
            labels[index].reason = reason
        ratios = {**comparison.stress_ratios, **ratios}
    groups = dict.fromkeys(label.group for label in labels if label.written_stress is not None)
    conventions = {group: _convention(group, ratios.get(group), config, names[group[0]]) for group in groups}
    return "; ".join(checks), conventions


def _compare_with_oracle(
    labels: Sequence[NamedLabel], config: CampaignConfig, elements: tuple[str, ...]
) -> dict[tuple[int, str], float]:
    """Compute the smallest label of each group again; return the ratios of true and written stresses.

    Raises
    ------
    ConfigError
        If a label is one of another oracle.
    """
    smallest: dict[tuple[int, str], NamedLabel] = {}
    for label in labels:
        best = smallest.get(label.group)
        if best is None or len(label.atoms) < len(best.atoms):
            smallest[label.group] = label
    labeler = CalculatorOracle.from_config(config.oracle, elements)
    ratios = {}
    for group, label in smallest.items():
        try:
            true = labeler.label(label.atoms)
        except OracleError as error:
            raise ConfigError(f"{FIELD}: the oracle cannot label {label.name}: {error}; leave it out") from error
        remedy = "Labels of two oracles do not belong together: leave the source out, or correct the oracle"
        forces = np.asarray(label.record.forces)
        deviation = float(np.sqrt(np.mean((forces - forces_of(true)) ** 2)))
        size = float(np.sqrt(np.mean(forces_of(true) ** 2)))
        absolute, relative = CLOSE_FORCES
        if deviation > max(absolute, relative * size):
            raise ConfigError(
                f"{FIELD}: the forces of {label.name} differ by {number(deviation)} eV/Å from those of the oracle "
                f"{config.oracle.oracle!r}, whose forces are {number(size)} eV/Å. {remedy}"
            )
        difference = (float(label.record.energy or 0.0) - energy_of(true)) / len(true)
        if abs(difference) > CLOSE_ENERGY:
            raise ConfigError(
                f"{FIELD}: the energy of {label.name} is {difference:+.3g} eV/atom off that of the oracle "
                f"{config.oracle.oracle!r}, although the forces agree: it has another zero. {remedy}"
            )
        if (written := label.written_stress) is not None and "stress" in true.calc.results and (written @ written) > 0:
            ratios[group] = float(written @ stress_of(true) / (written @ written))
    return ratios


def _convention(group: tuple[int, str], ratio: float | None, config: CampaignConfig, name: str) -> tuple[float, str]:
    """Return the factor of the stresses of a group of labels, and how it is known.

    Raises
    ------
    ConfigError
        If it is not known, or contradicts the labels.
    """
    quantity = group[1] or "stress"
    choices = conventions_of(quantity)
    measured = None if ratio is None else convention_by_ratio(quantity, ratio)
    usual, chosen = USUAL[quantity], config.system.first_labels_stress
    what = f"{'virials' if quantity == 'virial' else 'stresses'} of {name!r}"
    if chosen == "none":
        return 0.0, "left out"
    if not group[1]:  # from a program's output, or ASE's results
        if measured not in (None, usual):
            raise ConfigError(
                f"{FIELD}: the {what} should be in eV/Å^3 and positive under tension, as ASE returns them, but the "
                f"labels show that they are in the convention {measured!r}; correct the file, or leave the stresses "
                "out: first_labels_stress='none'"
            )
        return 1.0, "eV/Å^3"
    if chosen != "auto":
        sign = "-" if chosen.startswith("-") else ""
        own = f"{sign}eV/A^3" if quantity == "virial" else chosen
        if measured not in (None, own):
            raise ConfigError(
                f"SystemConfig.first_labels_stress: got {chosen!r}, but the labels show that the {what} are in the "
                f"convention {measured!r}: set first_labels_stress={measured!r}, or 'auto'"
            )
        return choices[own], f"{own.replace('A^3', 'Å^3')}, {'checked' if measured else 'as set'}"
    if measured is None:
        options = ", ".join(repr(option) for option in choices)
        raise ConfigError(
            f"{FIELD}: the sign and the unit of the {what} are unknown, and the labels do not determine them. Set "
            f"first_labels_stress to one of {options} (with a minus: positive under compression), usually {usual!r}; "
            "or to 'none' to use no stress of any source"
        )
    return choices[measured], f"{measured.replace('A^3', 'Å^3')}, from the labels"
