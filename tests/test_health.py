from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acemaker import doctor
from acemaker import health as health_module
from acemaker.cli import main
from acemaker.health import Health
from acemaker.lammps.executable import native_command
from acemaker.widgets.viewer import nglview_library

EVERYTHING = ["Python", "LAMMPS library", "pyace", "ase", "papermill", "nglview", "lmp", "oracle pw.x", "preflight"]


@pytest.fixture(scope="module")
def health() -> Health:
    return doctor()


def test_it_looks_at_everything_and_finds_a_working_installation(health: Health) -> None:
    named = {finding.name: finding for finding in health.findings}
    assert set(EVERYTHING) <= set(named)
    assert health.healthy, repr(health)
    assert "GPL-2.0" in named["LAMMPS library"].details
    assert "ML-PACE" in named["LAMMPS library"].details
    assert "Academic Software License" in named["pyace"].details
    assert "forces" in named["preflight"].details
    assert "eV/Å" in named["preflight"].details


def test_a_lammps_with_ml_pace_gets_a_preflight_of_its_own(
    tmp_path: Path, native_lammps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "lmp"
    wrapper.write_text(f'#!/bin/sh\nexec {native_lammps} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("ACEMAKER_LMP", str(wrapper))
    native_command.cache_clear()
    findings = doctor().findings
    native_command.cache_clear()
    named = {finding.name: finding for finding in findings}
    assert any("with ML-PACE" in finding.details for finding in findings if finding.name == "lmp")
    assert named["preflight of lmp"].status == "ok"
    assert "forces" in named["preflight of lmp"].details


def test_the_command_prints_it(health: Health) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "acemaker"), "doctor"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "acemaker can run campaigns here" in done.stdout
    with pytest.raises(SystemExit):
        main([])


def test_what_is_missing_comes_with_its_remedy() -> None:
    code = (
        "import sys; sys.modules['pyace'] = None\n"
        "import acemaker; health = acemaker.doctor(); print(health.healthy); print(health)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False\n")
    assert "cannot run campaigns here yet" in done.stdout
    assert "pip install python-ace==0.4.0rc1" in done.stdout


@pytest.mark.skipif(shutil.which("pw.x") is None, reason="no pw.x: apt-get install quantum-espresso")
def test_quantum_espresso_says_its_version(health: Health, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {finding.name: finding for finding in health.findings}
    assert re.search(r"pw\.x, version \d+\.\d+\S*; (\d+|no) pseudopotentials", named["oracle pw.x"].details)
    assert named["oracle tblite"].status in ("ok", "missing")
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(tmp_path / "nowhere"))
    assert "no pseudopotentials: ESPRESSO_PSEUDO: there is no folder" in health_module._espresso().details
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "pw.x").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pw.x").chmod(0o755)
    assert health_module._espresso().status == "missing"


def test_nglviews_two_halves_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "share/jupyter/labextensions/nglview-js-widgets/package.json"
    package.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(nglview_library, "version", lambda name: "4.0.1")
    package.write_text('{"version": "3.1.5"}')
    assert "pip install nglview==3.1.4" in health_module._nglview().details
    monkeypatch.setattr(nglview_library, "version", lambda name: "3.1.4")
    assert health_module._nglview().status == "missing"
    package.write_text('{"version": "3.1.4"}')
    assert health_module._nglview().status == "ok"
