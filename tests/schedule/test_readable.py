"""A schedule for people is the same schedule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from hltune.lowered.readable import Readable, ReadableJob
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.worker import Process, Worker
from hltune.schedule.canonical import renamed
from hltune.schedule.loops import Loop, loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.schedule.readable import readable
from hltune.schedule.text import directive_text
from hltune.values.directives import Fuse, InsideLoop, Rfactor, Schedule, Split
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import Stage
from tests.schedule.conftest import NAMES
from tests.schedule.plugin import SEARCHES, SearchAndReplay, probe
from tests.schedule.strategies import FUNCS, fitting_schedules

TARGET = TargetInfo(name="host", vector_bytes=32, machine=HOST)


def better(text: str, funcs: tuple[FuncInfo, ...] = FUNCS) -> list[str]:
    """The directives of a schedule for people."""
    return [directive_text(each) for each in readable(parse_schedule(text, funcs), funcs).directives]


@pytest.mark.parametrize(
    "written, better_written",
    [
        # What a loop is of, and for.
        (
            "output.split(x, x, xi, 8).vectorize(xi).split(y, y, yi, 4).parallel(y).unroll(yi);",
            "output.split(x, x, x_vec, 8).vectorize(x_vec).split(y, y, y_unroll, 4).parallel(y).unroll(y_unroll);",
        ),
        # A loop that is split further has another name than the one that stays, which was called so as well.
        (
            "output.split(y, y, yi, 64).split(yi, yi, yii, 8); blur.compute_at(output, yi);",
            "output.split(y, y, y_part, 64).split(y_part, y_tile, y_in, 8); blur.compute_at(output, y_tile);",
        ),
        # Names that somebody chose stay, and nothing else gets them.
        (
            "output.split(y, strip, x_vec, 64).split(x, x, xi, 8).vectorize(xi).parallel(strip);",
            "output.split(y, strip, x_vec, 64).split(x, x, x_vec2, 8).vectorize(x_vec2).parallel(strip);",
        ),
        # In another stage the same name can be used, unless something is computed there.
        (
            "blur.split(x, x, v9, 8).vectorize(v9); output.split(x, x, v8, 4).vectorize(v8);",
            "blur.split(x, x, x_vec, 8).vectorize(x_vec); output.split(x, x, x_vec, 4).vectorize(x_vec);",
        ),
        (
            "hist.update(2).split(x, x, v1, 8); hist.split(x, x, v2, 4); blur.compute_at(hist, v2);"
            "output.compute_at(hist, v1);",
            "hist.update(2).split(x, x, x_tile, 8); hist.split(x, x, x_tile2, 4); blur.compute_at(hist, x_tile2);"
            "output.compute_at(hist, x_tile);",
        ),
        # Splits of what is that small already, orders that are there already, memory as it is anyway.
        (
            "output.split(x, x, xi, 16).split(xi, xi, xii, 16).reorder(xii, xi, y, x).vectorize(xii);",
            "output.split(x, x, x_vec, 16).reorder(x_vec, y, x).vectorize(x_vec);",
        ),
        (
            "output.split(x, x, xi, 16).split(xi, xi, xii, 1).vectorize(xi);",
            "output.split(x, x, x_vec, 16).vectorize(x_vec);",
        ),
        ("output.reorder(x, y).reorder(y, x); blur.store_in(MemoryType::Auto);", "output.reorder(y, x);"),
        (
            "blur.store_in(MemoryType::Heap).compute_at(output, y).store_at(output, y).store_in(MemoryType::Stack);",
            "blur.compute_at(output, y).store_in(MemoryType::Stack);",
        ),
        # What is computed in a loop of one iteration might be elsewhere without it.
        (
            "output.split(x, x, xi, 16).split(xi, xi, xii, 16); blur.compute_at(output, xi);",
            "output.split(x, x, x_part, 16).split(x_part, x_tile, x_in, 16); blur.compute_at(output, x_tile);",
        ),
        (  # An order deals its loops into the places that they have, that of a single loop among them.
            "output.split(x, xo, xi, 1).reorder(y, xi);",
            "output.reorder(y, x);",
        ),
        (  # The last one counts.
            "blur.store_root().compute_at(output, y).store_at(output, y);",
            "blur.compute_at(output, y);",
        ),
        ("hist.update(2).reorder(x, _0);", "hist.update(2).unscheduled();"),
        # Loops that an rfactor hands on keep their names.
        (
            "hist.update(0).split(r_x, v1, v2, 8); part = hist.update(0).rfactor({{v1, u}});",
            "hist.update(0).split(r_x, v1, v2, 8); part = hist.update(0).rfactor({{v1, u}});",
        ),
    ],
)
def test_it_is_written_as_a_person_would(written: str, better_written: str) -> None:
    assert better(written) == [directive_text(each) for each in parse_schedule(better_written, FUNCS).directives]


@given(fitting_schedules())
def test_the_loops_are_the_same(schedule: Schedule) -> None:
    suffixes = ("", "o", "i", "f", "0", "1", "2")
    counted = {f"n{n}{suffix}": f"v{n}{at}" for n in range(12) for at, suffix in enumerate(suffixes)}
    directives = [
        renamed(each, loops=counted, levels=counted if isinstance(each, InsideLoop) else {}, funcs={})
        for each in schedule.directives
    ]
    schedule = replace(schedule, directives=tuple(directives))
    found = readable(schedule, FUNCS)
    assert shapes(found) == shapes(schedule)
    assert readable(found, FUNCS) == found


def shapes(schedule: Schedule) -> dict[Stage, list[tuple[Loop, frozenset[str]]]]:
    """The loops, without those of one iteration, and the variables of the algorithm that they are of, not their names.

    Those of an rfactor are told by their kinds and extents.
    """
    nests = loop_nests(schedule, FUNCS)
    factored = {each.stage.func for each in schedule.directives if isinstance(each, Rfactor)}
    factored |= {each.intermediate for each in schedule.directives if isinstance(each, Rfactor)}
    of: dict[tuple[Stage, str], frozenset[str]] = {}
    for each in schedule.directives:
        stage = each.stage
        if isinstance(each, Split):
            of[stage, each.outer] = of[stage, each.inner] = of.get((stage, each.old), frozenset({each.old}))
        elif isinstance(each, Fuse):
            parts = [of.get((stage, name), frozenset({name})) for name in (each.inner, each.outer)]
            of[stage, each.fused] = frozenset[str]().union(*parts)

    def variables(stage: Stage, name: str) -> frozenset[str]:
        return frozenset() if stage.func in factored else of.get((stage, name), frozenset({name}))

    return {
        stage: [(replace(each, name=""), variables(stage, each.name)) for each in loops if each.extent != 1]
        for stage, loops in nests.loops.items()
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name != "odd_names"])  # lowered, these cannot be read
def test_halide_makes_the_same_program_of_it(worker: Worker, specs: dict[str, PipelineSpec], name: str) -> None:
    spec, changed = specs[name], 0
    for autoscheduler, parameters in [*SEARCHES, *map(probe, range(4))]:
        schedule = worker.run(SearchAndReplay(spec, autoscheduler, parameters, lower=False)).schedule
        job = ReadableJob(spec=spec, schedule=schedule, target=TARGET)
        found = worker.run(job)
        # It is the schedule itself that comes back if the programs differ.
        assert found.schedule == readable(schedule, spec.funcs)
        changed += found.schedule != schedule
    assert changed


def test_extents_are_those_of_the_estimates(worker: Worker, specs: dict[str, PipelineSpec]) -> None:
    spec = specs["separable"]
    text = "output.split(y, y, yi, 64).split(x, x, xi, 16).vectorize(xi).parallel(y); mid_y.compute_at(output, yi);"
    schedule = parse_schedule(text, spec.funcs)
    found = worker.run(ReadableJob(spec=spec, schedule=schedule, target=TARGET))
    assert found.loops == {Stage("output"): "y in 16, y_tile in 64, x in 96, x_vec in 16", Stage("mid_y"): "x in 1538"}


def test_extents_of_what_an_rfactor_makes_are_known(worker: Worker, specs: dict[str, PipelineSpec]) -> None:
    """Halide calls it otherwise than the schedule, and counts from one lowering to the next."""
    spec = specs["convolution"]
    text = "part = total.update(0).rfactor({{r_y, u}}); part.compute_root(); total.compute_root();"
    job = ReadableJob(spec=spec, schedule=parse_schedule(text, spec.funcs), target=TARGET)
    for _ in range(2):
        loops = worker.run(job).loops
        assert loops[Stage("part")] == "u in 3, y in 700, x in 1000"
        assert loops[Stage("part", 0)] == "y in 700, x in 1000, u in 3, r_x in 3"


def test_another_program_is_not_written(worker: Worker, specs: dict[str, PipelineSpec]) -> None:
    """Whatever is thought to read better."""
    spec = specs["separable"]
    schedule = parse_schedule("output.split(x, x, xi, 16).vectorize(xi);", spec.funcs)
    found = worker.run(Misled(spec=spec, schedule=schedule, target=TARGET))
    assert found.schedule == schedule
    assert found.loops == {Stage("output"): "y in 1024, x in 96, xi in 16"}


class Misled(ReadableJob):
    """Has a wrong opinion of what reads better."""

    def run(self, process: Process) -> Readable:
        from hltune.lowered import readable as module

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "readable", lambda schedule, _: Schedule(schedule.directives[:1]))
            return super().run(process)
