"""Figures in docs and README come from files that benchmarks wrote; a bound that fails fails its command."""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acemaker import OTFConfig

ROOT = Path(__file__).parents[1]
BENCHMARKS, RESULTS = ROOT / "benchmarks", ROOT / "benchmarks" / "results"


def of_benchmarks(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / f"{name}.py"))


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in file.read_text().splitlines() if not line.startswith("#")))


def test_the_page_is_what_the_commands_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    page = of_benchmarks(monkeypatch, "page")
    assert (ROOT / "docs" / "benchmarks.md").read_text() == page["page"](RESULTS), "python benchmarks/page.py"


def test_every_benchmark_has_a_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pictures, names = of_benchmarks(monkeypatch, "pictures"), of_benchmarks(monkeypatch, "run")["COMMANDS"]
    drawn_apart = {"label_cost", "label_systems", "delta_learning"}
    assert set(names) - drawn_apart == set(pictures["PANELS"])
    for name in drawn_apart:
        assert (ROOT / "docs" / "images" / f"{name}.png").exists()
    for file in RESULTS.glob("*.json"):
        if file.stem not in drawn_apart:
            assert (ROOT / "docs/images/benchmarks" / f"{file.stem}.png").exists(), "python benchmarks/page.py"
            pictures["draw"](json.loads(file.read_text()), file.stem, tmp_path / "one.png")
            assert (tmp_path / "one.png").stat().st_size > 5000


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


def test_the_page_of_labels_shows_what_the_rows_add_up_to(monkeypatch: pytest.MonkeyPatch) -> None:
    page, text = of_benchmarks(monkeypatch, "page"), (ROOT / "docs/how_it_works/labels.md").read_text()
    assert page["shown"](text, RESULTS) == text, "python benchmarks/page.py"
    (medians,) = json.loads((RESULTS / "label_cost.json").read_text())["tables"]
    assert {row[1] for row in medians["rows"]} == {"5"}  # seeds
    costs = {row[0]: float(row[3]) for row in medians["rows"]}
    errors = {row[0]: row[5].split(" to ") for row in medians["rows"]}
    whole = costs["halted structure alone"]
    assert round(whole / costs["embedded, 32 atoms"]) == 16
    assert costs["embedded, 48 atoms"] < whole / 4
    assert float(errors["embedded, 48 atoms"][1]) < 6
    assert OTFConfig().n_select == 1
    assert OTFConfig().strategies == {"random_displacement": 1.0}


def test_the_scale_plans_figures_are_in_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    page, text = of_benchmarks(monkeypatch, "page"), (ROOT / "docs/how_it_works/scale.md").read_text()
    assert page["shown"](text, RESULTS) == text, "python benchmarks/page.py"
    outcome = json.loads((RESULTS / "scale.json").read_text())
    assert [text.count(f"\n{table['title']}:\n") for table in outcome["tables"]] == [1] * len(outcome["tables"])
    rows = {table["title"].split(":")[0]: table["rows"] for table in outcome["tables"]}
    assert [row[0] for row in rows["A simulated campaign"]] == ["1000", "10000", "100000"]
    assert [row[0] for row in rows["The store of shared labels, 32 atoms each"]] == ["1000", "10000", "100000"]
    hours = 1e5 * float(rows["The linear trainer takes labels in"][-1][1]) / 3.6e6
    assert f"{hours:.0f} hours for 100,000" in " ".join(text.split())
    assert float(rows["The linear trainer takes labels in"][-1][2]) < 10  # ms to open again: minutes for 100,000
    places = [row[0].split(":")[0] for row in rows["What a label costs beyond the oracle"]]
    assert set(places) == {"threads", "processes", "dask", "slurm"}


def test_a_scale_plan_of_little_prints_all_tables(tmp_path: Path) -> None:
    little = ["500", "--each", "2", "--fitted", "3", "--places", "threads: this process"]
    command = [sys.executable, str(BENCHMARKS / "scale.py"), *little]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ACEMAKER_BENCHMARKS": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    outcome = json.loads((tmp_path / "scale.json").read_text())
    assert done.returncode == (not all(bound["holds"] for bound in outcome["bounds"])), done.stderr
    assert [len(table["rows"]) for table in outcome["tables"]] == [1, 9, 2, 3, 3]
    (campaigns,) = [table for table in outcome["tables"] if table["title"] == "A simulated campaign"]
    assert [row[:2] for row in campaigns["rows"]] == [["5", "1"], ["50", "10"], ["500", "100"]]


def test_every_benchmark_is_run_by_make_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = of_benchmarks(monkeypatch, "run")["COMMANDS"]
    measuring = {file.stem for file in BENCHMARKS.glob("*.py") if "outcome.finish()" in file.read_text()}
    assert measuring == set(commands)
    for file in RESULTS.glob("*.json"):
        outcome = json.loads(file.read_text())
        full = " ".join(["python", f"benchmarks/{file.stem}.py", *commands[file.stem][1]])
        assert outcome["command"] == full.replace(f"{ROOT}/", ""), "only what is complete is kept"


