"""The short form of benchmarks/soak.py: two minutes, with a fixed seed and a new one, which pytest prints."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acemaker.errors import DamagedFileError
from tests.soak.fuzz import fuzz_apart
from tests.soak.life import Nursery
from tests.soak.paid import LEDGER
from tests.soak.soaked import READ_ONLY, Soak, check_labels
from tests.soak.worlds import WORLDS, ending

SECONDS = 40.0
"""For campaigns, by seed."""

FIRST = ("LAMMPS here", "toy walkers", "toy")
"""The worlds of the first campaigns."""

INPUTS = 250

FRESH = random.SystemRandom().randrange(10**9)

SEEDS = [pytest.param(20, id="fixed"), pytest.param(None, id="fresh")]


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soak]:
    with Nursery() as nursery:
        yield Soak(tmp_path_factory.mktemp("soak"), nursery)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a text at the end, whether the test fails or not."""
    return lambda words: record_property("printed", words)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_campaigns_under_faults(soak: Soak, tell: Callable[[str], None], seed: int | None) -> None:
    """At least one campaign with LAMMPS, and one with each of the toys."""
    seed = FRESH if seed is None else seed
    seeds, end, done = random.Random(seed), time.monotonic() + SECONDS, 0
    try:
        while done < len(FIRST) or time.monotonic() < end:
            one, world = seeds.randrange(10**9), FIRST[done] if done < len(FIRST) else "toy"
            soaked = soak.soak(one, world=world)
            done += 1
            assert soaked.outcome in ("same end", "typed error"), (
                f"python benchmarks/soak.py --campaign {one} --world {world!r}: {soaked}"
            )
    finally:
        tell(f"seed {seed}, {done} campaigns")
        if READ_ONLY not in soak.faults:
            tell("without read-only directories, since mounts are forbidden here")


def test_a_world_has_only_faults_that_it_can_live_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An oracle that hangs in the campaign's own process also hangs the campaign, which is not a violation."""
    monkeypatch.setattr(Soak, "_live", lambda *_: [])
    with Nursery() as nursery:
        soak = Soak(tmp_path, nursery)
        drawn = {world: {soak.soak(seed, world=world).fault for seed in range(400)} for world in WORLDS}
    assert "oracle hangs" in drawn["toy, labels apart"]
    assert "child killed" in drawn["LAMMPS in a child"]
    for world in ("toy", "toy walkers", "LAMMPS here"):
        assert not {"oracle hangs", "oracle dies", "child killed"} & drawn[world]
        assert drawn[world] >= {"two processes", "file: deleted"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_changed_files(tell: Callable[[str], None], seed: int | None) -> None:
    seed = FRESH if seed is None else seed
    tell(f"python benchmarks/soak.py --campaigns 0 --inputs {INPUTS} --seed {seed}")
    counts, wrong = fuzz_apart(seed, INPUTS)
    assert not wrong
    assert sum(counts.values()) == INPUTS
    assert {outcome for _, outcome in counts} == {"read", "typed error"}


@pytest.mark.slow
def test_what_the_soak_would_notice(soak: Soak, monkeypatch: pytest.MonkeyPatch) -> None:
    """A different end, a label that was computed twice, an unreadable label, a missing file."""
    with monkeypatch.context() as patch:
        patch.setitem(soak._endings, "toy", {**soak.undisturbed("toy"), "coefficients": "others"})
        soaked = soak.soak(1, "file times shifted", "toy")
    assert soaked.outcome == "VIOLATION"
    assert "ended with other coefficients" in soaked.said
    folder = Path(soaked.said.split("kept in ")[1])
    assert check_labels(folder, 0) == []
    lines = (folder / LEDGER).read_text().splitlines(keepends=True)
    (folder / LEDGER).write_text("".join([*lines, lines[0]]))
    assert check_labels(folder, 0) == ["1 labels were paid for again"]
    assert check_labels(folder, 1) == []
    for line in (lines[0].replace('"of": "', '"of": "another'), lines[0].replace('"energy": ', '"energy": 1')):
        (folder / LEDGER).write_text("".join([line, *lines[1:]]))
    assert check_labels(folder, 0) == [f"1 of {len(lines)} paid labels cannot be read"]
    (folder / "c/segments/segment_0001/checks.csv").unlink()
    with pytest.raises(DamagedFileError):
        ending(folder / "c")
