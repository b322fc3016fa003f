"""Changes by hand that a soaked campaign undergoes: labels that are added, removed, computed again, other settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker import Campaign
from acemaker.states import State

BEGUN = ("adding", "label_removed", "label_restored", "relabeling")
"""Events with which a change of labels begins."""

CHANGED_STATES = (
    State.EXPLORE,
    State.HALT,
    State.DIAGNOSE,
    State.GENERATE,
    State.SELECT,
    State.RESUME,
    State.DONE,
)
"""States in which labels can be changed."""


@dataclass(frozen=True)
class Edit:
    """A change.

    Attributes
    ----------
    at : int
        Number of completed states after which it is made, or at the end of the campaign if there are fewer.
    kind : str
        ``add``, ``remove``, ``restore``, ``relabel`` or ``change``.
    value : int
        Seed or position.
    fields : mapping of str to float
        Changed settings, as factors of those in force, or values for integers.
    """

    at: int
    kind: str
    value: int = 0
    fields: Mapping[str, float | int] = field(default_factory=dict)


SCRIPTS: tuple[tuple[Edit, ...], ...] = (
    (),
    (Edit(3, "add", 1), Edit(9, "remove", -1), Edit(11, "restore")),
    (Edit(9, "relabel", 0), Edit(10, "remove", 1)),
    (Edit(2, "change", fields={"threshold_call_dft": 1.2, "n_select": 1}), Edit(9, "add", 2)),
    (Edit(2, "change", fields={"smooth_steps": 2}), Edit(12, "change", fields={"check_every": 10})),
    (Edit(9, "remove", -1), Edit(9, "change", fields={"threshold_break": 1.5}), Edit(99, "relabel", -1)),
)
"""The changes of a campaign, in order; the first script is empty."""


def live_with(campaign: Campaign, edits: Sequence[Edit], reopened: Callable[[Mapping[str, Any]], Campaign]) -> Campaign:
    """Run a campaign to its end with the changes that are not in its journal yet.

    Parameters
    ----------
    campaign
        The open campaign.
    edits
        All changes.
    reopened
        Opens the campaign with other settings, after it was closed.

    Returns
    -------
    Campaign
        The campaign, which is another object if settings were changed.
    """
    while True:
        for _ in campaign.steps() if not _is_due(campaign, edits) else ():
            if _is_due(campaign, edits):
                break
        if not _is_due(campaign, edits):
            return campaign
        edit = edits[_n_done(campaign)]
        if edit.kind == "change":
            changes = {name: _changed(campaign, name, value) for name, value in edit.fields.items()}
            campaign.close()
            campaign = reopened(changes)
        else:
            _apply(campaign, edit)


def _n_done(campaign: Campaign) -> int:
    return sum(event["event"] in BEGUN or bool(event.get("changes")) for event in campaign.events())


def _is_due(campaign: Campaign, edits: Sequence[Edit]) -> bool:
    done = _n_done(campaign)
    if done >= len(edits) or campaign.generation is None or campaign.state not in CHANGED_STATES:
        return False
    n_states = sum(event["event"] == "step" for event in campaign.events())
    return n_states >= edits[done].at or campaign.state is State.DONE


def _changed(campaign: Campaign, name: str, value: float | int) -> float | int:
    return value if isinstance(value, int) else float(getattr(campaign.config.otf, name) * value)


def _apply(campaign: Campaign, edit: Edit) -> None:
    """Change labels."""
    if edit.kind == "add":
        campaign.add([_labeled(campaign, edit.value), _rattled(campaign, edit.value + 100)])
    elif edit.kind == "remove":
        campaign.remove(list(campaign.progress.labels)[edit.value], "drawn")
    elif edit.kind == "relabel":
        campaign.relabel(list(campaign.progress.labels)[edit.value])
    else:
        campaign.restore(list(campaign.progress.revisions.reasons)[-1])


def _rattled(campaign: Campaign, seed: int) -> Atoms:
    atoms = campaign.initial_structure().copy()
    atoms.rattle(0.08, seed=seed)
    return atoms


def _labeled(campaign: Campaign, seed: int) -> Atoms:
    atoms = _rattled(campaign, seed)
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def n_relabeled(directory: Path) -> int:
    """Return how many labels were computed again on purpose, from the names of their files."""
    return len({path.name.partition(".extxyz")[0] for path in (directory / "labels").rglob("*_again_*.extxyz*")})
