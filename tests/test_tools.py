"""The script that builds LAMMPS: what it recognizes, refuses and replaces, and what its result does on two ranks."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ase.io import write

from acemaker.potentials.generation import Generation
from tests.conftest import copper, rattled

SCRIPT = Path(__file__).parents[1] / "tools" / "build_lammps"


def load() -> ModuleType:
    spec = spec_from_loader("build_lammps", SourceFileLoader("build_lammps", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool: Any = load()


@pytest.fixture(autouse=True)
def _no_other_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPICXX", raising=False)


def put(folder: Path, *, says: str = "pace/extrapolation", stamp: object = None) -> Path:
    """Put a program into a folder that stands for a build of LAMMPS."""
    (folder / "bin").mkdir(parents=True)
    lmp = folder / "bin/lmp"
    lmp.write_text(f"#!/bin/sh\necho {says}\n")
    lmp.chmod(0o755)
    (folder / tool.STAMP).write_text(json.dumps(tool.make_recipe() if stamp is None else stamp))
    return folder


def command(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)], env=os.environ | variables, capture_output=True, text=True
    )


def test_the_requested_build_is_recognized_and_kept(tmp_path: Path) -> None:
    folder = put(tmp_path / "lammps")
    assert command("--check", folder).returncode == 0
    done = command(folder)  # which would take minutes, if it built anything
    assert done.returncode == 0, done.stderr
    assert f"export ACEMAKER_LMP={folder}/bin/lmp" in done.stdout
    assert f"lammps: {folder}/bin/mpiexec -n 4 {folder}/bin/lmp" in done.stdout


def test_any_other_build_is_told_apart(tmp_path: Path) -> None:
    recipe = tool.make_recipe()
    assert tool.find_difference(tmp_path, recipe) == f"there is no LAMMPS in {tmp_path}"
    without = put(tmp_path / "without")
    (without / tool.STAMP).unlink()
    assert "not built by this script" in tool.find_difference(without, recipe)
    older = put(tmp_path / "older", stamp={**recipe, "release": "29Aug2024", "mpi": "none"})
    assert "has other settings (release, mpi)" in tool.find_difference(older, recipe)
    assert "has other settings (an unknown one)" in tool.find_difference(
        put(tmp_path / "more", stamp={**recipe, "gpu": 1}), recipe
    )
    assert "has other settings" in tool.find_difference(put(tmp_path / "odd", stamp=[]), recipe)
    broken = put(tmp_path / "broken", says="no such library")
    assert "does not list pair_style pace/extrapolation" in tool.find_difference(broken, recipe)
    done = command("--check", older)
    assert done.returncode == 1
    assert "release, mpi" in done.stdout


def test_another_mpi_is_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tool.make_recipe()
    for name in ("mpicxx.mpich", "mpiexec.mpich", "mpiexec"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("MPICXX", str(tmp_path / "mpicxx.mpich"))
    theirs = tool.make_recipe()
    assert theirs != ours
    assert tool.find_mpiexec(tmp_path, theirs) == str(tmp_path / "mpiexec.mpich")
    assert tool.find_mpiexec(tmp_path, {"mpi": str(tmp_path / "CC")}) == str(tmp_path / "mpiexec")
    assert tool.find_mpiexec(tmp_path, ours) == str(tmp_path / "bin/mpiexec")
    done = command(tmp_path / "lammps", MPICXX="no-such-compiler")
    assert done.returncode == 1
    assert "there is no program MPICXX=no-such-compiler" in done.stderr


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "lammps.tar.gz"
    archive.write_bytes(b"changed on its way")
    done = command(tmp_path / "lammps", "--source", archive)
    assert done.returncode == 1
    assert f"the SHA-256 of {archive} is neither that of https://" in done.stderr
    assert not (tmp_path / "lammps").exists()


def test_a_download_with_another_checksum_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(part: Path) -> None:
        part.write_text("an error page")

    def right(part: Path) -> None:
        part.write_text("the archive")

    monkeypatch.setattr(tool, "download_upstream", wrong)
    monkeypatch.setattr(tool, "download_from_debian", wrong)
    with pytest.raises(tool.BuildError, match=r"the SHA-256 of patch_\w+\.tar\.gz is not .*--source FILE"):
        tool.fetch_lammps(tmp_path, None)
    right(tmp_path / "archive")
    monkeypatch.setattr(tool, "download_from_debian", right)
    monkeypatch.setattr(tool, "DEBIAN_SHA256", tool.checksum(tmp_path / "archive"))
    found = tool.fetch_lammps(tmp_path, None)
    assert found.read_text() == "the archive"
    monkeypatch.setattr(tool, "download_from_debian", wrong)
    assert tool.fetch_lammps(tmp_path, None) == found  # a second time, nothing is downloaded


def test_a_new_build_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    old, new = put(tmp_path / "lammps", stamp={}), put(tmp_path / "lammps.new")
    (old / "rest").write_text("")
    tool.replace_folder(new, old)
    assert tool.find_difference(old, tool.make_recipe()) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lammps"]
    with pytest.raises(FileNotFoundError):
        tool.replace_folder(new, old)  # there is no new one: the old one stays
    assert tool.find_difference(old, tool.make_recipe()) == ""


def test_of_two_builds_the_second_waits_for_the_first(tmp_path: Path) -> None:
    folder = put(tmp_path / "lammps")
    with (tmp_path / "lammps.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = [sys.executable, "-u", str(SCRIPT), str(folder)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout is not None
            assert "waiting for another build" in second.stdout.readline()
            assert second.poll() is None
            fcntl.flock(held, fcntl.LOCK_UN)
            assert "use it with" in second.stdout.read()
            assert second.wait() == 0


def test_two_ranks_share_the_atoms_and_compute_the_same(
    tmp_path: Path, native_lammps: str, copper_generation: Generation
) -> None:
    """Through the launcher that lies beside LAMMPS, or else the one on the path."""
    lmp = Path(shlex.split(native_lammps)[-1])
    beside = lmp.with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("no mpiexec: make lammps")
    (atoms,) = rattled(copper(3), 1, scale=0.05)
    write(tmp_path / "start.data", atoms, format="lammps-data", specorder=["Cu"])
    text = ["units metal", "read_data start.data", "mass 1 63.546"]
    text += ["pair_style pace", f"pair_coeff * * {copper_generation.yace} Cu", "run 0"]
    text += ["write_dump all custom forces id fx fy fz modify sort id format float %.17g"]
    (tmp_path / "in.forces").write_text("\n".join(text) + "\n")
    forces = []
    for ranks in (1, 2):
        words = [mpiexec, "-n", str(ranks), *shlex.split(native_lammps), "-in", "in.forces", "-log", "none"]
        environment = os.environ | tool.OPEN_MPI
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        assert re.search(rf"on {ranks} procs? for 0 steps with {len(atoms)} atoms", done.stdout), done.stdout[-2000:]
        forces.append(np.loadtxt(tmp_path / "forces", skiprows=9)[:, 1:])
    assert np.abs(forces[0]).max() > 0.1
    assert np.abs(forces[0] - forces[1]).max() < 1e-10
