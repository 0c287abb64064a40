from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.pipeline.serialized import VERSION, SerializedOutput, read_pipeline
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec
from tests.pipeline.conftest import Load


@pytest.fixture(scope="module")
def spec(load: Load) -> PipelineSpec:
    return load("blur_function.py")


def test_reads_outputs_and_their_estimates(spec: PipelineSpec) -> None:
    found = read_pipeline(spec.hlpipe, where="blur")
    output = SerializedOutput(name="output", estimates=((0, 192), (0, 128)), images=("output",))
    assert found.outputs == (output,)


def test_the_version_is_that_of_this_halide(spec: PipelineSpec) -> None:
    assert VERSION.encode() in spec.hlpipe


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.25, 0.5, 0.75, 0.999])
def test_a_truncated_file_is_damaged(spec: PipelineSpec, fraction: float) -> None:
    with pytest.raises(InputError, match="damaged file") as caught:
        read_pipeline(spec.hlpipe[: int(len(spec.hlpipe) * fraction)], where="cut.hlpipe")
    assert "cut.hlpipe" in str(caught.value)


def test_another_version(spec: PipelineSpec) -> None:
    data = spec.hlpipe.replace(VERSION.encode(), b"17.0.0")
    with pytest.raises(InputError) as caught:
        read_pipeline(data, where="old.hlpipe")
    assert "old.hlpipe: another version of Halide wrote this file" in str(caught.value)
    assert "expected: serialization version 18.0.1" in str(caught.value)
    assert "found: version '17.0.0'" in str(caught.value)


@given(st.binary())
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_pipeline(data, where="noise")


@given(st.data())
def test_a_damaged_byte_is_refused_or_harmless(spec: PipelineSpec, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(spec.hlpipe) - 1))
    value = data.draw(st.integers(0, 255))
    damaged = spec.hlpipe[:position] + bytes([value]) + spec.hlpipe[position + 1 :]
    try:
        read_pipeline(damaged, where="damaged")
    except InputError:
        return


def test_a_file_needs_estimates_of_its_inputs_only(load: Load, spec: PipelineSpec, tmp_path: Path) -> None:
    file = tmp_path / "blur.hlpipe"
    file.write_bytes(spec.hlpipe)
    with pytest.raises(InputError) as caught:
        load(file)
    assert "none for input input (dimension 0, 1 of 2), scalar gain\n" in str(caught.value)
    loaded = load(file, estimates=("input=192x128", "gain=0.125"))
    assert loaded.content_hash == spec.content_hash
    assert loaded.name == "blur"


def test_a_truncated_file_does_not_reach_halide(load: Load, spec: PipelineSpec, tmp_path: Path) -> None:
    file = tmp_path / "blur.hlpipe"
    file.write_bytes(spec.hlpipe[:5000])
    with pytest.raises(InputError, match="damaged file"):
        load(file)
