"""Jobs that schedule pipelines and take the schedule off again; they run in workers."""

from dataclasses import dataclass, replace

import halide as hl
import numpy as np

from hltune.pipeline.build import build
from hltune.pipeline.strip import strip_schedule
from hltune.programs.generate import generate
from hltune.runtime.worker import Process
from hltune.schedule.apply import apply_schedule
from hltune.schedule.recover import Recovered, RecoverJob
from hltune.values.directives import (
    AlignStorage,
    ComputeRoot,
    Directive,
    Fuse,
    Parallel,
    ReorderStorage,
    Schedule,
    Split,
    StoreIn,
    Unroll,
    Vectorize,
)
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import Stage


def anew(data: bytes) -> bytes:
    """As Halide writes it after it has read it."""
    return hl.serialize_pipeline(hl.deserialize_pipeline(data, hl.deserialize_parameters(data)))


@dataclass(frozen=True, slots=True)
class RandomJob:
    """Schedules random programs; returns what differs after the schedule was taken off, and what was recovered."""

    seeds: range

    def run(self, process: Process) -> dict[int, tuple[bool, bool, Schedule, Recovered]]:
        process.enter("programs", timeout_s=100)
        return {seed: self._one(seed, process) for seed in self.seeds}

    def _one(self, seed: int, process: Process) -> tuple[bool, bool, Schedule, Recovered]:
        spec = generate(f"program-{seed}", seed, 4).spec
        plain = hl.serialize_pipeline(build(spec).pipeline)
        schedule = random_schedule(spec, seed)
        built = build(spec)
        apply_schedule(built, spec, schedule)
        scheduled = hl.serialize_pipeline(built.pipeline)
        stripped = strip_schedule(scheduled)
        untouched = strip_schedule(plain) == plain and strip_schedule(stripped) == stripped != scheduled
        recovered = RecoverJob(replace(spec, manual=scheduled)).run(process)
        return untouched, anew(stripped) == anew(plain), schedule, recovered


def random_schedule(spec: PipelineSpec, seed: int) -> Schedule:
    """Every Func at root, with random splits and types of loops."""
    rng = np.random.default_rng(seed)
    directives: list[Directive] = []
    for info in spec.funcs:
        directives += _func(info, rng)
    return Schedule(tuple(directives))


def _func(info: FuncInfo, rng: np.random.Generator) -> list[Directive]:
    stage, args = Stage(info.name), info.args
    made: list[Directive] = [ComputeRoot(stage)]
    if args:
        x = args[0]
        made += [Split(stage, x, x, "xi", 8, str(rng.choice(["RoundUp", "GuardWithIf", "ShiftInwards"])))]  # pyright: ignore[reportArgumentType]
        made += [Vectorize(stage, "xi") if rng.random() < 0.5 else Unroll(stage, "xi")]
    if len(args) > 1:
        y = args[1]
        made += [ReorderStorage(stage, (args[1], args[0]))] if rng.random() < 0.3 else []
        made += [Fuse(stage, x, y, "t"), Parallel(stage, "t")] if rng.random() < 0.5 else [Parallel(stage, y)]
        made += [AlignStorage(stage, y, 32)] if rng.random() < 0.5 else []
        made += [StoreIn(stage, "Heap")] if rng.random() < 0.5 else []
    for number, rvars in enumerate(info.updates):
        update = Stage(info.name, number)
        if rvars:
            made += [Split(update, rvars[0], "ro", "ri", 2), Unroll(update, "ri")]
    return made


@dataclass(frozen=True, slots=True)
class HandMadeJob:
    """A pipeline with updates, Tuples, a predicate and wrappers; returns its bytes plain, scheduled, stripped."""

    def run(self, process: Process) -> tuple[bytes, bytes, bytes, dict[str, np.ndarray]]:
        process.enter("hand-made", timeout_s=60)
        plain = hl.serialize_pipeline(hand_made(scheduled=False))
        # A name that Halide counts up follows the history of the process: so does that of the second pipeline.
        scheduled = hl.serialize_pipeline(hand_made(scheduled=True))
        stripped = strip_schedule(scheduled)
        image = np.random.default_rng(0).integers(0, 200, (40, 60)).astype(np.uint8)
        outputs = {name: realized(data, image) for name, data in {"plain": plain, "stripped": stripped}.items()}
        return plain, scheduled, stripped, outputs | {"numpy": reference(image)}


def hand_made(*, scheduled: bool) -> hl.Pipeline:
    x, y, xo, yo, xi, yi, t = hl.vars("x y xo yo xi yi t")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    pair, total, output = hl.Func("pair"), hl.Func("total"), hl.Func("output")
    window = hl.RDom([(0, 5), (0, 3)], "window")
    window.where(window.x != window.y)
    pair[x, y] = (hl.u16(image[x, y]), hl.u16(image[x + 1, y]))
    total[x, y] = hl.u16(1)
    total[x, y] += pair[x + window.x, y + window.y][0] + pair[x, y][1]
    total[x, 0] = hl.u16(7)
    output[x, y] = total[x, y] + pair[x, y][1]
    output.bound(x, 0, 48)
    if scheduled:
        output.tile(x, y, xo, yo, xi, yi, 16, 4).vectorize(xi, 8).unroll(yi).fuse(xo, yo, t).parallel(t)
        total.compute_at(output, t).store_root().reorder_storage(y, x)
        ro, ri = hl.RVar("ro"), hl.RVar("ri")
        total.update(0).split(window.x, ro, ri, 2).reorder(x, ri, window.y, ro, y).vectorize(x, 8)
        total.specialize(image.width() == 60).vectorize(x, 4)
        pair.compute_root().store_in(hl.MemoryType.Heap).align_storage(x, 32)
        pair.in_(total).compute_at(output, t).vectorize(x, 4)
    return hl.Pipeline(output)


def realized(data: bytes, image: np.ndarray) -> np.ndarray:
    parameters = hl.deserialize_parameters(data)
    pipeline = hl.deserialize_pipeline(data, parameters)
    call = pipeline.compile_to_callable([parameters["image"]._to_argument()], hl.get_jit_target_from_environment())
    result = np.zeros((30, 48), np.uint16)
    call(hl.Buffer(image), hl.Buffer(result))
    return result


def reference(image: np.ndarray) -> np.ndarray:
    wide = image.astype(np.uint16)
    rows, columns = 30, 48
    right = wide[:rows, 1 : columns + 1]
    total = np.ones((rows, columns), np.uint16)
    for i in range(5):
        for j in range(3):
            if i != j:
                total += wide[j : j + rows, i : i + columns] + right
    total[0] = 7
    return total + right
