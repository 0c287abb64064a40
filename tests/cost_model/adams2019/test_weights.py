from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.cost_model.adams2019.weights import (
    SHAPES,
    builtin_weights,
    decode_weights,
    encode_weights,
    random_weights,
    read_weights,
    weights_hash,
    write_weights,
)
from hltune.runtime import halide_wheel
from hltune.values.errors import InputError


def builtin() -> bytes:
    """The weights that the plugin carries: a file that we did not write."""
    library = halide_wheel.plugin_path("Adams2019").read_bytes()
    start = library.index(struct.pack("<III", 0x68776631, 3, 3))
    return library[start : start + 17136]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "my.weights"
    file.write_bytes(builtin())
    return file


def changed(path: Path, offset: int, data: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_weights(path)
    return str(caught.value)


def test_builtin_weights_are_read(path: Path) -> None:
    weights = read_weights(path)
    assert {name: values.shape for name, values in weights.items()} == SHAPES
    assert sum(values.size for values in weights.values()) == 4264
    # The first dimension varies fastest: the second number of the first buffer is [1, 0, 0].
    (second,) = struct.unpack_from("<f", builtin(), 16 + 4 + 12 + 4)
    assert weights["head1_filter"][1, 0, 0] == np.float32(second)


@pytest.mark.parametrize(
    ("offset", "data", "text"),
    [
        (0, b"\0\0\0\0", "magic number"),
        (4, struct.pack("<I", 2), "version of the pipeline features"),
        (8, struct.pack("<I", 4), "version of the schedule features"),
        (12, struct.pack("<I", 5), "number of buffers"),
        (16, struct.pack("<I", 2), "number of dimensions of head1_filter"),
        (20, struct.pack("<I", 9), "extent of dimension 0 of head1_filter"),
        (32, struct.pack("<f", float("nan")), "head1_filter holds values that are not finite"),
        (17132, struct.pack("<f", float("inf")), "trunk_bias holds values that are not finite"),
    ],
)
def test_damage_is_named(path: Path, offset: int, data: bytes, text: str) -> None:
    message = error_of(changed(path, offset, data))
    assert text in message
    assert str(path) in message
    assert "expected" in message and "found" in message


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in error_of(tmp_path / "none.weights")


def test_trailing_bytes(path: Path) -> None:
    path.write_bytes(builtin() + b"x")
    assert "17137 bytes" in error_of(path)


@given(st.integers(0, 17135))
def test_truncation_is_an_error(length: int) -> None:
    with pytest.raises(InputError, match="ends within"):
        decode_weights(builtin()[:length], where="file")


@given(st.binary(max_size=200))
def test_junk_is_an_error(data: bytes) -> None:
    with pytest.raises(InputError):
        decode_weights(data, where="file")


def test_builtin_file_survives_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "copy.weights"
    write_weights(path, decode_weights(builtin(), where="plugin"))
    assert path.read_bytes() == builtin()
    assert encode_weights(builtin_weights()) == builtin()
    assert list(path.parent.iterdir()) == [path]


def test_random_start() -> None:
    first, again, other = (random_weights(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert weights_hash(first) == weights_hash(again) != weights_hash(other)
    values = np.concatenate([values.ravel() for values in first.values()])
    assert -0.5 <= values.min() < -0.49 and 0.49 < values.max() < 0.5
    assert decode_weights(encode_weights(first), where="file").keys() == SHAPES.keys()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    weights = builtin_weights()
    with pytest.raises(InputError, match="not finite in trunk_bias"):
        encode_weights({**weights, "trunk_bias": np.full(32, np.nan, dtype=np.float32)})
    with pytest.raises(InputError, match="not the buffers"):
        encode_weights({**weights, "trunk_bias": np.zeros(31, dtype=np.float32)})
    with pytest.raises(InputError, match="cannot write here"):
        write_weights(Path("/dev/null/my.weights"), weights)
    (tmp_path / "folder.weights").mkdir()
    with pytest.raises(InputError, match="cannot write here"):
        write_weights(tmp_path / "folder.weights", weights)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.weights"]
