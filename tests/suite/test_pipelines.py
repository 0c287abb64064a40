"""The algorithms under the default and the hand-written schedules, against their NumPy references."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import halide as hl
import numpy as np
import pytest

from hltune.pipeline.build import build
from hltune.pipeline.images import Array as Image
from hltune.pipeline.target import TargetInfo
from hltune.schedule.apply import apply_schedule
from hltune.schedule.parse import parse_schedule
from hltune.suite.benchmark import Benchmark, schedules
from hltune.suite.catalog import FILTERS
from hltune.suite.strips import HVX_LANES
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.suite.inputs import MASKS, images

TINY = [(1, 1), (2, 1), (3, 7), (10, 5)]
SIZES = [(64, 64), (65, 67), (333, 217), (256, 192), (1000, 70)]
"""Widths and heights."""

each_benchmark = pytest.mark.parametrize("benchmark", FILTERS, ids=lambda benchmark: benchmark.name)


@each_benchmark
def test_default(benchmark: Benchmark):
    _check(benchmark, Schedule(), TINY + SIZES[:3])


@each_benchmark
def test_simple(benchmark: Benchmark):
    _check(benchmark, _hand_written(benchmark, "simple", _target(_host_vector_bytes())), SIZES)


@each_benchmark
@pytest.mark.parametrize("vector_bytes", [16, 32, 64, 128])
def test_expert(benchmark: Benchmark, vector_bytes: int):
    sizes = [(width, height) for width, height in SIZES if width >= vector_bytes]
    _check(benchmark, _hand_written(benchmark, "expert", _target(vector_bytes)), sizes)


@each_benchmark
def test_expert_of_the_dsp(benchmark: Benchmark):
    sizes = [(width, height) for width, height in SIZES if width >= HVX_LANES]
    _check(benchmark, _hand_written(benchmark, "expert", _target(HVX_LANES, "hexagon")), sizes)


def test_funcs_have_the_names_that_schedules_use():
    names = {benchmark.name: {func.name for func in _spec(benchmark).funcs} for benchmark in FILTERS}
    assert names == {
        "conv3x3a16": {"input_im", "mask_im", "edge", "output"},
        "conv3x3a32": {"input_im", "mask_im", "edge", "output"},
        "dilate3x3": {"input_im", "edge", "column", "output"},
        "gaussian5x5": {"input_im", "edge", "column", "output"},
        "median3x3": {"input_im", "edge", "low", "mid", "high", "output"},
        "sobel": {"input_im", "edge", "slope", "smooth", "output"},
    }


@each_benchmark
def test_estimates_follow_the_size(benchmark: Benchmark):
    spec = _spec(benchmark)
    assert {argument.name: argument.estimate for argument in (*spec.buffers(), *spec.outputs)} == {
        "input": ((0, 333), (0, 217)),
        "output": ((0, 333), (0, 217)),
        **({"mask": ((0, 3), (0, 3))} if "conv" in benchmark.name else {}),
    }


def _check(benchmark: Benchmark, schedule: Schedule, sizes: list[tuple[int, int]]):
    spec = _spec(benchmark)
    run = _compiled(spec, schedule)
    for width, height in sizes:
        for arrays, expected in _cases(benchmark, (height, width)):
            output = np.full((height, width), 77, np.uint8)
            run(*(arrays[argument.name] for argument in spec.inputs), output)
            np.testing.assert_array_equal(output, expected, err_msg=f"at {width}x{height}")


@cache
def _cases(benchmark: Benchmark, shape: tuple[int, int]) -> list[tuple[dict[str, Image], Image]]:
    """Inputs, and what comes of them whatever the schedule."""
    reference = import_module(benchmark.module).reference
    return [(arrays, reference(arrays)[0]) for arrays in _inputs(_spec(benchmark), shape)]


def _inputs(spec: PipelineSpec, shape: tuple[int, int]) -> Iterator[dict[str, Image]]:
    masks = MASKS if any(argument.name == "mask" for argument in spec.inputs) else (None,)
    for image in images(shape):
        for mask in masks:
            yield {"input": image} if mask is None else {"input": image, "mask": mask}


def _hand_written(benchmark: Benchmark, name: str, target: TargetInfo) -> Schedule:
    return parse_schedule(schedules(benchmark, target)[name], _spec(benchmark).funcs)


def _target(vector_bytes: int, machine: str = "host") -> TargetInfo:
    return TargetInfo(name=machine, vector_bytes=vector_bytes, machine=machine)


@cache
def _spec(benchmark: Benchmark) -> PipelineSpec:
    return fresh(Unchecked(source=benchmark.source(333, 217), target="host", cache=CACHE))


def _compiled(spec: PipelineSpec, schedule: Schedule) -> Any:
    built = build(spec)
    apply_schedule(built, spec, schedule)
    return built.pipeline.compile_to_callable(built.arguments, hl.get_host_target())


def _host_vector_bytes() -> int:
    return hl.get_host_target().natural_vector_size(hl.UInt(8))
