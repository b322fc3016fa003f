"""What a campaign's labels cost, and what labelling without an extrapolation grade would have cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.integrate import quad

from acemaker.analysis.rounds import Round, rounds_of
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LabelCosts(Record):
    """The labels of a campaign.

    The cost of a label is the cube of its atoms, as in plane-wave density functional theory, in units of one label
    of the cell that runs.

    Attributes
    ----------
    halts : ndarray of int, shape (n_labels,)
        The halt each was made for; 0 for generation 0.
    steps : ndarray of int, shape (n_labels,)
        The step of that halt.
    n_atoms : ndarray of int, shape (n_labels,)
        Atoms of each.
    paid : ndarray of bool, shape (n_labels,)
        False for what came from a store that campaigns share.
    seconds : float
        Spent in LABEL altogether.
    n_running : int
        Atoms of the cell that runs; of several, of the largest.
    n_steps : int
        Steps run so far.
    halt_steps : ndarray of int, shape (n_halts,)
        Where the run halted; of several walkers' steps, as if they had run one after the other.
    positions : ndarray of int, shape (n_labels,)
        The same of the halt that each label was made for.
    """

    halts: np.ndarray
    steps: np.ndarray
    n_atoms: np.ndarray
    paid: np.ndarray
    seconds: float
    n_running: int
    n_steps: int
    halt_steps: np.ndarray
    positions: np.ndarray

    @property
    def costs(self) -> np.ndarray:
        """Cost of each label, in labels of the cell that runs; what came from the store costs nothing."""
        values: np.ndarray = np.where(self.paid, (self.n_atoms / self.n_running) ** 3, 0.0)
        return values

    @property
    def stretches(self) -> np.ndarray:
        """Steps from each halt to the next, the last to the end of the run."""
        return np.diff(np.append(self.halt_steps, self.n_steps))

    @property
    def every_n(self) -> tuple[int, float]:
        """Labelling every N steps, so that each stretch between two halts is met: N, and the labels that it takes."""
        stretches = self.stretches[self.stretches > 0]
        if not len(stretches):
            return self.n_steps, float("nan")
        return int(stretches.min()), self.n_steps / float(stretches.min())

    @property
    def at_random(self) -> float:
        """Labels at random steps that it takes on average until each stretch between two halts has been met."""
        stretches = self.stretches[self.stretches > 0]
        return expected_draws(stretches / self.n_steps) if len(stretches) else float("nan")

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        cell = f"labels of the {self.n_running} atoms that run"
        items = [
            ("labels", f"{len(self.paid)}, {int((~self.paid).sum())} of them from the store"),
            ("cost", f"{number(self.costs.sum())} {cell} (atoms cubed)"),
            ("steps labelled", f"{len(self.paid) / max(self.n_steps, 1):.3%} of {self.n_steps}"),
        ]
        if len(self.stretches):
            spacing, labels = self.every_n
            items += [
                (
                    "without gamma, every N steps",
                    f"{np.ceil(labels):.0f} {cell}: N = {spacing}",
                ),
                ("without gamma, at random", f"{number(self.at_random)} {cell} on average"),
            ]
        rows: list[tuple[str, ...]] = []
        for halt in np.unique(self.halts):
            own = self.halts == halt
            sizes = ", ".join(str(size) for size in np.unique(self.n_atoms[own]))
            name = f"halt {halt}" if halt else "generation 0"
            step = str(self.steps[own][0]) if halt else "–"
            rows.append((name, step, str(own.sum()), sizes, number(self.costs[own].sum())))
        header = ("for", "step", "labels", "atoms", "cost")
        return Summary(f"{counted(len(self.paid), 'label')} so far", tuple(items), Table(header, tuple(rows)))

    def figure(self) -> Picture:
        """Draw labels and their cost along the run, beside what labelling without gamma would have come to."""
        return draw(self)


def label_costs(rounds: Sequence[Round], directory: Path, n_running: int, reached: Sequence[int]) -> LabelCosts:
    """Add up the labels of a campaign.

    Parameters
    ----------
    rounds
        Of the campaign.
    directory
        Where its label files lie.
    n_running
        Atoms of the cell that runs.
    reached
        Steps that each walker has run so far.

    Returns
    -------
    LabelCosts
    """
    before = np.cumsum([0, *reached])
    halts, steps, positions, sizes, paid = [], [], [], [], []
    for one in rounds:
        for file in one.labels:
            halts.append(one.halt)
            steps.append(one.step)
            positions.append(_position(one, before))
            sizes.append(_n_atoms(directory / file))
            paid.append(file not in one.shared)
    return LabelCosts(
        halts=read_only(halts, int),
        steps=read_only(steps, int),
        n_atoms=read_only(sizes, int),
        paid=read_only(paid, bool),
        seconds=sum(one.wall.get(State.LABEL, 0.0) for one in rounds),
        n_running=n_running,
        n_steps=int(before[-1]),
        halt_steps=read_only(sorted(_position(one, before) for one in rounds if one.halt), int),
        positions=read_only(positions, int),
    )


def _position(one: Round, before: np.ndarray) -> int:
    """Place a halt among the steps of all walkers, as if they had run one after the other."""
    return one.step + int(before[max(one.walker, 1) - 1])


def _n_atoms(file: Path) -> int:
    with file.open() as stream:  # the first line of an extended XYZ file
        return int(stream.readline())


def label_costs_of(campaign: CampaignReader) -> LabelCosts:
    """Add up what the labels of a campaign cost, beside what labeling without gamma would have cost."""
    largest = max(len(atoms) for atoms in campaign.starts)
    return label_costs(rounds_of(campaign), campaign.directory, largest, campaign.reached)


def expected_draws(chances: Sequence[float] | np.ndarray) -> float:
    """Return how many draws it takes on average until each of several things has been drawn.

    Parameters
    ----------
    chances : sequence of float
        Of each thing in one draw; they may add up to less than one.

    Returns
    -------
    float
        The coupon collector's expectation for unequal chances (Flajolet, Gardy, Thimonier, Discrete Applied
        Mathematics 39, 207 (1992), theorem 4.1).
    """
    p = np.asarray(chances, dtype=float)
    # in units of the rarest thing's waiting time the integrand falls off within some tens
    scale = 1 / p.min()
    value, _ = quad(lambda t: 1 - np.prod(-np.expm1(-p * scale * t)), 0, 60 + np.log(len(p)), limit=500)
    return float(scale * value)
