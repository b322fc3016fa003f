"""A form without its widgets: values, messages, files and started runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from acemaker.cli import main
from acemaker.errors import ConfigError
from acemaker.headless.command import join_pairs
from acemaker.headless.form import Form
from acemaker.headless.notebook import describe
from acemaker.headless.parameters import gather
from tests.headless.test_check import CAMPAIGN, ROOT, write


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.chdir(tmp_path)


def test_a_cell_is_read_with_its_comments() -> None:
    fields = {field.name: field for field in Form(CAMPAIGN).fields}
    assert list(fields) == list(describe(CAMPAIGN).types)
    assert (fields["directory"].section, fields["steps"].section) == ("", "molecular dynamics")
    assert fields["tolerance"].section == ""  # a blank line has ended the potential's
    assert fields["composition"].help == 'fractions of the elements of a random alloy, e.g. {"Cu": 0.5, "Ni": 0.5}'
    assert "npt" in fields["ensemble"].choices
    assert fields["oracle"].choices == ()
    assert (fields["supercell"].kind, fields["supercell"].default) == ("list", [3, 3, 3])


def test_cells_of_all_kinds(tmp_path: Path) -> None:
    source = (
        "%matplotlib inline\n# first\n# section\na = (1, 2)  # two of them # always\nb: dict = {\n    'x': [1],\n}"
        "  # at its end\nc: 'Literal[1, 2]' = 1\n\nd = a + 1\nskin: float = 1.0\ne = {1, 2}\nf = '# no comment'"
    )
    fields = {field.name: field for field in Form(write(tmp_path / "n.ipynb", source)).fields}
    assert fields["a"].default == [1, 2]
    assert (fields["a"].section, fields["a"].help) == ("first section", "two of them # always")
    assert (fields["b"].section, fields["b"].help) == ("first section", "at its end")
    assert fields["c"].choices == (1, 2)
    assert (fields["d"].known, fields["d"].source, fields["d"].section) == (False, "a + 1", "")
    assert not fields["e"].known  # YAML has no such type
    assert fields["f"].help == ""
    assert "Å" in fields["skin"].help  # of the configuration


@pytest.mark.parametrize(
    ("source", "tag", "said"),
    [
        ("x = 1", "other", "one code cell tagged 'parameters', it has 0"),
        ("# nothing", "parameters", "has no parameters: its cell tagged 'parameters' assigns nothing"),
        ("x = = 1", "parameters", "the parameters cell of n.ipynb is not Python"),
    ],
)
def test_a_notebook_without_parameters_is_refused(tmp_path: Path, source: str, tag: str, said: str) -> None:
    import acemaker

    write(tmp_path / "n.ipynb", source, "x = 1", tag=tag)
    with pytest.raises(ConfigError, match=said):
        acemaker.form("n.ipynb")
    with pytest.raises(ConfigError, match=r"there is no notebook none\.ipynb"):
        acemaker.form("none.ipynb")


NASTY = {
    "structure": "No",
    "directory": "2026 and more",
    "pair_coeff": ["* * Cu=1.eam Cu", "it's"],
    "first_rattle": 1e-8,
    "lattice_constant": 4.05,
    "c_over_a": None,
    "composition": {"Cu": 0.5, "Ni": 0.5},
    "skin": 0.5,
}


def test_the_command_line_and_the_file_say_what_was_filled_in() -> None:
    form = Form(CAMPAIGN, "runs/new.ipynb").fill(**NASTY, seed=1, temperature=(300, 900))
    changed = {**NASTY, "temperature": [300, 900]}
    assert form.changed == changed  # the seed is the notebook's own
    words = join_pairs(shlex.split(form.command)[1:])
    assert words[:3] == ["run", str(CAMPAIGN), "runs/new.ipynb"]
    assert gather(describe(CAMPAIGN), [], [word for word in words[3:] if word != "-p"]) == changed
    file = form.write("here/params.yaml")
    assert gather(describe(CAMPAIGN), [file], []) == form.unchecked_values == {**describe(CAMPAIGN).defaults, **changed}
    assert form.values == {**form.unchecked_values, "engine": "isolated"}
    assert form.fill(structure=..., skin=...).unchecked_values["structure"] == "Cu"


def test_what_is_wrong_is_said_in_the_words_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    form = Form(CAMPAIGN).fill(steps=-1, supercell=[2, "a", 2], n_select=11, stps=3)
    unknown = form.problems
    assert unknown.others == (f"{CAMPAIGN} has no parameter 'stps'; did you mean 'steps'?",)
    form.fill(stps=...)
    found = form.problems
    assert set(found.by_name) == {"steps", "supercell"}
    assert "n_select must not exceed n_candidates, got 11 of 10" in found.others[0]
    assert main([*join_pairs(shlex.split(form.command)[1:])]) == 2
    said = capsys.readouterr().err
    for line in (*found.by_name.values(), *found.others):
        assert line in said
        assert line in repr(form)
    form.fill(tolerance="wide")  # refused before the others are looked at
    assert set(form.problems.by_name) == {"tolerance", "steps", "supercell"}
    for refused in (lambda: form.write("new/params.yaml"), form.start, lambda: form.values):
        with pytest.raises(ConfigError, match="tolerance must be of type float"):
            refused()
    assert list(tmp_path.iterdir()) == []


def test_a_run_outlives_who_started_it(tmp_path: Path) -> None:
    body = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.05)\nprint('begun', n, flush=True)"
    write(tmp_path / "n.ipynb", "n: int = 1", body)
    starter = "from acemaker.headless.form import Form\nprint(Form('n.ipynb', 'out/n.ipynb').fill(n=7).start().pid)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-W", "ignore", "-c", starter]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    process = psutil.Process(int(done.stdout))  # it goes on without its parent
    (tmp_path / "go").touch()
    with suppress(psutil.NoSuchProcess):
        assert psutil.wait_procs([process], timeout=120)[1] == []
    assert (tmp_path / "out/n.log").read_text().splitlines() == ["begun 7", "the executed notebook is out/n.ipynb"]
    assert (tmp_path / "out/n.ipynb").is_file()
    assert gather(describe("n.ipynb"), ["out/n.parameters.yaml"], []) == {"n": 7}
