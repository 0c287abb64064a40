"""Stores and loads that are read out of the lowered text are those that Halide traces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from hltune.lowered.job import Lowered, LowerJob, arguments_of
from hltune.lowered.parse import parse_lowered
from hltune.lowered.sites import Walked
from hltune.lowered.walk import walk
from hltune.machine.open import resolve
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.suite.benchmark import Benchmark, schedules
from hltune.suite.catalog import FILTERS
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.lowered.tracing import traced

WIDTH, HEIGHT = 192, 144
CLOSE = 0.02
"""What sampling may be off by."""

Check = Callable[[PipelineSpec, Schedule], None]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def target() -> TargetInfo:
    return resolve("host")


@pytest.fixture
def check(worker: Worker, target: TargetInfo, tmp_path: Path) -> Check:
    def check(spec: PipelineSpec, schedule: Schedule) -> None:
        stores, loads = counted(walked(worker, target, spec, schedule))
        real_stores, real_loads = traced(spec, schedule, tmp_path)
        assert sum(real_stores.values()) >= WIDTH * HEIGHT <= sum(real_loads.values())
        assert {_name(each) for each in stores} == {_name(each) for each in real_stores}
        for name, count in real_stores.items():
            assert _of(stores, name) == pytest.approx(count, rel=CLOSE), (name, "stores")
        for name, count in real_loads.items():
            assert _of(loads, name) == pytest.approx(count, rel=CLOSE), (name, "loads")

    return check


def walked(worker: Worker, target: TargetInfo, spec: PipelineSpec, schedule: Schedule) -> Walked:
    lowered = worker.run(LowerJob(spec=spec, schedule=schedule, target=target.name))
    assert isinstance(lowered, Lowered), lowered
    return walk(parse_lowered(lowered.text), *arguments_of(spec), vector_bits=256, datapath_bits=256)


def counted(found: Walked) -> tuple[Counter[str], Counter[str]]:
    stores: Counter[str] = Counter()
    loads: Counter[str] = Counter()
    for site in found.sites:
        stores[site.store.buffer] += round(site.points)
        for load in site.loads:
            loads[load.buffer] += round(load.runs * load.lanes * load.enabled)
    return stores, loads


@cache
def load(benchmark: Benchmark) -> PipelineSpec:
    return fresh(Unchecked(source=benchmark.source(WIDTH, HEIGHT), target="host", cache=CACHE))


@pytest.mark.parametrize("name", ["default", "expert"])
@pytest.mark.parametrize("benchmark", FILTERS, ids=lambda each: each.name)
def test_filters(benchmark: Benchmark, name: str, target: TargetInfo, check: Check) -> None:
    spec = load(benchmark)
    text = "" if name == "default" else schedules(benchmark, target)["expert"]
    check(spec, parse_schedule(text, spec.funcs))


SCHEDULES = {
    "strips": "output.split(y, y, yi, 32).parallel(y).vectorize(x, 16);",
    "guarded": "output.split(x, x, xi, 24, GuardWithIf).split(y, y, yi, 20, GuardWithIf).reorder(xi, yi, x, y);",
    "tiled": "output.tile(x, y, xi, yi, 64, 16).vectorize(xi, 16).unroll(yi, 2);",
    "shifted": "output.vectorize(x, 40, ShiftInwards);",
}
SLIDING = {
    "dilate3x3": "output.split(y, y, yi, 16).parallel(y); column.store_at(output, y).compute_at(output, yi)"
    ".vectorize(x, 16);",
    "gaussian5x5": "output.vectorize(x, 16); column.compute_at(output, y).vectorize(x, 32, RoundUp);",
    "sobel": "output.vectorize(x, 16); smooth.compute_root().vectorize(x, 8); slope.compute_at(output, x);",
}


@pytest.mark.long
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("benchmark", FILTERS, ids=lambda each: each.name)
def test_schedules(benchmark: Benchmark, name: str, check: Check) -> None:
    spec = load(benchmark)
    check(spec, parse_schedule(SCHEDULES[name], spec.funcs))


@pytest.mark.parametrize("name", SLIDING)
def test_producers(name: str, check: Check) -> None:
    (benchmark,) = (each for each in FILTERS if each.name == name)
    spec = load(benchmark)
    check(spec, parse_schedule(SLIDING[name], spec.funcs))


def _name(text: str) -> str:
    return re.sub(r"\.\d+$", "", text)


def _of(counts: Counter[str], name: str) -> int:
    return sum(count for each, count in counts.items() if _name(each) == _name(name))


TWICE = """
import halide as hl

x, y = hl.vars("x y")


def doubled(image):
    half = hl.Func("doubled")
    half[x, y] = image[x, y] + image[x, y]
    return half


def pipeline():
    image = hl.ImageParam(hl.UInt(8), 2, "input")
    output = doubled(doubled(image))
    image.set_estimates([(0, 64), (0, 48)])
    output.set_estimates([(0, 64), (0, 48)])
    return output
"""
"""Halide itself tells the names of its two Funcs apart."""


def stores_of(text: str, worker: Worker, target: TargetInfo, folder: Path) -> float:
    """Of the pipeline of a file, in all its Funcs, without a schedule."""
    file = folder / "pipeline.py"
    file.write_text(text)
    source = Source(kind="python", location=str(file), entry="pipeline")
    spec = worker.run(Unchecked(source=source, target="host", cache=CACHE))
    stores, _ = counted(walked(worker, target, spec, Schedule()))
    return sum(stores.values())


def test_an_output_whose_name_halide_has_counted(worker: Worker, target: TargetInfo, tmp_path: Path) -> None:
    assert stores_of(TWICE, worker, target, tmp_path) == 64 * 48


UP_TO = """
import halide as hl


def pipeline():
    x, most = hl.Var("x"), hl.Param(hl.Float(32), "most", float("inf"))
    until = hl.RDom([hl.Range(0, hl.i32(hl.clamp(most, 1.0, 4.0)) * hl.i32(most))], "until")
    output = hl.Func("output")
    output[x] = x
    output[x] += until
    output.set_estimates([(0, 64)])
    return output
"""


def test_nothing_is_counted_by_an_infinite_scalar(worker: Worker, target: TargetInfo, tmp_path: Path) -> None:
    assert 64 <= stores_of(UP_TO, worker, target, tmp_path) < 64 * 64
