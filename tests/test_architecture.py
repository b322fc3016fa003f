import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import acemaker
from acemaker.formatting.figures import draw, draws, registered
from acemaker.formatting.record import Record

ROOT = Path(__file__).parents[1]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--config", "pyproject.toml", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "acemaker", tmp_path / "acemaker", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ("utils/checksum.py", "from acemaker.loop.journal import Journal", "acemaker.utils is not allowed to import"),
        ("engines/protocol.py", "from acemaker.results import Halt", "acemaker.engines is not allowed to import"),
        (
            "steps/select.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from acemaker.campaign import Campaign",
            "acemaker.steps is not allowed to import acemaker.campaign",
        ),
        ("plotting/axes.py", "import acemaker.headless.run", "acemaker.plotting is not allowed to import"),
        ("analysis/rounds.py", "import matplotlib", "acemaker.analysis is not allowed to import matplotlib"),
        ("unplanned.py", "", "acemaker.unplanned"),
    ],
)
def test_an_import_upwards_and_a_package_without_a_place_fail_the_lint(
    house: Path, module: str, line: str, told: str
) -> None:
    path = house / "acemaker" / module
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    result = lint(house)
    assert result.returncode == 1
    assert told in result.stdout


def test_the_house_as_it_is_passes(house: Path) -> None:
    result = lint(house)
    assert result.returncode == 0, result.stdout


def records() -> set[type[Record]]:
    for module in pkgutil.walk_packages(acemaker.__path__, "acemaker."):
        if not module.name.endswith("__main__") and ".testing" not in module.name:
            importlib.import_module(module.name)
    found: set[type[Record]] = set()
    open_ones = [Record]
    while open_ones:
        kind = open_ones.pop()
        if kind.__module__.startswith("acemaker."):
            found.add(kind)
        open_ones += kind.__subclasses__()
    return found


@pytest.mark.parametrize(("kind", "method"), [("figure", "figure"), ("view", "view")])
def test_every_record_that_can_be_drawn_is_registered_and_the_reverse(kind: str, method: str) -> None:
    everything = records()
    known = registered(kind)
    by_registry = {record for record in everything if _asks_the_registry(record, method)}
    assert by_registry
    assert {record for record in by_registry if not any(base in known for base in record.__mro__)} == set()
    records_known = {record for record in known if issubclass(record, Record)}  # examples register a class of their own
    assert {record for record in records_known & everything if not hasattr(record, method)} == set()


def _asks_the_registry(record: type[Record], method: str) -> bool:
    function = vars(record).get(method)
    source = inspect.getsource(function) if inspect.isfunction(function) else ""
    return "return draw(self" in source or "return show(self" in source


def test_a_figure_of_ones_own_takes_the_place_of_the_library_s() -> None:
    class Melting(Record):
        pass

    with pytest.raises(TypeError, match="no figure is registered for Melting; register one with @draws"):
        draw(Melting())

    @draws(Melting)
    def melting_figure(record: Melting, color: str = "red") -> str:
        return f"{type(record).__name__} in {color}"

    class Boiling(Melting):
        pass

    assert draw(Melting()) == "Melting in red"
    assert draw(Boiling(), color="blue") == "Boiling in blue"
