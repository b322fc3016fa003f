"""The search for holes after each fit, and the choice of core repulsion; what does not depend on the fit is reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms

from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.core_repulsion import SHARES, core_radii, with_core
from acemaker.potentials.holes import pair_attraction
from acemaker.potentials.path_projections import PathProjections
from acemaker.potentials.scans import Distances, Scan, ScanPath, compression_paths, pair_paths
from acemaker.potentials.short_range import ace_sampler

CoreRepulsion = Literal["auto", "always", "never"]
"""When core repulsion is added, see `PotentialConfig.core_repulsion`."""


@dataclass(frozen=True, kw_only=True)
class Core:
    """A potential with or without core repulsion.

    Attributes
    ----------
    potential : Basis
        The potential.
    radii : mapping of str to float
        Its core radii by pair, Å; empty without core repulsion.
    """

    potential: Basis
    radii: Mapping[str, float]


class ShortRangeSearch:
    """Scans of all potentials with the same functions and baseline, for the same reference structure.

    Structures, energies of the baseline and, for a linear ACE, projections are computed at the first search. Later ones
    take some milliseconds.

    Parameters
    ----------
    basis
        Basis of the potentials.
    baseline
        Their baseline, or None.
    reference
        Structure near equilibrium; None for pairs in vacuum only.
    """

    def __init__(self, basis: Basis, baseline: Baseline | None, reference: Atoms | None) -> None:
        self._basis, self._baseline, self._reference = basis, baseline, reference
        self._pairs = pair_paths(basis.elements, basis.cutoff, reference)
        self._compression = compression_paths(basis.cutoff, reference)
        self._projections: dict[ScanPath, PathProjections] = {}
        self._baseline_energies: dict[ScanPath, np.ndarray] = {}

    def is_for(self, basis: Basis, baseline: Baseline | None, reference: Atoms | None) -> bool:
        """Return whether this search is that of a basis, a baseline and a reference structure."""
        return basis is self._basis and baseline == self._baseline and reference is self._reference

    def scans(
        self, inverses: Sequence[np.ndarray] | None, trained: Distances, radii: Mapping[str, float]
    ) -> tuple[Scan, ...]:
        """Scan a potential.

        Parameters
        ----------
        inverses : sequence of ndarray, shape (n_functions, n_functions), or None
            Inverse active-set matrices by element; None for no gamma.
        trained
            Shortest trained distances, Å.
        radii
            Core radii of the basis, Å; empty without core repulsion.

        Returns
        -------
        tuple of Scan
            Pairs in vacuum and in the reference structure, and the compressed cell.
        """
        core = Core(potential=self._basis, radii=radii)
        return self._scan(self._pairs + self._compression, core, inverses, trained)

    def choose_core(
        self, inverses: Sequence[np.ndarray] | None, trained: Distances, core_repulsion: CoreRepulsion
    ) -> tuple[Core, tuple[Scan, ...]]:
        """Add core repulsion to the potential, if it is configured or helps.

        Parameters
        ----------
        inverses, trained
            As of `scans`.
        core_repulsion
            "auto" adds it if pairs of atoms attract each other at short distances, and less so with it. With a baseline
            there is none.

        Returns
        -------
        core : Core
            The potential to write.
        scans : tuple of Scan
            Its scans.
        """
        best = Core(potential=self._basis, radii={})
        scans = self._scan(self._pairs, best, inverses, trained)
        least = pair_attraction(scans)
        if self._baseline is None and (core_repulsion == "always" or (core_repulsion == "auto" and least)):
            least = np.inf if core_repulsion == "always" else least
            for share in SHARES:
                radii = core_radii(self._basis.elements, trained, self._reference, self._basis.cutoff, share)
                core = Core(potential=with_core(self._basis, radii), radii=radii)
                new = self._scan(self._pairs, core, inverses, trained)
                if pair_attraction(new) < least:
                    best, scans, least = core, new, pair_attraction(new)
                if not least:
                    break
        return best, scans + self._scan(self._compression, best, inverses, trained)

    def _scan(
        self, paths: Sequence[ScanPath], core: Core, inverses: Sequence[np.ndarray] | None, trained: Distances
    ) -> tuple[Scan, ...]:
        return tuple(path.scan(*self._sample(path, core, inverses), trained) for path in paths)

    def _sample(
        self, path: ScanPath, core: Core, inverses: Sequence[np.ndarray] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return energies, eV, and gamma along a path."""
        if self._basis.is_linear:
            if path not in self._projections:
                self._projections[path] = PathProjections(path, self._basis)
            projections = self._projections[path]
            energies = projections.energies(core.potential, core.radii)
            gamma = np.full(len(energies), np.nan) if inverses is None else projections.gamma(inverses)
        else:
            energies, gamma = ace_sampler(core.potential, inverses, None)(path.structures)
        if self._baseline is not None:
            if path not in self._baseline_energies:
                self._baseline_energies[path] = self._baseline.energies(path.structures)
            energies = energies + self._baseline_energies[path]
        return energies, gamma
