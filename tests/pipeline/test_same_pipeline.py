"""One pipeline from every kind of source: the same results, the same schedule, the same identity."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import Source
from hltune.values.pipeline import BufferArgument, PipelineSpec, ScalarArgument
from tests.loading import fresh
from tests.pipeline.conftest import Load
from tests.pipeline.jobs import Behaviour, Observe


@cache
def observe(spec: PipelineSpec) -> Behaviour:
    return fresh(Observe(spec))


@pytest.fixture(scope="module")
def specs(load: Load, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PipelineSpec]:
    found = {
        f"{name} {kind}": load(f"{name}{ending}", checked=False)
        for name in ("blur", "sums")
        for kind, ending in (("generator", "_generator.py"), ("function", "_function.py"), ("cpp", ".cpp"))
    }
    for name, estimates in [("blur", ("input=192x128", "gain=0.125")), ("sums", ("input=32x24",))]:
        file = tmp_path_factory.mktemp("hlpipe") / f"{name}.hlpipe"
        file.write_bytes(found[f"{name} cpp"].hlpipe)
        found[f"{name} hlpipe"] = load(file, estimates=estimates, checked=False)
    return found


@pytest.mark.parametrize("name", ["blur", "sums"])
def test_every_source_behaves_alike(specs: dict[str, PipelineSpec], name: str) -> None:
    kinds = ("generator", "function", "cpp", "hlpipe")
    behaviours = [observe(specs[f"{name} {kind}"]) for kind in kinds]
    assert any(behaviours[0].outputs[0]), "the output must not be all zeros"
    assert "compute_" in behaviours[0].schedule_source or "vectorize" in behaviours[0].schedule_source
    for behaviour in behaviours[1:]:
        assert behaviour == behaviours[0]


def test_results_are_right(specs: dict[str, PipelineSpec]) -> None:
    spec = specs["sums cpp"]
    image = np.random.default_rng(1).integers(0, 200, (24, 32), np.int32)
    expected = np.cumsum(image.sum(axis=0, dtype=np.int32), dtype=np.int32)
    assert observe(spec).outputs == (expected.tobytes(),)


def test_inputs_stand_in_declared_order(specs: dict[str, PipelineSpec]) -> None:
    expected = (
        BufferArgument(name="input", dtype="uint8", estimate=((0, 192), (0, 128))),
        BufferArgument(name="unused", dtype="uint16", estimate=((0, 8),)),
        ScalarArgument(name="gain", dtype="float32", estimate=0.125),
    )
    assert specs["blur generator"].inputs == expected
    assert specs["blur cpp"].inputs == expected
    assert specs["blur function"].inputs == (expected[0], expected[2])
    assert specs["blur hlpipe"].inputs == (expected[0], expected[2])


def test_names_for_people(specs: dict[str, PipelineSpec]) -> None:
    assert specs["blur generator"].name == "blur"
    assert [func.name for func in specs["sums cpp"].funcs] == ["input_im", "total", "output"]


@pytest.mark.parametrize("file", ["blur_generator.py", "blur_function.py", "blur.cpp"])
def test_identity_is_stable_in_fresh_workers(specs: dict[str, PipelineSpec], load: Load, file: str) -> None:
    key = {"blur.cpp": "blur cpp"}.get(file, file.removesuffix(".py").replace("_", " "))
    assert load(file, environment={}).content_hash == specs[key].content_hash


def test_estimates_are_part_of_the_identity(load: Load, specs: dict[str, PipelineSpec]) -> None:
    small = load("sums_function.py", estimates=("input=16x12", "output=16"))
    assert small.hlpipe == specs["sums function"].hlpipe
    assert small.content_hash != specs["sums function"].content_hash


def test_an_overriding_estimate_is_the_one_that_counts(load: Load, specs: dict[str, PipelineSpec]) -> None:
    """The serialized pipeline still holds the old one."""
    large = load("blur_function.py", estimates=("input=1920x1280", "output=1920x1280"))
    moved = replace(specs["blur function"], inputs=large.inputs, outputs=large.outputs)
    assert observe(large).schedule_source == observe(moved).schedule_source
    assert observe(large).schedule_source != observe(specs["blur function"]).schedule_source


@pytest.mark.parametrize("file", ["blur_generator.py", "blur_function.py", "blur.cpp"])
def test_parameters_change_the_algorithm(load: Load, specs: dict[str, PipelineSpec], file: str) -> None:
    key = {"blur.cpp": "blur cpp"}.get(file, file.removesuffix(".py").replace("_", " "))
    changed = load(file, p=("radius_is_one=false", "shift=1"), checked=False)
    assert changed.hlpipe != specs[key].hlpipe
    function = load("blur_function.py", p=("radius_is_one=0", "shift=1"), checked=False)
    assert observe(changed).outputs == observe(function).outputs


def test_a_function_of_an_installed_module(cache: Path) -> None:
    source = Source(kind="module", location="tests.pipelines.blur_function", entry="blur", parameters=(("shift", "2"),))
    spec = fresh(LoadJob(source=source, target="host", cache=cache))
    assert spec.name == "blur_function"
    assert len(spec.funcs) == 4
