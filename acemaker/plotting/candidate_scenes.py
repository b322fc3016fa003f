"""Scenes of candidates, all in the orientation of the halted structure, so that displacements are visible."""

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
    """Scenes of the candidates of a halt, with the halt's scale of gamma.

    Parameters
    ----------
    candidates
        The candidates; the halted structure's atoms above ``threshold_add_train`` are ringed in all scenes.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self.scale: Scale = scale_with(candidates.thresholds)
        self._frames = []
        for structure, gamma in zip(candidates.structures, candidates.gamma, strict=bool(candidates.gamma)):
            atoms = structure.copy()
            atoms.info, atoms.arrays["gamma"] = {}, gamma
            self._frames.append(atoms)
        self._epicenter = np.zeros(0, dtype=int)
        if candidates.gamma and candidates.thresholds:
            self._epicenter = np.flatnonzero(~(candidates.gamma[0] <= candidates.thresholds[0]))

    def __len__(self) -> int:
        return len(self._candidates.structures)

    def of(self, candidate: int) -> tuple[Scenes, int]:
        """Return the scenes that a candidate belongs to, and its index among them.

        Parameters
        ----------
        candidate
            Number of the candidate.

        Returns
        -------
        scenes : Scenes
            Scenes of all candidates with as many atoms as the halted structure, or of this one alone.
        index : int
            Index of the candidate's scene.

        Raises
        ------
        StructureError
            If there is no such candidate, or its gamma is unknown.
        """
        if not 0 <= candidate < len(self):
            raise StructureError(f"candidates are numbered 0 to {len(self) - 1}, there is no candidate {candidate}")
        if not self._frames:
            raise StructureError("expected gamma of the candidates' atoms, but the trainer provides none")
        frame = self._frames[candidate]
        if len(frame) != len(self._frames[0]):  # a strategy added or removed atoms: there is no common order of atoms
            return Scenes([frame], 0, self._epicenter[self._epicenter < len(frame)]), 0
        frames = [atoms for atoms in self._frames if len(atoms) == len(frame)]
        index = next(index for index, atoms in enumerate(frames) if atoms is frame)
        return Scenes(frames, 0, self._epicenter), index

    def __getitem__(self, candidate: int) -> Scene:
        scenes, index = self.of(candidate)
        return replace(scenes[index], caption=self.caption(candidate))

    def caption(self, candidate: int) -> str:
        """Return a description of a candidate in one line."""
        scenes, index = self.of(candidate)
        return f"candidate {candidate}, {self._candidates.origins[candidate]}; {scenes.caption(index)}"
