"""Bytes of jobs and results, against what a C compiler would make of the structures."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.machine.hexagon.wire import check_fits, decode_result, encode_job
from hltune.values.cost import Counters
from hltune.values.errors import HltuneError, InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

RESULT_WORDS = 9
MESSAGE_BYTES = 256


def spec_of(inputs: tuple[BufferArgument | ScalarArgument, ...], *outputs: OutputArgument) -> PipelineSpec:
    return PipelineSpec(name="p", hlpipe=b"", inputs=inputs, outputs=outputs, funcs=())


def test_a_job_byte_by_byte() -> None:
    spec = spec_of(
        (
            BufferArgument(name="image", dtype="uint16", estimate=((3, 5), (-1, 2))),
            ScalarArgument(name="gain", dtype="float32", estimate=1.5),
        ),
        OutputArgument(name="output", dtypes=("bool",), estimate=((0, 130),), alignment=512),
    )
    image = np.arange(10, dtype=np.uint16).reshape(2, 5)
    rows = b"".join(row.tobytes().ljust(128, b"\0") for row in image)
    assert encode_job(spec, [image, 1.5], heap_limit_bytes=1000) == (
        b"HLTJ"
        + struct.pack("<2I", 1000, 3)
        + struct.pack("<5I", 1, 1 | 16 << 8, 2, 256, 1)
        + struct.pack("<6i", 3, 5, 1, -1, 2, 64)
        + rows
        + struct.pack("<If4x", 0, 1.5)
        + struct.pack("<5I", 2, 1 | 1 << 8, 1, 256, 512)
        + struct.pack("<3i", 0, 130, 1)
    )


def image(name: str, *extents: int) -> BufferArgument:
    return BufferArgument(name=name, dtype="uint16", estimate=tuple((0, extent) for extent in extents))


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ((image("large", 32768, 32768),), "large has 2147483648"),
        ((image("a", 32768, 32000), image("b", 32768, 32000)), "a has 2097152000, b has 2097152000"),
        (tuple(image(f"i{number}", 8) for number in range(64)), "65"),
    ],
)
def test_what_the_dsp_has_no_room_for_is_said_at_once(inputs: tuple[BufferArgument, ...], found: str) -> None:
    output = OutputArgument(name="o", dtypes=("uint8",), estimate=((0, 8),))
    with pytest.raises(InputError) as caught:
        check_fits(spec_of(inputs, output))
    assert found in str(caught.value.found) and caught.value.todo is not None
    check_fits(spec_of(inputs[:1] if len(inputs) == 2 else inputs[:63] if len(inputs) > 2 else (), output))


def test_each_element_of_a_tuple_counts() -> None:
    output = OutputArgument(name="o", dtypes=("int32", "uint8"), estimate=((0, 2**15), (0, 2**14)))
    with pytest.raises(InputError) as caught:
        check_fits(spec_of((), output))
    assert caught.value.found == f"o_0 has {2**31}, o_1 has {2**29}"


def result(outputs: bytes, *, code: int = 0, message: bytes = b"") -> bytes:
    words = struct.pack("<4sI7I", b"HLTR", code, 10, 20, 5, 2, 4096, 0, 0)
    return words + message.ljust(MESSAGE_BYTES, b"\0") + outputs


@given(
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int32", "float32", "int64", "bool"]),
    extents=st.lists(st.integers(1, 9), max_size=4),
)
def test_outputs_come_back_without_padding(dtype: str, extents: list[int]) -> None:
    spec = spec_of((), OutputArgument(name="o", dtypes=(dtype,), estimate=tuple((0, e) for e in extents)))
    shape = tuple(reversed(extents))
    written = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    sent = written.tobytes()
    if extents:
        padded = np.full((*shape[:-1], 128), 0xFF if dtype == "float32" else 0xA5, np.uint8)
        padded[..., : shape[-1] * written.itemsize] = written.view(np.uint8).reshape(*shape[:-1], -1)
        sent = padded.tobytes()
    found = decode_result(result(sent), spec)
    assert found.padding_intact
    assert found.counters == Counters(
        packets=10, instructions=20, hvx_instructions=5, allocations=2, peak_heap_bytes=4096
    )
    np.testing.assert_array_equal(found.outputs[0], written)
    assert found.outputs[0].shape == shape


def test_what_is_written_between_rows_shows() -> None:
    spec = spec_of((), OutputArgument(name="o", dtypes=("uint8",), estimate=((0, 100), (0, 2))))
    rows = np.full((2, 128), 0xA5, np.uint8)
    rows[:, :100] = 1
    assert decode_result(result(rows.tobytes()), spec).padding_intact
    rows[0, 100] = 1
    assert not decode_result(result(rows.tobytes()), spec).padding_intact


def test_errors_keep_their_message() -> None:
    found = decode_result(result(b"", code=2**32 - 4, message=b"access_out_of_bounds: image"), spec_of(()))
    assert (found.code, found.message) == (-4, "access_out_of_bounds: image")


@pytest.mark.parametrize("data", [b"", b"HLTR", result(b"x"), b"X" + result(b"")[1:]])
def test_what_is_no_result(data: bytes) -> None:
    with pytest.raises(HltuneError, match="did not write a result"):
        decode_result(data, spec_of(()))
