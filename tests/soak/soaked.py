"""A campaign with a random fault, continued to its end and compared with the undisturbed one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.soak.changes import DAMAGES
from tests.soak.damage import damage, shift_times
from tests.soak.edits import SCRIPTS, n_relabeled
from tests.soak.life import Lived, Nursery
from tests.soak.live import LIVE, Moment
from tests.soak.paid import MISDEEDS, ORDERS, name_of, registry
from tests.soak.worlds import WORLDS

LIVES = 5
"""How often a campaign is begun again before it has to have come to an end."""

UNITS = {"line": 25, "write": 220, "check": 60}
"""How many lines, writes and checks of gamma a campaign has, or a few less."""


@dataclass
class Soaked:
    """Outcome of a campaign with a fault.

    Attributes
    ----------
    seed : int
        Seed with which everything can be repeated.
    world, fault, detail : str
        The campaign, the fault, and where it occurred.
    outcome : str
        ``same end``, ``typed error`` or ``VIOLATION``.
    said : str
        The error, or the violation.
    lives : list of str
        Outcome of each run.
    script : int
        Number of the changes by hand, in `tests.soak.edits.SCRIPTS`.
    """

    seed: int
    world: str
    fault: str
    detail: str = ""
    outcome: str = ""
    said: str = ""
    lives: list[str] = field(default_factory=list)
    script: int = 0


class Soak:
    """Tests campaigns with faults, one after the other.

    Parameters
    ----------
    folder
        Folder of their directories; those without violations are deleted at once.
    nursery
        Starts the processes.

    Attributes
    ----------
    faults : tuple of str
        Faults of `FAULTS` that are possible on this machine.
    """

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self._folder, self._nursery = folder, nursery
        self.faults = tuple(name for name in FAULTS if name != READ_ONLY or can_make_read_only())
        self._endings: dict[str | tuple[str, int], dict[str, str]] = {}

    def soak(self, seed: int, fault: str = "", world: str = "") -> Soaked:
        """Draw a campaign and a fault, and continue the campaign to its end.

        Parameters
        ----------
        seed
            Seed of all random choices.
        fault, world
            Fixed values instead of random ones; the fault is then drawn from those that are possible in the world.

        Returns
        -------
        Soaked
        """
        rng = random.Random(seed)
        # an oracle that hangs in the campaign's own process is no fault to survive
        possible = [name for name in self.faults if not world or world in _worlds_of(name)]
        drawn = rng.choices(possible, [0.3 if name in SLOW else 1.0 for name in possible])[0]
        fault = fault or drawn
        worlds = [WORLDS[name] for name in _worlds_of(fault)]
        chosen = rng.choices(worlds, [one.weight for one in worlds])[0].name
        world = world or chosen
        folder = self._folder / f"{seed}"
        folder.mkdir(parents=True)
        soaked = Soaked(seed=seed, world=world, fault=fault)
        if not fault.startswith("oracle "):  # a label that fails for good is another end
            soaked.script = rng.randrange(len(SCRIPTS))
        wrong = self._live(soaked, folder, rng)
        if wrong:
            soaked.outcome, soaked.said = "VIOLATION", "; ".join(wrong) + f" [{soaked.said}] kept in {folder}"
        else:
            shutil.rmtree(folder)
        return soaked

    def undisturbed(self, world: str, script: int = 0) -> dict[str, str]:
        """Return the end of a campaign without a fault."""
        name = (world, script) if script else world
        if name not in self._endings:
            folder = self._folder / f"undisturbed {world} {script}"
            folder.mkdir(parents=True)
            lived = self._nursery.finish(*self._nursery.start(world, str(folder), "", None, False, script))
            assert lived.ending is not None, f"a campaign without a fault ended in: {lived}"
            self._endings[name] = lived.ending
            shutil.rmtree(folder)
        return self._endings[name]

    def _live(self, soaked: Soaked, folder: Path, rng: random.Random) -> list[str]:
        """Continue a campaign to its end, and return the violation, if any."""
        reference, wrong = self.undisturbed(soaked.world, soaked.script), []
        lived, repaid = self._first_life(soaked, folder, rng, wrong)
        for _ in range(LIVES):
            if lived.status == "done" and lived.ending is not None:
                break
            again = self._life(soaked, folder, wrong, reopen=rng.random() < 0.7)
            if again.status == "typed" and lived.said == again.said:
                lived = again
                break  # it would say so for ever
            lived = again
        soaked.said = lived.said
        if lived.status == "done" and lived.ending is not None:
            soaked.outcome = "same end"
            wrong += [f"ended with other {name}" for name in reference if reference[name] != lived.ending[name]]
        elif lived.status == "typed":
            soaked.outcome = "typed error"
        else:
            wrong.append(f"came to no end: {', '.join(soaked.lives)}")
        return [*wrong, *check_labels(folder, repaid + n_relabeled(folder / "c"))]

    def _life(
        self,
        soaked: Soaked,
        folder: Path,
        wrong: list[str],
        *,
        fault: str = "",
        moment: Moment | None = None,
        reopen: bool = False,
    ) -> Lived:
        lived = self._nursery.finish(
            *self._nursery.start(soaked.world, str(folder), fault, moment, reopen, soaked.script)
        )
        return self._note(soaked, lived, wrong)

    def _note(self, soaked: Soaked, lived: Lived, wrong: list[str]) -> Lived:
        soaked.lives.append(lived.status)
        if lived.status in ("untyped", "hung"):
            wrong.append(f"{lived.status}: {lived.said}")
        wrong += [f"left over: {name}" for name in lived.left]
        return lived

    def _first_life(self, soaked: Soaked, folder: Path, rng: random.Random, wrong: list[str]) -> tuple[Lived, int]:
        """Run until the fault has occurred; also return how many labels may have to be computed again."""
        known = {one.name: one for one in LIVE}
        if soaked.fault in known:
            one = known[soaked.fault]
            soaked.detail, moment = self._moment(folder, rng, one.unit, soaked.script)
            lived = self._life(soaked, folder, wrong, fault=one.name, moment=moment)
            return lived, 2 if one.may_repay else 0
        if soaked.fault.startswith("oracle "):
            call = str(rng.choice(("always", *range(6))))
            soaked.detail = f"call {call}"
            (folder / ORDERS).write_text(json.dumps({call: soaked.fault.removeprefix("oracle ")}))
            lived = self._life(soaked, folder, wrong)
            (folder / ORDERS).unlink()
            return lived, 0
        soaked.detail, moment = self._moment(folder, rng, "line", soaked.script)
        if soaked.fault == "two processes":
            return self._two(soaked, folder, rng, wrong), 0
        killed = rng.random() < 0.7
        # half of all campaigns are damaged when they are over: what is read then must be right, too
        lived = self._life(
            soaked, folder, wrong, fault="killed at a journal line" if killed else "", moment=moment if killed else None
        )
        directory = folder / "c"
        if soaked.fault == READ_ONLY:
            with read_only(directory):
                lived = self._life(soaked, folder, wrong, reopen=rng.random() < 0.7)
                if killed and lived.status == "done":
                    wrong.append("went on in a directory that cannot be written")
        elif soaked.fault == "file times shifted":
            shift_times(directory, rng)
        elif directory.exists() and any(directory.iterdir()):
            soaked.detail += f", {damage(directory, soaked.fault.removeprefix('file: '), rng)}"
        return Lived(lived.status), 0

    def _two(self, soaked: Soaked, folder: Path, rng: random.Random, wrong: list[str]) -> Lived:
        """Create a campaign in two processes at nearly the same time."""
        first = self._nursery.start(soaked.world, str(folder), "", None, False, soaked.script)
        first[0].join(2.0 * rng.random() ** 4)  # s; half of them while the first checks or writes
        second = self._nursery.start(soaked.world, str(folder), "", None, rng.random() < 0.5, soaked.script)
        # what each has left over is known when both are gone
        first[0].join()
        second[0].join()
        one, two = (self._nursery.finish(*both) for both in (first, second))
        self._note(soaked, one, wrong)
        self._note(soaked, two, wrong)
        for lived in (one, two):
            if lived.status == "typed" and not lived.said.startswith("CampaignLockedError"):
                wrong.append(f"one of two processes was told {lived.said}")
        return one if one.status == "done" else two

    @staticmethod
    def _moment(folder: Path, rng: random.Random, unit: str, script: int) -> tuple[str, Moment]:
        most = int(UNITS[unit] * (1.6 if script else 1.0))  # changes by hand add lines and writes
        moment = Moment(at=1 + rng.randrange(most), how=rng.random(), directory=str(folder / "c"))
        return f"{unit} {moment.at}", moment


READ_ONLY = "read-only directory"

FAULTS = (
    *(one.name for one in LIVE),
    *(f"oracle {name}" for name in MISDEEDS),
    "two processes",
    READ_ONLY,
    "file times shifted",
    *(f"file: {name}" for name in (*DAMAGES, "deleted")),
)
"""All that can be drawn."""

SLOW = ("child killed", "oracle hangs", "oracle dies")
"""Faults of worlds that start processes, which takes ten times as long: drawn less often."""


def _worlds_of(fault: str) -> tuple[str, ...]:
    for one in LIVE:
        if one.name == fault and one.worlds:
            return one.worlds
    if fault in ("oracle hangs", "oracle dies"):  # in the campaign's own process, it would hang or die
        return ("toy, labels apart",)
    return tuple(WORLDS)


def check_labels(folder: Path, repaid: int) -> list[str]:
    """Check that ASE can read all computed labels, and that each was computed once.

    Parameters
    ----------
    folder
        Folder of the campaign and the label registry.
    repaid
        Number of labels that may have been lost between the oracle and the disk.
    """
    from ase.io import read

    known: dict[str, float] = {}
    for path in (folder / "c").rglob("*.extxyz"):
        if "labels" in path.parts:
            with contextlib.suppress(Exception):  # a damaged one, of which there has to be another copy
                atoms = read(path, format="extxyz")
                assert not isinstance(atoms, list)
                known[name_of(atoms)] = atoms.get_potential_energy()
    kept = [path for path in folder.rglob("*.npz") if path.parent.name == "queue" or "acemaker-labels" in str(path)]
    for path in kept:
        with contextlib.suppress(Exception), np.load(path) as arrays:
            known[f"energy {float(arrays['result energy']):.6f}"] = float(arrays["result energy"])
    # finished when its owner was killed: whoever goes on with the campaign takes it over
    for path in (folder / "scratch").rglob("label.npz"):
        with contextlib.suppress(Exception), np.load(path) as arrays:
            known[f"energy {float(arrays['energy']):.6f}"] = float(arrays["energy"])
    paid = registry(folder)
    lost = [
        label
        for label in paid
        if abs(known.get(label["of"], np.inf) - label["energy"]) > 1e-6 and f"energy {label['energy']:.6f}" not in known
    ]
    again = sum(times - 1 for times in Counter(label["of"] for label in paid).values())
    wrong = []
    if len(lost) > repaid:
        wrong.append(f"{len(lost)} of {len(paid)} paid labels cannot be read")
    if again > repaid:
        wrong.append(f"{again} labels were paid for again")
    return wrong


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Make a directory read-only: by permissions, and for root, to whom they do not apply, by a mount."""
    directory.mkdir(exist_ok=True)
    if os.geteuid():
        folders = [directory, *(path for path in directory.rglob("*") if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        try:
            yield
        finally:
            for path in folders:
                path.chmod(0o755)
        return
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", directory], check=True)
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def can_make_read_only() -> bool:
    """Return whether `read_only` works here: containers may forbid mounts."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError, subprocess.CalledProcessError):
        with read_only(Path(folder)):
            pass
        return True
    return False
