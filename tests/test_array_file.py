from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acemaker.array_file import read_arrays, write_arrays

ARRAYS = {"forces": np.arange(12.0).reshape(4, 3), "what": np.asarray("a label"), "none": np.zeros((0, 3))}


def test_arrays_come_back(tmp_path: Path) -> None:
    write_arrays(tmp_path / "one.npz", ARRAYS)
    read = read_arrays(tmp_path / "one.npz")
    assert read is not None
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(read[name], array)
        assert read[name].shape == array.shape
    assert [file.name for file in tmp_path.iterdir()] == ["one.npz"]


def test_nothing_is_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "one.npz", {"object": np.array([{}])})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "pickled.npz", what=np.array([{}]), checksum=np.asarray("x0"))
    assert read_arrays(tmp_path / "pickled.npz") is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_changed_file_is_whole_or_nothing(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "one.npz"
    write_arrays(file, ARRAYS)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    file.write_bytes(content)
    read = read_arrays(file)
    assert read is None or all(np.array_equal(read[name], array) for name, array in ARRAYS.items())
