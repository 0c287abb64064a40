"""The applications at a small, odd size, against references that were written from the specifications alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

import halide as hl
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from hltune.machine.inputs import Inputs, random_array, shape_of
from hltune.machine.open import resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.reference_job import AT_ROOT
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.build import Built, build
from hltune.pipeline.images import Array
from hltune.runtime.halide_wheel import plugin_path
from hltune.schedule.apply import apply_schedule
from hltune.schedule.parse import parse_schedule
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.search.pool import SearchPool
from hltune.suite.benchmark import Benchmark, schedules
from hltune.suite.catalog import APPS
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import BufferArgument, PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.machine.opened import opened

SMALL = {64: (97, 75), 16: (19, 17)}
"""Width and height, by the least that the hand-written schedule is for."""
RELATIVE = 1e-4
"""What floats may differ by, relative to the value and a hundredth of the largest one."""
OFF_BY_ONE = {"local_laplacian": 0.01}
"""Share of the integers that may be off by one, where one step of a float32 is a part of it that shows."""

Images = dict[str, Array]


def _small_weights(images: Images) -> Images:
    """Sums of random weights are so large that a bias or the residual would not show."""
    scales = {name: 0.05 if name.endswith("weights") else 1.0 for name in images}
    return {name: ((image - 0.5) * scales[name]).astype(image.dtype) for name, image in images.items()}


def _smooth(images: Images) -> Images:
    """Between random pixels hardly any surroundings look alike."""
    return {name: uniform_filter(image, 9, mode="nearest").astype(image.dtype) for name, image in images.items()}


def _ties(images: Images) -> Images:
    """Rows of one colour match at every depth."""
    row = np.broadcast_to(images["left"][:, :, :1], images["left"].shape)
    return {name: np.ascontiguousarray(row) for name in images}


TELLING: dict[str, tuple[Callable[[Images], Images], ...]] = {
    "resnet_block": (_small_weights,),
    "conv_layer": (_small_weights,),
    "nl_means": (_smooth,),
    "lens_blur": (_ties,),
}
"""Further inputs, for what random ones do not show."""


def each_app(*long: str) -> pytest.MarkDecorator:
    """All of them, of which some take long to compile."""
    marks = {app.name: [pytest.mark.long] if app.name in long else [] for app in APPS}
    return pytest.mark.parametrize("app", [pytest.param(app, id=app.name, marks=marks[app.name]) for app in APPS])


# No app is long in both of the next two: what it computes is compared with the reference in any case.
@each_app("interpolate", "local_laplacian")
def test_the_algorithm_is_the_specified_one(app: Benchmark) -> None:
    spec = _spec(app)
    _check(app, _scheduled(spec, every_func_at_root(spec)))


@each_app("lens_blur", "stencil_chain")
def test_expert(app: Benchmark) -> None:
    _check(app, _scheduled(_spec(app), _expert(app)))


@pytest.mark.long
@each_app()
def test_autoschedulers(app: Benchmark) -> None:
    """What is found is right, or is refused by Halide, or is wrong where Halide alone schedules and runs it too."""
    spec, target = _spec(app), resolve("host")
    searches = (
        Mullapudi2016Options(parallelism=2),
        Li2018Options(parallelism=2),
        Adams2019Options(parallelism=2, beam_size=1),
    )
    with SearchPool(2, timeout_s=600) as pool:
        outcomes = pool.run(spec, target.name, searches)
    found = {
        each.autoscheduler: outcome.schedule
        for each, outcome in zip(searches, outcomes, strict=True)
        if isinstance(outcome, Candidate)
    }
    assert "Adams2019" in found
    options = MeasureOptions(threads=2, turns=1, turn_s=0.001, compile_timeout_s=600, run_timeout_s=600)
    with opened(spec, target, options=options, inputs=Inputs()) as session:
        measured = session.measure({**found, "expert": _expert(app)})
        # Another test compares what every Func at root computes with the reference.
        assert session.verification.confirmed_by is not None or session.verification.reference == AT_ROOT
    failures = {name: each for name, each in measured.items() if isinstance(each, Failure)}
    for options in searches:
        failure = failures.get(options.autoscheduler)
        if failure is not None and failure.kind == "wrong output":
            # Such as Adams2019's local_laplacian for 16 lanes, which Halide's sliding window breaks.
            with pytest.raises(AssertionError):
                _check(app, _scheduled_by_halide(spec, options))
    assert isinstance(measured["expert"], Cost)
    assert all(each.kind in ("error", "wrong output") for each in failures.values()), failures
    assert len(measured) - len(failures) >= 3


def test_no_name_is_taken_twice() -> None:
    assert len({app.name for app in APPS}) == len(APPS) == 16


def _check(app: Benchmark, built: Built) -> None:
    spec = _spec(app)
    function = built.pipeline.compile_to_callable(built.arguments, hl.get_host_target())
    images = {each.name: random_array(each, seed=0) for each in spec.buffers()}
    for given in (images, *(telling(images) for telling in TELLING.get(app.name, ()))):
        output = np.empty(shape_of(spec.outputs[0].estimate), spec.outputs[0].dtypes[0])
        arguments = [given[each.name] if isinstance(each, BufferArgument) else each.estimate for each in spec.inputs]
        function(*arguments, output)
        _compare(app, given, output)


def _compare(app: Benchmark, images: Images, output: Array) -> None:
    reference: Callable[[Images], tuple[Array, ...]]
    reference = import_module(f"tests.suite.apps.references.{app.name}").reference
    (expected,) = reference(images)
    assert (output.shape, output.dtype) == (expected.shape, expected.dtype)
    far = np.abs(output.astype(np.float64) - expected.astype(np.float64))
    if output.dtype.kind == "f":
        assert (far / (np.abs(expected) + np.abs(expected).max() / 100)).max() < RELATIVE
    else:
        assert far.max() <= 1
        assert np.count_nonzero(far) <= OFF_BY_ONE.get(app.name, 1e-4) * far.size


@cache
def _spec(app: Benchmark) -> PipelineSpec:
    return fresh(Unchecked(source=app.source(*SMALL[app.least]), target="host", cache=CACHE))


def _expert(app: Benchmark) -> Schedule:
    return parse_schedule(schedules(app, resolve("host"))["expert"], _spec(app).funcs)


def _scheduled(spec: PipelineSpec, schedule: Schedule) -> Built:
    built = build(spec)
    apply_schedule(built, spec, schedule)
    return built


def _scheduled_by_halide(spec: PipelineSpec, options: SearchOptions) -> Built:
    hl.load_plugin(str(plugin_path(options.autoscheduler)))
    built = build(spec)
    parameters = hl.AutoschedulerParams(options.autoscheduler, options.parameters())
    built.pipeline.apply_autoscheduler(hl.get_host_target(), parameters)
    return built
