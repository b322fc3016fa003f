"""Whatever order answers come in, the same structures are asked about and the same labels given out."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from acemaker.errors import Cause, OracleError
from acemaker.labeling.backend import Here, Place
from acemaker.labeling.finished_labels import Outbox
from acemaker.labeling.job import Answer, Job, ask
from acemaker.labeling.queue import Queue
from acemaker.results import Candidates, LabelFailure, Selection
from acemaker.steps.label import Labelling, Taken
from acemaker.testing import ToyOracle
from tests.conftest import copper, rattled


class Fussy(ToyOracle):
    """Refuses some structures, for good or for the first time."""

    def __init__(self, impossible: set[int], moody: set[int]) -> None:
        super().__init__()
        self.impossible, self.moody = impossible, moody
        self.asked: list[int] = []

    def label(self, atoms: Atoms) -> Atoms:
        number = int(atoms.info["number"])
        self.asked.append(number)
        if number in self.impossible:
            raise OracleError("no", Cause.BAD_STRUCTURE)
        if number in self.moody and self.asked.count(number) == 1:
            raise OracleError("not now")
        return super().label(atoms)


class AnyOrder(Place):
    """Gives answers in an order of its own."""

    where = "anywhere"

    def __init__(self, oracle: Fussy, rng: np.random.Generator, window: int | None) -> None:
        self.oracle, self.rng, self.window = oracle, rng, window
        self.jobs: dict[Future[Answer], Job] = {}

    def submit(self, job: Job) -> Future[Answer]:
        future: Future[Answer] = Future()
        self.jobs[future] = job
        return future

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        left = [future for future in futures if not future.done()]
        for future in self.rng.permutation(np.array(left, dtype=object))[: self.rng.integers(1, len(left) + 1)]:
            future.set_result(ask(self.oracle.label, self.jobs[future].atoms))


def selection(n: int, selected: tuple[int, ...], halt: int, structures: list[Atoms] | None = None) -> Selection:
    made = structures or rattled(copper(1), n)
    for number, atoms in enumerate(made):
        atoms.info["number"] = number
    nothing = np.zeros(n)
    candidates = Candidates(
        halt_number=halt,
        structures=tuple(made),
        origins=("test",) * n,
        gamma_max=nothing,
        distance_min=nothing,
        map=np.zeros((n, 2)),
    )
    reserve = tuple(number for number in range(n) if number not in selected)
    return Selection(
        candidates=candidates,
        selected=selected,
        reserve=reserve,
        gains=nothing,
        environments=(None,) * n,
        allowed=len(selected),
    )


def labelling(
    chosen: Selection, place: Place, needed: int, folder: Path, taken: list[Taken] | None = None
) -> Labelling:
    known: dict[str, Atoms] = {}
    structures = chosen.candidates.structures

    def key(candidate: int) -> str:
        return str(abs(hash(structures[candidate].positions.tobytes())))

    def job(candidate: int) -> Job:
        return Job(key=key(candidate), candidate=candidate, atoms=structures[candidate], outbox="", label="")

    def record(candidate: int, atoms: Atoms) -> Atoms:
        known[key(candidate)] = atoms
        return atoms

    noted: list[LabelFailure] = []
    return Labelling(
        chosen,
        Queue(place),
        job,
        Outbox(folder),
        max_retries=1,
        max_force=1e6,
        needed=needed,
        recall=lambda candidate: known.get(key(candidate)),
        record=record,
        record_failure=noted.append,
        failed={},
        on_label=(taken if taken is not None else []).append,
    )


@pytest.mark.parametrize("seed", range(40))
def test_as_if_one_after_the_other(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_selected = 9, int(rng.integers(1, 6))
    halt = int(rng.integers(0, 2))
    chosen = selection(n, tuple(int(one) for one in rng.permutation(n)[:n_selected]), halt)
    needed = 1 if halt else n_selected
    impossible = {int(one) for one in rng.permutation(n)[: rng.integers(0, 7)]}
    moody = {int(one) for one in rng.permutation(n)[:3]}
    outcomes = []
    window = [None, 2, 3][seed % 3]
    for kind in ("here", "anywhere"):
        oracle = Fussy(impossible, moody)
        place = Here(oracle) if kind == "here" else AnyOrder(oracle, rng, window)
        try:
            labels = labelling(chosen, place, needed, tmp_path).label()
            said = (labels.candidates, [(one.candidate, one.attempts, one.cause) for one in labels.failures])
        except OracleError as error:
            said = ((), [str(error)])
        outcomes.append((said, sorted(oracle.asked)))
    assert outcomes[0] == outcomes[1]


def test_equal_structures_are_labelled_once(tmp_path: Path) -> None:
    one, two = rattled(copper(1), 2)
    chosen = selection(3, (0, 1, 2), 1, [one, two, one.copy()])
    oracle, taken = Fussy(set(), set()), []
    labels = labelling(chosen, AnyOrder(oracle, np.random.default_rng(0), None), 1, tmp_path, taken).label()
    assert labels.candidates == (0, 1, 2)
    assert len(oracle.asked) == len(taken) == 2
    assert np.array_equal(labels.structures[0].get_forces(), labels.structures[2].get_forces())


def test_a_finished_label_that_was_changed_is_none(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.leave("key", {"results": {"energy": 1.0, "forces": np.zeros((9, 3))}, "info": {}, "seconds": 1.0})
    file, spare = tmp_path / "key.npz", tmp_path / "key.spare.npz"
    content = file.read_bytes()
    file.write_bytes(bytes(len(content)))
    assert box.read("key") is not None, "the spare was not looked at"
    spare.unlink()
    for changed in (
        content[:100],
        b"PK" + content[:-9],
        content.replace(b"result energy", b"result enerxy"),
        content.replace(b"checksum", b"chdcksum"),
    ):
        assert changed != content
        file.write_bytes(changed)
        assert box.read("key") is None
    file.write_bytes(content)
    assert box.read("key") is not None
    box.discard("key")
    assert list(tmp_path.iterdir()) == []
