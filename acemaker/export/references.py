"""Reference energies for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.export.labels import ExportedLabel
from acemaker.export.programs import Program
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.generation import SOURCES
from acemaker.structures.computed import energy_of
from acemaker.structures.isolated import isolated_atom

BOX = 20.0
"""Å, box of an isolated atom whose energy is from the configuration."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Reference energies of the elements.

    Attributes
    ----------
    energies : mapping of str to float or None
        eV per atom by element; None if there are none yet.
    source : str
        Where they are from, in words.
    of_atoms : bool
        Whether they are energies of isolated atoms.
    """

    energies: Mapping[str, float] | None
    source: str
    of_atoms: bool

    def note(self, program: str, *, has_atoms: bool) -> str:
        """Return what the user of a program must know about them.

        Parameters
        ----------
        program
            Name of the program.
        has_atoms
            Whether isolated atoms are exported.
        """
        if self.energies is None:
            advice = {"pacemaker": "set reference_energy: auto in input.yaml", "mace": "pass --E0s=average"}
            return f"no reference energies of the elements: {advice.get(program, 'the program must fit them')}"
        values = ", ".join(f"{element} {energy:.8g}" for element, energy in self.energies.items())
        text = f"reference energies {values} eV/atom ({self.source})"
        if has_atoms:
            return f"{text}: isolated atoms have config_type=IsolatedAtom"
        advice = {
            "mace": ": not of isolated atoms, pass --E0s=average",
            "pacemaker": " are subtracted in energy_corrected; do not set reference_energy",
            "nequip": " for per_type_energy_shifts; isolated atoms, which have no edges, are left out",
        }
        return text + advice.get(program, " are contained in the energies")


def reference_of(campaign: CampaignReader, labels: Sequence[ExportedLabel]) -> Reference:
    """Return the reference energies of a campaign: those of its potential, or of its isolated atoms before the first.

    Parameters
    ----------
    campaign
        The campaign.
    labels
        Its labels.
    """
    generation = campaign.generation
    if generation is None:
        atoms = {label.atoms.symbols[0]: energy_of(label.atoms) for label in labels if label.kind == "IsolatedAtom"}
        elements = {symbol for label in labels for symbol in label.atoms.symbols}
        if not atoms or elements - set(atoms):
            return Reference(energies=None, source="", of_atoms=False)
        return Reference(energies=dict(sorted(atoms.items())), source=SOURCES["isolated atoms"], of_atoms=True)
    if generation.baseline is not None:
        # those of the potential are relative to the baseline; of the labels themselves only isolated atoms are known
        atoms = {label.atoms.symbols[0]: energy_of(label.atoms) for label in labels if label.kind == "IsolatedAtom"}
        configured = dict(campaign.config.potential.reference_energies)
        energies = atoms or configured
        if set(generation.elements) - set(energies):
            return Reference(energies=None, source="", of_atoms=False)
        kind = "isolated atoms" if atoms else "configuration"
        return Reference(energies=dict(sorted(energies.items())), source=SOURCES[kind], of_atoms=True)
    return Reference(
        energies=dict(generation.reference_energies),
        source=SOURCES[generation.energies_from],
        of_atoms=generation.energies_from != "fit",
    )


def isolated_labels(
    campaign: CampaignReader, labels: Sequence[ExportedLabel], reference: Reference, program: Program
) -> list[ExportedLabel]:
    """Return isolated atoms that set the reference energies of a program.

    Labels of isolated atoms are returned as they are. Energies from the configuration become atoms without forces for
    MACE, which reads them from there.

    Parameters
    ----------
    campaign
        The campaign.
    labels
        Its labels.
    reference
        Its reference energies.
    program
        The program.
    """
    own = [label for label in labels if label.kind == "IsolatedAtom"]
    if program.name == "mace" and not reference.of_atoms:
        return []  # it would take the energies of some elements from here, and have none for others
    if own or program.name != "mace" or not reference.of_atoms or reference.energies is None:
        return own
    made = []
    for element, energy in reference.energies.items():
        atoms = isolated_atom(element, BOX, periodic=bool(campaign.initial_structure().pbc.all()))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
        made.append(ExportedLabel(file="configuration", atoms=atoms, kind="IsolatedAtom", key=""))
    return made
