"""The range in which a potential was trained: elements, compositions, densities, temperatures, pressures, distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from acemaker.loop.reader import CampaignReader
from acemaker.potentials.generation import Generation
from acemaker.structures.bonds import TrainedDistances
from acemaker.structures.mask import mask_of

Range = tuple[float, float]
"""Smallest and largest value."""

G_CM3 = 1 / (units.kg / 1000 / (units.m / 100) ** 3)
"""One atomic mass unit per cubic Å, in g/cm³."""


@dataclass(frozen=True, kw_only=True)
class Validity:
    """The range in which a potential was trained, and in which its campaign ran.

    Attributes
    ----------
    n_labels : int
        Number of labels in the training set.
    sizes : tuple of int
        Smallest and largest number of atoms of a label.
    composition : mapping of str to (float, float)
        Smallest and largest share of each element in a label.
    density : (float, float) or None
        g/cm³, of the periodic labels without masked atoms; None if there are none.
    shortest : mapping of str to float
        Å, shortest distance of each pair of elements in the training set, for example ``"Cu-Ni"``.
    run : mapping of str to (float, float)
        Range of temperature (K), pressure (GPa) and density (g/cm³) over the runs of all walkers, by name.
    requested : (float, float)
        K, lowest and highest temperature that was set for the runs.
    ensembles : tuple of str
        Ensembles of the runs.
    steps : int
        Number of MD steps of all runs together.
    """

    n_labels: int
    sizes: tuple[int, int]
    composition: Mapping[str, Range]
    density: Range | None
    shortest: Mapping[str, float]
    run: Mapping[str, Range]
    requested: Range
    ensembles: tuple[str, ...]
    steps: int


def validity_of(campaign: CampaignReader, generation: Generation) -> Validity:
    """Return the range in which a potential was trained.

    Parameters
    ----------
    campaign
        The campaign.
    generation
        Its potential in use.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> validity_of(campaign, campaign.generation).composition
    {'Cu': (1.0, 1.0)}
    """
    labels = campaign.trained_on()
    distances = TrainedDistances(generation.cutoff)
    for atoms in labels:
        distances.add(atoms)
    shares = {
        element: [float(np.mean(np.array(atoms.get_chemical_symbols()) == element)) for atoms in labels]
        for element in generation.elements
    }
    sizes = [len(atoms) for atoms in labels]
    engines = [campaign.config.walker(number).engine for number in _walkers(campaign)]
    temperatures = [temperature for engine in engines for temperature in engine.temperatures]
    shortest = {"-".join(sorted(pair)): distance for pair, distance in sorted(distances.shortest.items())}
    return Validity(
        n_labels=len(labels),
        sizes=(min(sizes), max(sizes)),
        composition={element: (min(values), max(values)) for element, values in shares.items()},
        density=_range([_density(atoms) for atoms in labels if atoms.pbc.all() and mask_of(atoms) is None]),
        shortest=shortest,
        run=_run(campaign),
        requested=(min(temperatures), max(temperatures)),
        ensembles=tuple(dict.fromkeys(name for engine in engines for name in engine.ensembles)),
        steps=sum(campaign.reached_steps),
    )


def _run(campaign: CampaignReader) -> dict[str, Range]:
    """Return the ranges of observables over the runs of all walkers."""
    values: dict[str, list[np.ndarray]] = {}
    starts = campaign.initial_structures()
    for walker in _walkers(campaign):
        observables = campaign.timeline(walker).observables
        values.setdefault("temperature", []).append(observables.get("temperature_K", np.zeros(0)))
        values.setdefault("pressure", []).append(observables.get("pressure_GPa", np.zeros(0)))
        start = starts[walker - 1]
        volumes = observables.get("volume_A3", np.zeros(0))
        if start.pbc.all() and len(volumes):
            values.setdefault("density", []).append(start.get_masses().sum() / volumes * G_CM3)
    ranges = {name: _range(np.concatenate(arrays)) for name, arrays in values.items()}
    return {name: limits for name, limits in ranges.items() if limits is not None}


def _walkers(campaign: CampaignReader) -> range:
    return range(1, campaign.n_walkers + 1)


def _density(atoms: Atoms) -> float:
    return float(atoms.get_masses().sum() / atoms.get_volume() * G_CM3)


def _range(values: Sequence[float] | np.ndarray) -> Range | None:
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None
