"""A wheel that is installed outside the checkout contains the notebooks and runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from acemaker.headless.shipped import PARAMETERS, shipped
from tests.executed import ROOT

pytestmark = pytest.mark.slow

FAST = {
    "steps": 100,
    "supercell": "[2, 2, 2]",
    "n_functions": 30,
    "cutoff": 4.5,
    "temperature": "[300, 600]",
    "directory": "runs/cu",
}


def call(*words: object, cwd: Path, status: int = 0) -> str:
    """Run a command that does not see the checkout, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == status, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def build(source: Path, folder: Path) -> Path:
    """Build a wheel offline, with the build backend that is installed for the tests."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    call(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, source, cwd=folder.parent)
    (wheel,) = folder.glob("acemaker-*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which takes only the dependencies from the tests' environment."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build(ROOT, folder / "wheels")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    call(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel),
        cwd=folder,
    )
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # .pth files in a folder that is itself added by one are ignored, in particular the one that points to the checkout
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where, version = call(
        python, "-c", "import acemaker as a; print(a.__file__); print(a.__version__)", cwd=folder
    ).split()
    assert Path(where) == site / "acemaker" / "__init__.py"
    assert version == wheel.name.split("-")[1]
    assert str(ROOT) not in call(python, "-c", "import sys; print(sys.path)", cwd=folder).replace(sys.prefix, "")
    return folder / "env" / "bin"


def test_a_short_campaign_runs_from_a_wheel_alone(environment: Path, tmp_path: Path) -> None:
    words = [word for name, value in FAST.items() for word in ("-p", f"{name}={value}")]
    out = call(environment / "acemaker", "run", "otf_campaign", "out.ipynb", *words, cwd=tmp_path)
    summary = json.loads((tmp_path / "runs" / "cu" / "summary.json").read_text())
    assert summary["state"] == "DONE"
    assert summary["steps"] == 100
    assert "out.ipynb" in out
    assert "Traceback" not in (tmp_path / "out.ipynb").read_text()


def test_the_notebooks_are_copied_out_of_a_wheel(environment: Path, tmp_path: Path) -> None:
    acemaker = environment / "acemaker"
    assert "wrote mine/otf_campaign.ipynb" in call(acemaker, "notebooks", "mine", cwd=tmp_path)
    sources = {path.relative_to(ROOT / "notebooks") for path in (*shipped().values(), *shipped(PARAMETERS).values())}
    copies = {path.relative_to(tmp_path / "mine") for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    assert copies == sources
    for path in sources:
        assert (tmp_path / "mine" / path).read_bytes() == (ROOT / "notebooks" / path).read_bytes()
    (tmp_path / "mine" / "otf_campaign.ipynb").write_text("mine")
    assert "otf_campaign.ipynb; no files were written" in call(acemaker, "notebooks", "mine", cwd=tmp_path, status=2)
    assert "workshop/3_a_campaign" in call(acemaker, "notebooks", cwd=tmp_path)
    assert "otf_campaign" in call(acemaker, "run", "nothing", "out.ipynb", cwd=tmp_path, status=2)


def test_files_without_git_have_a_version_all_the_same(tmp_path: Path) -> None:
    source = tmp_path / "archive"
    source.mkdir()
    for name in ("acemaker", "notebooks", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    fallback = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["fallback-version"]
    assert build(source, tmp_path / "wheels").name == f"acemaker-{fallback}-py3-none-any.whl"