def test_a_reduced_run_prints_tables_and_every_bound_again(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--only", "import_time", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    outcome = json.loads((tmp_path / "import_time.json").read_text())
    assert [len(table["rows"]) for table in outcome["tables"]] == [1]
    assert done.returncode == (not all(bound["holds"] for bound in outcome["bounds"])), done.stderr
    for bound in outcome["bounds"]:
        line = rf"^(?:pass|FAIL)  {re.escape(bound['what'])}: {re.escape(bound['value'])} \({bound['bound']}\)$"
        assert len(re.findall(line, done.stdout, flags=re.M)) == 2


def test_what_has_no_reduced_form_is_shown_as_it_is_kept(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--only", "embedded_campaign", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    measured, _, kept = done.stdout.partition("and, as kept in benchmarks/results:")
    assert "as kept in benchmarks/results/embedded_campaign.json" in measured
    for table in json.loads((RESULTS / "embedded_campaign.json").read_text())["tables"]:
        assert table["title"] in measured
        assert all(cell in measured for row in table["rows"] for cell in row)
    assert kept.count("pass  ") == 2
    assert "pass  force RMSE, embedded to whole: " in kept


def test_labels_are_weighed_by_rows_that_a_file_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All that is printed comes from the file, and nothing is computed again."""
    file, lines = tmp_path / "rows.csv", ["system,strategy,point,seed,labels,cost,force_rmse_meV_per_A,step,ended"]
    for name, (points, _) in of_benchmarks(monkeypatch, "label_strategies")["STRATEGIES"].items():
        for point in range(points):
            labels = 4 if "acemaker" in name else 2 ** (point + 1)
            cost, error = labels / 4 if "small" in name else labels, 16 / labels
            lines.append(f'aluminum adatom,"{name}",{point},1,{labels},{cost},{error},500,done')
    file.write_text("\n".join(lines) + "\n")
    command = [sys.executable, str(BENCHMARKS / "label_systems.py"), "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert file.read_text() == "\n".join(lines) + "\n"
    assert "pass  aluminum adatom: fewest labels to those of true frames: 1 (at most 1)" in done.stdout, done.stderr
    assert "pass  aluminum adatom: least cost to that of true frames: 0.25 (at most 0.25)" in done.stdout
    assert "pass  aluminum adatom: both in one campaign: yes (yes)" in done.stdout
    assert "pass  aluminum adatom: labels a step, most: 0.008 (at most 0.0909091)" in done.stdout
    assert done.returncode == 0


def test_the_tables_of_labels_are_those_of_the_kept_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    page = of_benchmarks(monkeypatch, "page")
    for path in page["SHOWING"]:
        text = path.read_text()
        assert "<!-- table of" in text
        assert page["shown"](text, RESULTS) == text, "python benchmarks/page.py"
    text = (ROOT / "docs/how_it_works/efficiency.md").read_text()
    rows = [row for row in rows_of(RESULTS / "label_systems.csv") if row["system"] == "silicon"]
    own = [row for row in rows if row["strategy"] == "acemaker"]
    labels = statistics.median(float(row["labels"]) for row in own)
    assert f"| silicon | acemaker | {labels:g} |" in text
    rows = [row for row in rows_of(RESULTS / "ablations.csv") if row["without"] == "smoothing"]
    assert f"| smoothing | {len(rows)} | {len(rows)} |" in text


@pytest.mark.parametrize(("error", "frames"), [(99.0, 2.0), (8.0, 4.0), (4.0, 8.0), (4 * 2**0.5, 32**0.5), (1.0, 16.0)])
def test_equal_error_is_read_off_the_falling_curve(
    monkeypatch: pytest.MonkeyPatch, error: float, frames: float
) -> None:
    equal = of_benchmarks(monkeypatch, "equal_error")
    curve = [
        equal["Point"](1, labels, labels, rmse, rmse, rmse, True)
        for labels, rmse in ((2.0, 16.0), (4.0, 8.0), (8.0, 4.0), (16.0, 6.0))
    ]
    assert equal["frames_at"](error, curve) == pytest.approx(frames)


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


def kept(folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": f"{BENCHMARKS}:{ROOT}", "ACEMAKER_BENCHMARKS": str(folder)}
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr  # 1 if a bound does not hold, which may be the machine's doing
    outcome: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return outcome


@pytest.mark.slow
def test_an_active_set_out_of_very_many_environments_leaves_none_outside(tmp_path: Path) -> None:
    outcome = kept(tmp_path, "maxvol", "12000", "10")
    (table,) = outcome["tables"]
    assert [row[0] for row in table["rows"]] == ["acemaker", "pyace, as pace_activeset calls it", "pyace, to its end"]
    assert [bound["what"] for bound in outcome["bounds"]] == [
        "MaxVol's time to pyace's",
        "MaxVol's memory to pyace's",
        "largest gamma of a trained environment",
    ]
    assert outcome["bounds"][2]["holds"]


@pytest.mark.slow
def test_growing_campaigns_take_turns_at_healing(tmp_path: Path) -> None:
    outcome = kept(tmp_path, "heal_growth", "12", "4")
    sizes, parts = outcome["tables"]
    assert len(sizes["rows"]) == 3
    assert [row[0] for row in parts["rows"]] == [
        "DIAGNOSE",
        "GENERATE",
        "SELECT",
        "LABEL",
        "TRAIN",
        "RESUME",
        "EXPLORE",
    ]
    assert len(outcome["bounds"]) == 2
