"""Figures in docs and README come from files that benchmarks wrote; a bound that fails fails its command."""

from __future__ import annotations

import json
import re
import runpy
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS, RESULTS = ROOT / "benchmarks", ROOT / "benchmarks" / "results"


def of_benchmarks(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / f"{name}.py"))


def test_the_page_is_what_the_commands_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    page = of_benchmarks(monkeypatch, "page")
    assert (ROOT / "docs" / "benchmarks.md").read_text() == page["page"](RESULTS), "python benchmarks/page.py"


def test_the_readmes_figures_are_in_the_results() -> None:
    outcome = json.loads((RESULTS / "label_efficiency.json").read_text())
    (table,) = outcome["tables"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    first, five = next(row for row in rows if row["seed"] == "1"), len(rows) == 5
    labels = statistics.median(int(row["labels"]) for row in rows)
    errors = [float(row["force RMSE / (meV/Å)"]) for row in rows]
    error = float(first["force RMSE / (meV/Å)"])
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert five
    assert f"This run took {first['labels']} labels" in readme
    assert f"and {float(first['wall / s']):.0f} s on two cores" in readme
    assert f"its force RMSE along an independent trajectory is {error:.1f} meV/Å" in readme
    assert f"the median is {labels:g} labels and the largest RMSE {max(errors):.1f} meV/Å" in readme


def test_every_benchmark_is_run_by_make_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = of_benchmarks(monkeypatch, "run")["COMMANDS"]
    measuring = {file.stem for file in BENCHMARKS.glob("*.py") if "Outcome(" in file.read_text()} - {"outcome"}
    assert measuring == set(commands)
    for file in RESULTS.glob("*.json"):
        outcome = json.loads(file.read_text())
        full = " ".join(["python", f"benchmarks/{file.stem}.py", *commands[file.stem][1]])
        assert outcome["command"] == full.replace(f"{ROOT}/", ""), "only what is complete is kept"


def test_a_reduced_run_prints_tables_and_every_bound_again(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "run.py", "--only", "import_time", "--results", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    outcome = json.loads((tmp_path / "import_time.json").read_text())
    assert [len(table["rows"]) for table in outcome["tables"]] == [1]
    assert done.returncode == (not all(bound["holds"] for bound in outcome["bounds"])), done.stderr
    for bound in outcome["bounds"]:
        line = rf"^(?:pass|FAIL)  {re.escape(bound['what'])}: {re.escape(bound['value'])} \({bound['bound']}\)$"
        assert len(re.findall(line, done.stdout, flags=re.M)) == 2


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (1.01, 1), (float("nan"), 1)])
def test_a_bound_that_does_not_hold_fails_the_command(tmp_path: Path, value: float, code: int) -> None:
    script = tmp_path / "measured.py"
    script.write_text(
        "from outcome import Outcome\n"
        "outcome = Outcome('Something', seeds=(3,))\n"
        f"outcome.at_most('it', float('{value}'), 1.0, 's')\n"
        "outcome.finish()\n"
    )
    environment = {"PYTHONPATH": f"{BENCHMARKS}:{ROOT}", "ACEMAKER_BENCHMARKS": str(tmp_path)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("pass  it" in done.stdout) is (code == 0)
    assert "seeds 3" in done.stdout
    (bound,) = json.loads((tmp_path / "measured.json").read_text())["bounds"]
    assert bound["holds"] is (code == 0)
