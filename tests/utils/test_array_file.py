from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acemaker.utils.array_file import read_arrays, write_arrays

HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

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
    with pytest.raises(TypeError, match="Python objects in object"):
        write_arrays(tmp_path / "one.npz", {"object": np.array([{}])})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "pickled.npz", what=np.array([{}]), checksum=np.asarray("x0"))
    assert read_arrays(tmp_path / "pickled.npz") is None


def test_a_changed_head_of_a_large_array_is_nothing(tmp_path: Path) -> None:
    """NumPy reads it before the checksum is computed."""
    file = tmp_path / "one.npz"
    write_arrays(file, {"forces": np.zeros((300, 3))})
    content = file.read_bytes()
    head = content.index(b"NUMPY")
    for position in range(head, head + 128):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            file.write_bytes(bytes(changed))
            assert read_arrays(file) is None


@settings(max_examples=60, suppress_health_check=HEALTH, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_whole_or_nothing(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "one.npz"
    write_arrays(file, ARRAYS)
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[position:]
    file.write_bytes(content)
    read = read_arrays(file)
    assert read is None or all(np.array_equal(read[name], array) for name, array in ARRAYS.items())
