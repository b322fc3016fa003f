"""The teacher's page describes the existing notebooks, and its timetable adds up."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workshop.md").read_text()
NOTEBOOKS = sorted((ROOT / "notebooks" / "workshop").glob("*.ipynb"))


def test_the_timetable_has_all_notebooks_in_order_and_takes_ninety_minutes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, flags=re.M)
    assert sum(int(minutes) for minutes, _ in rows) == 90
    assert [what.strip("`") for _, what in rows if what.startswith("`")] == [path.stem for path in NOTEBOOKS]


def test_each_notebook_has_its_section_under_its_own_title_and_its_time() -> None:
    sections = re.findall(r"^### (.+)$", PAGE, flags=re.M)
    titles = [re.search(r"# (\d) · ([^\\\n\"]+)", path.read_text()) for path in NOTEBOOKS]
    assert sections == [f"{title[1]} {title[2]}" for title in titles if title]
    for path in NOTEBOOKS:
        assert re.search(rf"^\| {path.stem} \| [\d.]+ \| [\d.]+ \| .* \|$", PAGE, flags=re.M)


def test_what_it_names_is_there_and_the_readme_leads_to_it() -> None:
    named = set(re.findall(r"`((?:notebooks|docs|tests|benchmarks|acemaker)/[\w/.]+?)/?`", PAGE))
    assert len(named) >= 6
    assert all((ROOT / name).exists() for name in named), named
    assert "(docs/workshop.md)" in (ROOT / "README.md").read_text()
