from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hltune.samples.rows import decode_spec, encode_spec
from hltune.samples.sample_file import SampleFile
from hltune.values.errors import InputError
from hltune.values.features import COLUMNS, Featurization
from hltune.values.pipeline import PipelineSpec
from hltune.values.sample import PipelineRecord
from hltune.values.unit import MILLISECONDS
from tests.samples.values import (
    MACHINE,
    OTHER_MACHINE,
    PIPELINE,
    SPEC,
    cost,
    featurization,
    featurizations,
    sample,
    specs,
)


@given(specs)
def test_specs_survive(spec: PipelineSpec) -> None:
    text = encode_spec(spec)
    json.loads(text, parse_constant=pytest.fail)  # JSON has no infinite numbers
    back = decode_spec(spec.name, text, spec.hlpipe)
    assert back == spec
    assert back.content_hash == spec.content_hash


def test_an_output_without_alignment_is_what_it_was() -> None:
    """Samples, and bundles on devices, are of the pipelines of older hltunes."""
    assert '"alignment"' not in encode_spec(SPEC).partition('"outputs"')[2]
    aligned = replace(SPEC, outputs=tuple(replace(each, alignment=256) for each in SPEC.outputs))
    assert SPEC.content_hash == aligned.content_hash, "the hlpipe has it, too"
    assert SPEC.content_hash.startswith("565d393128dd5cc9")
    assert decode_spec(SPEC.name, encode_spec(aligned), SPEC.hlpipe) == aligned


@given(featurizations)
def test_featurizations_survive(value: Featurization) -> None:
    data = value.to_halide()
    assert len(data) == 4 * COLUMNS * value.stages
    assert Featurization.from_halide(data) == value


@given(
    st.integers(1, 4).flatmap(
        lambda stages: arrays(
            "<f4", stages * COLUMNS, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
        )
    )
)
def test_any_finite_values_survive(values: np.ndarray) -> None:
    value = Featurization.from_halide(values.tobytes())
    assert value.to_halide() == values.tobytes()
    assert value == Featurization.from_halide(values.tobytes())
    assert value.stages == len(values) // COLUMNS


def test_columns_are_split_as_halide_has_them() -> None:
    data = np.arange(2 * COLUMNS, dtype="<f4").tobytes()
    value = Featurization.from_halide(data)
    assert value.stages == 2
    assert value.schedule_array()[1].tolist() == list(range(326, 365))
    assert value.pipeline_array()[0].tolist() == list(range(39, 326))


@given(st.binary(max_size=3000).filter(lambda data: len(data) % 1304 or not data))
@example(b"")
@example(bytes(1304 - 4))
@example(bytes(1304 + 1))
@example(bytes(2 * 1304 + 12))
def test_other_sizes_are_no_featurization(data: bytes) -> None:
    with pytest.raises(InputError, match=r"(?s)wrong size.*multiple of 1304 bytes"):
        Featurization.from_halide(data)


def test_other_values_are_no_featurization() -> None:
    with pytest.raises(InputError, match="not finite"):
        Featurization.from_halide(np.full(COLUMNS, np.nan, dtype="<f4").tobytes())
    value = featurization(1)
    with pytest.raises(InputError, match="do not fit"):
        Featurization(pipeline_features=value.pipeline_features, schedule_features=value.schedule_features[:-156])


@given(featurizations, st.floats(1e-9, 1e6), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_stock_samples_survive(value: Featurization, runtime_s: float, pipeline_id: int, schedule_id: int) -> None:
    stock = SampleFile(featurization=value, runtime_s=runtime_s, pipeline_id=pipeline_id, schedule_id=schedule_id)
    data = stock.encode()
    assert len(data) == 1304 * value.stages + 12
    back = SampleFile.decode(data)
    assert back == replace(stock, runtime_s=back.runtime_s)
    assert back.runtime_s == pytest.approx(runtime_s, rel=1e-6)
    assert back.encode() == data


@given(st.binary(max_size=2000))
def test_other_bytes_are_no_stock_sample(data: bytes) -> None:
    try:
        SampleFile.decode(data)
    except InputError:
        return
    assert len(data) == 1316


def test_identities() -> None:
    assert sample(1).schedule_hash == sample(1, when=5).schedule_hash != sample(2).schedule_hash
    unknown = replace(sample(1), schedule=None)
    assert unknown.schedule_hash == featurization(1).schedule_hash != sample(1).schedule_hash
    assert featurization(1).pipeline_hash == featurization(2).pipeline_hash
    assert featurization(1).pipeline_hash != featurization(1, pipeline_seed=1).pipeline_hash
    larger = featurization(1).to_halide()
    points = np.frombuffer(larger, dtype="<f4").reshape(-1, COLUMNS).copy()
    points[:, 5] *= 4
    assert Featurization.from_halide(points.tobytes()).pipeline_hash != featurization(1).pipeline_hash


def test_the_unit_of_a_machine_is_not_part_of_its_identity() -> None:
    counted = replace(MACHINE, unit=replace(MILLISECONDS, name="packets"))
    assert (counted, counted.key) == (MACHINE, MACHINE.key)
    assert replace(MACHINE, conditions="").key == "7bd921ed969b"  # as hltune 0.1.0 named its folders
    assert len({MACHINE.key, OTHER_MACHINE.key, replace(MACHINE, threads=3).key}) == 3


def test_a_machine_tells_what_it_was_before() -> None:
    machine = replace(MACHINE, conditions="third", former_conditions=("second", ""))
    assert machine == replace(machine, former_conditions=()) and MACHINE.former is None
    former = machine.former
    assert former == replace(MACHINE, conditions="second") and former is not None and former.former is not None
    assert former.former == replace(MACHINE, conditions="") and former.former.former is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(sample(1), pipeline_hash="blur"),
        lambda: replace(sample(1), schedule=None, featurization=None),
        lambda: replace(sample(1), measured_at_s=float("nan")),
        lambda: replace(sample(1), round=-1),
        lambda: PipelineRecord(hash="0" * 64, name="blur", spec=SPEC),
        lambda: replace(PIPELINE, hash=PIPELINE.hash.upper(), spec=None),
    ],
)
def test_invariants(make: object) -> None:
    with pytest.raises(InputError, match="not a sample"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "make", [lambda: cost(), lambda: cost(1.0, 0.0), lambda: cost(float("inf")), lambda: replace(MACHINE, threads=0)]
)
def test_invariants_of_costs_and_machines(make: object) -> None:
    with pytest.raises(InputError, match=r"not a (cost|machine)"):
        make()  # type: ignore[operator]


def test_what_is_given_is_a_part_of_the_conditions() -> None:
    for usual in (replace(MACHINE, former_conditions=("second", "")), replace(MACHINE, conditions="")):
        assert usual.with_given("") is usual and usual.given == ""
        given = usual.with_given("image=0123abcd, k=2")
        assert given.given == "image=0123abcd, k=2" and given.key != usual.key and given.former == usual
        assert given.former is not None and given.former.former_conditions == usual.former_conditions
        assert usual.given_under(given.conditions) == given.given
        assert usual.given_under(usual.conditions) == "" == usual.given_under("others")
        assert given.given_under(given.conditions) == ""
