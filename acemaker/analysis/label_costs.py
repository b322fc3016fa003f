"""Cost of a campaign's labels, and the cost of labeling without an extrapolation grade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.integrate import quad

from acemaker.analysis.rounds import Round, rounds_of
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.progress import PROBE
from acemaker.loop.reader import CampaignReader
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class LabelCosts(Record):
    """Cost of the labels of a campaign.

    The cost of a label is the cube of its number of atoms, as in plane-wave density functional theory, in units of one
    label of the simulation cell.

    Attributes
    ----------
    halts : ndarray of int, shape (n_labels,)
        Halt that each label belongs to; 0 for the first generation.
    steps : ndarray of int, shape (n_labels,)
        Step of that halt.
    n_atoms : ndarray of int, shape (n_labels,)
        Number of atoms of each label.
    paid : ndarray of bool, shape (n_labels,)
        False for labels that came from a store that campaigns share, or that existed.
    seconds : float
        Total time spent in LABEL.
    n_running : int
        Number of atoms of the simulation cell; of the largest if there are several.
    n_steps : int
        Number of steps run so far.
    halt_steps : ndarray of int, shape (n_halts,)
        Steps at which the run halted; steps of several walkers are counted as if they had run one after the other.
    positions : ndarray of int, shape (n_labels,)
        The same for the halt that each label belongs to.
    isolated : tuple of str
        Elements whose isolated atoms were labeled; these are not among the labels, and not part of the costs.
    probes : tuple of int
        Numbers of the halts for probes, which are not among `halt_steps`.
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
    isolated: tuple[str, ...] = ()
    probes: tuple[int, ...] = ()

    @property
    def costs(self) -> np.ndarray:
        """Cost of each label, in labels of the simulation cell; labels from the store cost nothing."""
        values: np.ndarray = np.where(self.paid, (self.n_atoms / self.n_running) ** 3, 0.0)
        return values

    @property
    def stretches(self) -> np.ndarray:
        """Steps from each halt to the next, and from the last one to the end of the run."""
        return np.diff(np.append(self.halt_steps, self.n_steps))

    @property
    def every_n(self) -> tuple[int, float]:
        """Labeling every N steps, so that each stretch between two halts is sampled: N, and the number of labels."""
        stretches = self.stretches[self.stretches > 0]
        if not len(stretches):
            return self.n_steps, float("nan")
        return int(stretches.min()), self.n_steps / float(stretches.min())

    @property
    def at_random(self) -> float:
        """Mean number of labels at random steps until each stretch between two halts has been sampled."""
        stretches = self.stretches[self.stretches > 0]
        return expected_draws(stretches / self.n_steps) if len(stretches) else float("nan")

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        cell = f"labels of {self.n_running} atoms"
        items = [
            ("labels", f"{len(self.paid)}, {int((~self.paid).sum())} of them not computed here"),
            ("cost", f"{number(self.costs.sum())} {cell} (atoms cubed)"),
            ("isolated atoms, apart", ", ".join(self.isolated) or "none"),
            ("steps labeled", f"{len(self.paid) / max(self.n_steps, 1):.3%} of {self.n_steps}"),
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
            name = f"{'probe at halt' if halt in self.probes else 'halt'} {halt}" if halt else "generation 1"
            step = str(self.steps[own][0]) if halt else "–"
            rows.append((name, step, str(own.sum()), sizes, number(self.costs[own].sum())))
        header = ("for", "step", "labels", "atoms", "cost")
        return Summary(f"{counted(len(self.paid), 'label')} so far", tuple(items), Table(header, tuple(rows)))

    def figure(self) -> Picture:
        """Draw the cost of the labels along the run, with the cost of labeling without gamma."""
        return draw(self)


def label_costs(rounds: Sequence[Round], directory: Path, n_running: int, reached: Sequence[int]) -> LabelCosts:
    """Add up the cost of the labels of a campaign.

    Parameters
    ----------
    rounds
        The rounds of the campaign.
    directory
        The campaign's directory, which the label files are relative to.
    n_running
        Number of atoms of the simulation cell.
    reached
        Number of steps that each walker has run so far.

    Returns
    -------
    LabelCosts
    """
    before = np.cumsum([0, *reached])
    halts, steps, positions, sizes, paid = [], [], [], [], []
    for round_ in rounds:
        for file in round_.labels:
            halts.append(round_.halt or 0)
            steps.append(round_.step)
            positions.append(_position(round_, before))
            sizes.append(_n_atoms(directory / file))
            paid.append(file not in round_.shared and file not in round_.own)
    return LabelCosts(
        halts=read_only(halts, int),
        steps=read_only(steps, int),
        n_atoms=read_only(sizes, int),
        paid=read_only(paid, bool),
        seconds=sum(round_.wall.get(State.LABEL, 0.0) for round_ in rounds),
        n_running=n_running,
        n_steps=int(before[-1]),
        halt_steps=read_only(
            sorted(_position(round_, before) for round_ in rounds if round_.halt and round_.tier != PROBE), int
        ),
        probes=tuple(round_.halt for round_ in rounds if round_.halt and round_.tier == PROBE),
        positions=read_only(positions, int),
    )


def _position(round_: Round, before: np.ndarray) -> int:
    """Return the step of a halt as if the walkers had run one after the other."""
    return round_.step + int(before[(round_.walker or 1) - 1])


def _n_atoms(file: Path) -> int:
    with file.open() as stream:  # the first line of an extended XYZ file
        return int(stream.readline())


def label_costs_of(campaign: CampaignReader) -> LabelCosts:
    """Add up the cost of a campaign's labels, and compare it with labeling without gamma.

    Examples
    --------
    >>> from acemaker.analysis import label_costs_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> print(label_costs_of(campaign).headline())
    4 labels so far
    """
    largest = max(len(atoms) for atoms in campaign.initial_structures())
    costs = label_costs(rounds_of(campaign), campaign.directory, largest, campaign.reached_steps)
    return replace(costs, isolated=tuple(sorted(campaign.progress.isolated)))


def expected_draws(chances: Sequence[float] | np.ndarray) -> float:
    """Return the mean number of draws until each of several items has been drawn.

    Parameters
    ----------
    chances : sequence of float
        Probability of each item in one draw; they may add up to less than one.

    Returns
    -------
    float
        Expectation of the coupon collector's problem with unequal probabilities (Flajolet, Gardy, Thimonier, Discrete
        Applied Mathematics 39, 207 (1992), theorem 4.1).
    """
    p = np.asarray(chances, dtype=float)
    # in units of the rarest item's waiting time the integrand falls off within some tens
    scale = 1 / p.min()
    value, _ = quad(lambda t: 1 - np.prod(-np.expm1(-p * scale * t)), 0, 60 + np.log(len(p)), limit=500)
    return float(scale * value)
