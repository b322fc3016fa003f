"""Toys and contracts that are shipped for the tests of users' own components."""

from __future__ import annotations

import subprocess
import sys

import pytest

from acemaker import testing


def test_toys_need_no_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config\n"
        "import acemaker.testing\n"
        "try:\n    acemaker.testing.EngineContract\n"
        "except ImportError as error:\n    print('pytest' in str(error))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


def test_all_names_are_there() -> None:
    assert all(getattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match=r"module 'acemaker\.testing' has no attribute 'Nothing'"):
        testing.Nothing  # noqa: B018
