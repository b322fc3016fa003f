"""In whatever order answers arrive, the same structures are labeled and the same labels returned."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker.errors import Cause, OracleError
from acemaker.labeling.backend import Backend, InlineBackend
from acemaker.labeling.collector import Collector
from acemaker.labeling.job import Answer, FinishedLabels, Job, LabelFailure, ask
from acemaker.labeling.request import CollectedLabel, LabelRequest
from acemaker.testing import ToyOracle
from tests.conftest import copper, rattled


class Fussy(ToyOracle):
    """Refuses some structures always, and others at the first try."""

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


class AnyOrder(Backend):
    """Returns answers in random order."""

    where = "a test"

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


class Memory:
    """A sink that stores labels by their keys."""

    def __init__(self) -> None:
        self.labels: dict[str, Atoms] = {}
        self.failures: list[LabelFailure] = []

    def find(self, job: Job) -> Atoms | LabelFailure | None:
        return self.labels.get(job.key)

    def store(self, job: Job, labeled: Atoms) -> Atoms:
        self.labels[job.key] = labeled
        return labeled

    def fail(self, job: Job, failure: LabelFailure) -> None:
        assert failure.candidate == job.candidate
        self.failures.append(failure)


def collector_of(
    structures: Sequence[Atoms],
    selected: tuple[int, ...],
    backend: Backend,
    needed: int,
    folder: Path,
    on_label: Callable[[CollectedLabel], None] = lambda _: None,
) -> Collector:
    for number, atoms in enumerate(structures):
        atoms.info["number"] = number
    jobs = [
        Job(key=atoms.positions.tobytes().hex()[-100:], candidate=number, atoms=atoms, finished="", label="")
        for number, atoms in enumerate(structures)
    ]
    reserve = tuple(number for number in range(len(structures)) if number not in selected)
    request = LabelRequest(jobs=jobs, selected=selected, reserve=reserve, needed=needed, max_retries=1, max_force=1e6)
    return Collector(request, backend, Memory(), FinishedLabels(folder), on_label=on_label)


@pytest.mark.parametrize("seed", range(40))
def test_labels_are_those_of_labeling_one_structure_after_the_other(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_selected = 9, int(rng.integers(1, 6))
    halt = int(rng.integers(0, 2))
    structures = rattled(copper(1), n)
    selected = tuple(int(number) for number in rng.permutation(n)[:n_selected])
    needed = 1 if halt else n_selected
    impossible = {int(number) for number in rng.permutation(n)[: rng.integers(0, 7)]}
    moody = {int(number) for number in rng.permutation(n)[:3]}
    outcomes: list[Any] = []
    result: Any
    window = [None, 2, 3][seed % 3]
    for kind in ("inline", "any order"):
        oracle = Fussy(impossible, moody)
        backend = InlineBackend(oracle) if kind == "inline" else AnyOrder(oracle, rng, window)
        collector = collector_of(structures, selected, backend, needed, tmp_path)
        try:
            collection = collector.label()
            result = (
                list(collection.labels),
                [(failure.candidate, failure.attempts, failure.cause) for failure in collection.failures],
            )
        except OracleError as error:
            result = ([], [str(error)])
        assert collector.over
        outcomes.append((result, sorted(oracle.asked)))
    assert outcomes[0] == outcomes[1]


CONSEQUENCES = dict(
    re.findall(
        r"^\| ([a-z ]+) \| .* \| (retried|skipped|stops the campaign)\b.* \|$",
        (Path(__file__).parents[2] / "docs" / "how_to" / "labels.md").read_text(),
        re.M,
    )
)


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_has_the_consequence_that_the_table_states(tmp_path: Path, cause: Cause) -> None:
    class Failing(Fussy):
        def label(self, atoms: Atoms) -> Atoms:
            if atoms.info["number"] == 0:
                self.asked.append(0)
                raise OracleError("no", cause)
            return super().label(atoms)

    oracle = Failing(set(), set())
    collector = collector_of(rattled(copper(1), 3), (0, 1), InlineBackend(oracle), 2, tmp_path)
    if CONSEQUENCES[cause] == "stops the campaign":
        with pytest.raises(OracleError, match=cause):
            collector.label()
        assert oracle.asked == [0]
        return
    assert list(collector.label().labels) == [2, 1]
    assert oracle.asked.count(0) == {"retried": 1 + collector.request.max_retries, "skipped": 1}[CONSEQUENCES[cause]]


def test_the_table_of_causes_is_complete() -> None:
    assert sorted(CONSEQUENCES) == sorted(Cause)


def test_equal_structures_are_labeled_once(tmp_path: Path) -> None:
    first, second = rattled(copper(1), 2)
    oracle, reported = Fussy(set(), set()), list[CollectedLabel]()
    backend = AnyOrder(oracle, np.random.default_rng(0), None)
    structures = [first, second, first.copy()]
    collection = collector_of(structures, (0, 1, 2), backend, 1, tmp_path, reported.append).label()
    assert list(collection.labels) == [0, 1, 2]
    assert len(oracle.asked) == len(reported) == 2
    assert np.array_equal(collection.labels[0].get_forces(), collection.labels[2].get_forces())


def test_a_finished_label_that_was_changed_is_none(tmp_path: Path) -> None:
    finished = FinishedLabels(tmp_path)
    finished.leave("key", {"results": {"energy": 1.0, "forces": np.zeros((9, 3))}, "info": {}, "seconds": 1.0})
    file, spare = tmp_path / "key.npz", tmp_path / "key.spare.npz"
    content = file.read_bytes()
    file.write_bytes(bytes(len(content)))
    assert finished.read("key") is not None, "the spare file was not read"
    spare.unlink()
    for changed in (
        content[:100],
        b"PK" + content[:-9],
        content.replace(b"result energy", b"result enerxy"),
        content.replace(b"checksum", b"chdcksum"),
    ):
        assert changed != content
        file.write_bytes(changed)
        assert finished.read("key") is None
    file.write_bytes(content)
    assert finished.read("key") is not None
    finished.discard("key")
    assert list(tmp_path.iterdir()) == []
