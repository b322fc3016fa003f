"""`acemaker run` refuses invalid values before anything is started or written."""

from __future__ import annotations

import builtins
import fcntl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.cli import main
from acemaker.config.campaign import parameter_homes
from acemaker.errors import CampaignExistsError, CampaignLockedError, ConfigError, MissingLibraryError
from acemaker.headless.check import check_parameters
from acemaker.headless.command import join_pairs
from acemaker.headless.library import load_papermill
from acemaker.headless.notebook import describe
from acemaker.headless.parameters import gather

ROOT = Path(__file__).parents[2]
CAMPAIGN, BY_HAND = ROOT / "notebooks/otf_campaign.ipynb", ROOT / "notebooks/01_one_halt_by_hand.ipynb"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.chdir(tmp_path)


def write(path: Path, *sources: str, tag: str = "parameters", **metadata: Any) -> Path:
    """A notebook whose first cell holds the parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata.tags = [tag]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    path.write_text(nbformat.writes(notebook))
    return path


def check(notebook: Path, *words: str, parts: bool = False, **given: Any) -> Mapping[str, Any]:
    described = describe(notebook)
    return check_parameters(described, {**gather(described, [], words), **given}, parts=parts)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "stps=3"], "no parameter 'stps'; did you mean 'steps'?"),
        (["-p", "perturbation_scal=0.1"], "did you mean 'perturbation_scale'?"),
        (["-p", "steps=0"], "EngineConfig.steps: input should be greater than 0, got 0"),
        (["-p", "steps", "many"], "EngineConfig.steps: input should be a valid integer"),
        (["-p", "threshold_call_dft=30"], "threshold_call_dft=30, threshold_break=20"),
        (["-p", "hang_after=-1"], "EngineConfig.hang_after: input should be greater than 0, got -1"),
        (["-p", "pair_coeff=[]"], "the 'lammps' oracle needs pair_style and pair_coeff"),
        (["-p", "tolerance=wide"], "tolerance must be of type float, as declared in the notebook, got 'wide'"),
        (["-p", "9=steps"], "a parameter must have the form name=value, got '9=steps'"),
        (["-f", "missing.yaml"], "cannot read the parameters in missing.yaml"),
        (["-f", "list.yaml"], "list.yaml must contain a mapping of parameters by name"),
    ],
)
def test_a_wrong_parameter_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "list.yaml").write_text("[1, 2]")
    assert main(["run", str(CAMPAIGN), *words, "new/out.ipynb"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("acemaker run: ")
    assert "Traceback" not in printed.err + printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["list.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["structure=al.cif"], "SystemConfig.structure: 'al.cif' is neither a chemical symbol nor a file"),
        (["structure=Kupfer"], "'Kupfer' is neither a chemical symbol nor a file"),
        (["structure=Al"], "these coefficients are for Cu, but the structure contains Al; set pair_style and"),
        (["pair_coeff=* * Cu_mischin1.eam.alloy Cu"], "did you mean 'Cu_mishin1.eam.alloy'?"),
        (["pair_coeff=[* * Cu]"], "or a list of strings in quotes, ['* * Cu']"),
        (["pair_style=eam/aloy"], "'Unrecognized pair style 'eam/aloy'' for 'pair_style eam/aloy"),
        (["oracle=nosuchcode.ase:Calculator"], "there is no module 'nosuchcode' here"),
        (["oracle=emt", "structure=Fe", "crystal=bcc"], "the 'emt' oracle cannot label the initial structure"),
        (["lammps=no-such-lmp -x"], "EngineConfig.lammps: 'no-such-lmp -x' does not run"),
    ],
)
def test_what_a_campaign_would_miss_is_refused_without_a_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    given = [part for word in words for part in ("-p", word)]
    assert main(["run", str(CAMPAIGN), "new/out.ipynb", *given, "-p", "supercell=[2,2,2]"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "continues the campaign" not in err
    assert not list(tmp_path.iterdir())


def test_a_missing_program_is_refused_without_a_kernel(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tblite", None)
    monkeypatch.setitem(sys.modules, "tblite.ase", None)
    assert main(["run", str(CAMPAIGN), "new/out.ipynb", "-p", "oracle=tblite"]) == 2
    assert "pip install tblite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("create", "given"),
    [
        ("Campaign.create(directory, config, structure=mine)", {"structure": "al.cif"}),
        ("mine.write(structure)\nCampaign.create(directory, config)", {"structure": "al.cif"}),
        ("Campaign.create(directory, config, oracle=mine)", {"oracle": "nosuchcode:Calculator"}),
        ("import sys\nsys.path.append('..')\nCampaign.create(directory, config)", {"oracle": "nosuchcode:Calculator"}),
        ("Campaign.create(directory, config)\nCampaign.create(directory, config)", {"structure": "al.cif"}),
    ],
)
def test_parts_that_the_notebook_makes_are_left_to_it(tmp_path: Path, create: str, given: dict[str, str]) -> None:
    parameters = "structure: str = 'Cu'\noracle: str = 'emt'"
    notebook = write(tmp_path / "own.ipynb", parameters, "config = CampaignConfig.from_namespace(globals())", create)
    assert check(notebook, **given, parts=True) == {**given, "engine": "isolated"}


def test_a_module_in_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "minecode.py").touch()
    assert check(CAMPAIGN, "oracle=minecode:Calculator", parts=True)["engine"] == "isolated"
    with pytest.raises(ConfigError, match="no module 'nosuchcode'"):
        check(CAMPAIGN, "oracle=nosuchcode:Calculator", parts=True)


@pytest.mark.parametrize(
    ("notebook", "out", "said"),
    [
        ("missing.ipynb", "out.ipynb", "there is no notebook missing.ipynb"),
        ("text.ipynb", "out.ipynb", "cannot read text.ipynb as a notebook"),
        ("untagged.ipynb", "out.ipynb", "one code cell tagged 'parameters', it has 0"),
        ("julia.ipynb", "out.ipynb", "must be a Python notebook, its language is julia"),
        ("wrong.ipynb", "out.ipynb", "the parameters cell of wrong.ipynb is not Python, line 2"),
        ("good.ipynb", "good.ipynb", "would overwrite the notebook itself"),
        ("good.ipynb", "out.yaml", "must be a file that ends in .ipynb, got out.yaml"),
        ("good.ipynb", "good.ipynb/out.ipynb", "cannot create the folder of good.ipynb/out.ipynb"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], notebook: str, out: str, said: str
) -> None:
    (tmp_path / "text.ipynb").write_text("nothing")
    write(tmp_path / "untagged.ipynb", "x = 1", tag="other")
    write(tmp_path / "julia.ipynb", "x = 1", language_info={"name": "julia"})
    write(tmp_path / "wrong.ipynb", "x = 1\ny = = 2")
    write(tmp_path / "good.ipynb", "x = 1")
    before = sorted(tmp_path.iterdir())
    assert main(["run", notebook, out]) == 2
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_words_win_over_files_and_later_files_over_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("steps: 100\nseed: 1\nn_select: 1")
    (tmp_path / "b.yaml").write_text("seed: 2\nn_select: 2")
    (tmp_path / "empty.yaml").write_text("# nothing")
    given = gather(describe(CAMPAIGN), ["a.yaml", "b.yaml", "empty.yaml"], ["n_select=3"])
    assert given == {"steps": 100, "seed": 2, "n_select": 3}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("temperature=[300, 900]", [300, 900]),
        ("composition={Cu: 0.5, Ni: 0.5}", {"Cu": 0.5, "Ni": 0.5}),
        ("lattice_constant=null", None),
        ("timestep=1e-1", 0.1),
        ("structure=No", "No"),
        ("structure='Cu'", "Cu"),
        ("directory=2026", "2026"),
        ("ensemble=nvt", "nvt"),
        ("lammps=mpiexec -n 4 lmp", "mpiexec -n 4 lmp"),
        ("pair_coeff=* * Cu=1.eam Cu", "* * Cu=1.eam Cu"),
    ],
)
def test_a_value_is_yaml_unless_the_parameter_is_text(word: str, value: object) -> None:
    assert gather(describe(CAMPAIGN), [], [word]) == {word.partition("=")[0]: value}


def test_papermills_two_words_are_one() -> None:
    words = ["run", "a.ipynb", "-p", "seed", "2", "-p", "steps=3", "out.ipynb", "-p", "pressure", "[-1, 0]", "-p", "x"]
    assert join_pairs(words) == [
        *("run", "a.ipynb", "-p", "seed=2", "-p", "steps=3", "out.ipynb", "-p", "pressure=[-1, 0]", "-p", "x")
    ]


def test_a_campaign_takes_parameters_that_its_notebook_does_not_list() -> None:
    assert "skin" not in describe(CAMPAIGN).types
    assert check(CAMPAIGN, "skin=0.5") == {"skin": 0.5, "engine": "isolated"}


def test_a_notebook_that_would_not_see_them_does_not() -> None:
    assert check(BY_HAND, "steps=100") == {"steps": 100}
    with pytest.raises(ConfigError, match="no parameter 'cutoff'; it accepts only directory, seed, steps"):
        check(BY_HAND, "cutoff=4")
    with pytest.raises(ConfigError, match=r"EngineConfig\.steps"):
        check(BY_HAND, "steps=0")


def test_a_notebook_without_a_campaign(tmp_path: Path) -> None:
    source = (
        "%matplotlib inline\nn: int = 1\nx: float | None = None\nname = 'a=b'\nmany: 'list[int]' = [1]\nfree = n + 1"
    )
    notebook = write(tmp_path / "plain.ipynb", source, "print(n)")
    described = describe(notebook)
    assert described.defaults == {"n": 1, "x": None, "name": "a=b", "many": [1]}
    assert not described.is_campaign
    given: dict[str, Any] = {"n": 2, "x": 3, "name": "c", "many": [2], "free": "anything"}
    assert check(notebook, **given) == given
    assert check(notebook, x=None) == {"x": None}
    wrong: Any
    for name, wrong in [("n", 1.5), ("n", True), ("x", "far"), ("name", 1), ("many", {}), ("free", object())]:
        with pytest.raises(ConfigError, match=f"{name} must be"):
            check(notebook, **{name: wrong})
    with pytest.raises(ConfigError, match="no parameter 'seed'; it accepts only n, x"):
        check(notebook, seed=1)


def test_what_only_the_notebook_knows_is_left_to_it(tmp_path: Path) -> None:
    use = "config = acemaker.CampaignConfig.from_namespace(globals())"
    notebook = write(tmp_path / "own.ipynb", "steps: int = 10\npair_style: str = ''.join(['eam'])", use)
    assert check(notebook, steps=20) == {"steps": 20, "engine": "isolated"}
    notebook = write(tmp_path / "later.ipynb", "steps: int = 10\nengine: str = 'inprocess'", "pair_coeff = ['x']", use)
    assert check(notebook, steps=20) == {"steps": 20}
    with pytest.raises(ConfigError, match=r"EngineConfig\.steps"):
        check(notebook, steps=-20)


def test_a_campaign_that_exists_keeps_its_engine_and_no_other_is_mixed_with_it(tmp_path: Path) -> None:
    defaults = {name: value for name, value in describe(CAMPAIGN).defaults.items() if name in parameter_homes()}
    here = str(tmp_path / "runs")
    Campaign.create(here, CampaignConfig.from_parameters({**defaults, "supercell": [2, 2, 2], "cutoff": 4.5})).close()
    again: dict[str, Any] = {"directory": here, "supercell": [2, 2, 2], "cutoff": 4.5}
    assert check(CAMPAIGN, **again) == {**again, "engine": "inprocess"}
    assert check(CAMPAIGN, **again, max_otf_iterations=200)["engine"] == "inprocess"
    with pytest.raises(CampaignExistsError, match=r"otf\.n_select: 1 -> 2"):
        check(CAMPAIGN, **again, n_select=2)
    with pytest.raises(CampaignExistsError) as refused:
        check(CAMPAIGN, **again, n_select=2)
    message = str(refused.value)
    assert "to create a new campaign, add -p directory=runs/NAME (OUT names only the executed notebook)" in message
    assert "Campaign.open" not in message
    with pytest.raises(ConfigError, match=r"'al.cif' is neither a chemical symbol nor a file"):
        check(CAMPAIGN, **again, structure="al.cif", parts=True)
    with pytest.raises(CampaignExistsError, match="engine: 'inprocess' -> 'isolated'"):
        check(CAMPAIGN, **again, engine="isolated")
    with (tmp_path / "runs/lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(CampaignLockedError, match=r"another process has the campaign in .* open"):
            check(CAMPAIGN, **again)


def test_help_is_there_at_once() -> None:
    code = (
        "import sys\nfrom acemaker.cli import main\ntry:\n    main(['run', '--help'])\nexcept SystemExit:\n"
        "    print([name for name in ('papermill', 'nbformat', 'numpy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "exit status: 0 done" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_papermill_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fake(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "papermill":
            raise ImportError("No module named 'papermill'")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", fake)
    load_papermill.cache_clear()
    with pytest.raises(MissingLibraryError, match=r"pip install 'papermill>=2.6'"):
        load_papermill()
    load_papermill.cache_clear()


def test_what_may_fit_with_another_cell_is_left_to_the_notebook(tmp_path: Path) -> None:
    body = "acemaker.CampaignConfig.from_parameters({'threshold_call_dft': call, 'threshold_break': 2 * call})"
    parameters = "threshold_call_dft: float = 500.0"  # above the default of threshold_break
    own = write(tmp_path / "own.ipynb", parameters, body)
    assert check(own, threshold_call_dft=300.0) == {"threshold_call_dft": 300.0}
    with pytest.raises(ConfigError, match=r"OTFConfig\.threshold_call_dft: input should be greater than 0"):
        check(own, threshold_call_dft=-1.0)
    whole = write(tmp_path / "whole.ipynb", f"{parameters}\noracle: str = 'emt'", "C.from_namespace(globals())")
    with pytest.raises(ConfigError, match="thresholds must satisfy"):
        check(whole)
