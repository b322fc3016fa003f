"""Candidates as they are drawn: each as the anchor lies, so that one sees what was moved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from acemaker.errors import StructureError
from acemaker.plotting.scale import Scale, scale_with
from acemaker.plotting.scene import Scene, Scenes

if TYPE_CHECKING:
    from acemaker.results import Candidates


class CandidateScenes:
    """The scenes of a halt's candidates, on the scale of its halt.

    Parameters
    ----------
    candidates
        What was made; the anchor's atoms above ``threshold_add_train`` are ringed in all of them.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self.scale: Scale = scale_with(candidates.thresholds)
        self._frames = []
        for structure, gamma in zip(candidates.structures, candidates.gamma, strict=bool(candidates.gamma)):
            atoms = structure.copy()
            atoms.info, atoms.arrays["gamma"] = {}, gamma
            self._frames.append(atoms)
        self._epicentre = np.zeros(0, dtype=int)
        if candidates.gamma and candidates.thresholds:
            self._epicentre = np.flatnonzero(~(candidates.gamma[0] <= candidates.thresholds[0]))

    def __len__(self) -> int:
        return len(self._candidates.structures)

    def of(self, candidate: int) -> tuple[Scenes, int]:
        """Find a candidate's scene.

        Parameters
        ----------
        candidate
            Its number.

        Returns
        -------
        scenes, place
            Where it is, and under which number.

        Raises
        ------
        StructureError
            If there is no such candidate, or its gamma is not known.
        """
        if not 0 <= candidate < len(self):
            raise StructureError(f"candidates are numbered 0 to {len(self) - 1}, there is no candidate {candidate}")
        if not self._frames:
            raise StructureError("expected gamma of the candidates' atoms; the trainer that graded them gives none")
        own = self._frames[candidate]
        if len(own) != len(self._frames[0]):  # by a strategy that adds or takes atoms: they have no places to keep
            return Scenes([own], 0, self._epicentre[self._epicentre < len(own)]), 0
        alike = [atoms for atoms in self._frames if len(atoms) == len(own)]
        place = next(place for place, atoms in enumerate(alike) if atoms is own)
        return Scenes(alike, 0, self._epicentre), place

    def __getitem__(self, candidate: int) -> Scene:
        scenes, place = self.of(candidate)
        return replace(scenes[place], caption=self.caption(candidate))

    def caption(self, candidate: int) -> str:
        """Say in one line what is drawn."""
        scenes, place = self.of(candidate)
        return f"candidate {candidate}, {self._candidates.origins[candidate]}; {scenes.caption(place)}"
