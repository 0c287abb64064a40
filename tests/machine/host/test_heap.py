"""What schedules take from the heap, and that a worker's heap answers them as that of a fresh process."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hltune.machine.heap import Taken, measure_heap, poisoned_heap, settle
from hltune.machine.host import jobs
from hltune.machine.host.lane import measuring_worker
from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.task import Task, compile_task
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process, Worker
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost, Heap
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import load, opened

WIDTH, HEIGHT = 1000, 800


@dataclass(frozen=True)
class PassesJob:
    """A chain of so many images, all at root: returns what it takes from the heap, and page faults per call."""

    passes: int
    height: int = HEIGHT

    def run(self, process: Process) -> tuple[Heap | None, float]:
        import halide as hl

        x, y = hl.Var("x"), hl.Var("y")
        funcs = [hl.Func(f"pass_{number}") for number in range(self.passes + 1)]
        funcs[0][x, y] = hl.cast(hl.UInt(8), x + y)
        for before, after in pairwise(funcs):
            before.compute_root().vectorize(x, 32)
            after[x, y] = before[x, y] + before[x, y + 1]
        pipeline = hl.Pipeline(funcs[-1].vectorize(x, 32))
        call = pipeline.compile_to_callable([], hl.get_host_target())
        output = hl.Buffer(hl.UInt(8), [WIDTH, self.height])
        process.enter("counting", timeout_s=60)
        heap, largest_mapped_bytes = measure_heap(lambda: call(output), limit_s=30)
        process.on_main_thread(lambda: settle(largest_mapped_bytes))
        return heap, process.on_main_thread(lambda: _faults(lambda: call(output)))


def _faults(call: Any) -> float:
    for _ in range(3):
        call()
    return min(_faults_once(call) for _ in range(5))  # for what the system does meanwhile makes some more


def _faults_once(call: Any) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10


@dataclass(frozen=True)
class UnwrittenJob:
    """What a large buffer and a small one hold that nobody has written yet, in a poisoned heap and in another one."""

    def run(self, _process: Process) -> list[bytes]:
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

        def unwritten(size: int) -> bytes:
            memory = libc.malloc(ctypes.c_size_t(size))
            try:
                return ctypes.string_at(memory + size // 2, 8)
            finally:
                libc.free(memory)

        with poisoned_heap():
            found = [unwritten(size) for size in (2_000, 2**20, 2**26)]
        return [*found, unwritten(2**26)]


def test_what_nobody_wrote_shows_in_a_poisoned_heap() -> None:
    with Worker() as worker:
        *poisoned, usual = worker.run(UnwrittenJob())
    assert poisoned == [b"\x7f" * 8] * 3
    assert usual == bytes(8)


def test_every_buffer_is_counted() -> None:
    with Worker(preload=("halide",), spare_main_thread=True) as worker:
        heap, _ = worker.run(PassesJob(3))
    assert heap is not None and heap.allocations == 3
    assert 3 * WIDTH * HEIGHT <= heap.bytes <= 3.1 * WIDTH * HEIGHT
    assert 2 * WIDTH * HEIGHT <= heap.peak_bytes <= 2.1 * WIDTH * HEIGHT  # the first one is free when the third begins
    assert WIDTH * HEIGHT <= heap.largest_mapped_bytes <= 1.1 * WIDTH * HEIGHT


@dataclass(frozen=True)
class BadCallJob:
    """The heap of a call that never ends, or that takes its process down, or that cannot have one of its own."""

    how: str

    def run(self, process: Process) -> Taken:
        process.enter("counting", timeout_s=60)
        if self.how == "no processes":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fork", self._refuse)
                return self._taken()
        return self._taken()

    def _taken(self) -> Taken:
        return measure_heap(lambda: time.sleep(600) if self.how == "endless" else os.abort(), limit_s=1.0)

    def _refuse(self) -> int:
        raise OSError(errno.EAGAIN, "no more processes")


@pytest.mark.parametrize(("how", "largest"), [("endless", 0), ("crashing", None), ("no processes", None)])
def test_a_call_that_does_not_end_well_tells_nothing(how: str, largest: int | None) -> None:
    with Worker(preload=("pytest",)) as worker:
        assert worker.run(BadCallJob(how)) == (None, largest)
        assert worker.run(BadCallJob(how)) == (None, largest)  # and harms nobody


@dataclass(frozen=True)
class SlowJob:
    """What is known of a call that takes buffers of this many bytes for ever."""

    sizes: tuple[int, ...]

    def run(self, process: Process) -> Taken:
        import halide as hl

        x, y = hl.Var("x"), hl.Var("y")
        funcs = [hl.Func(f"of_{size}") for size in self.sizes]
        for func, size in zip(funcs, self.sizes, strict=True):
            func[x] = hl.cast(hl.UInt(8), x)
            func.compute_root().bound_extent(x, size)
        out = hl.Func("out")
        out[x, y] = hl.cast(hl.UInt(8), 0)
        for func in funcs:
            out[x, y] += func[y % 7]
        call = hl.Pipeline(out).compile_to_callable([], hl.get_host_target())
        output = hl.Buffer(hl.UInt(8), [7, 7])
        process.enter("counting", timeout_s=60)
        return measure_heap(lambda: [call(output) for _ in iter(int, 1)], limit_s=3.0)


def test_what_a_slow_call_takes_is_known_until_nobody_waits_any_longer() -> None:
    """Larger ones than are ever mapped for good do not count."""
    with Worker(preload=("halide",), spare_main_thread=True) as worker:
        heap, largest = worker.run(SlowJob((1000, 500_000, 200_000, 40_000_000)))
    assert heap is None and largest is not None and 500_000 <= largest <= 500_200


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_pages_are_given_back_as_in_a_fresh_process(passes: int) -> None:
    """Two buffers fit below the limit at which memory goes back to the system; with a third one alive they do not."""
    with Worker(preload=("halide",), spare_main_thread=True) as worker:
        fresh_heap, fresh = worker.run(PassesJob(passes))
        for _ in range(3):  # a process with a past
            worker.run(PassesJob(6))
        heap, later = worker.run(PassesJob(passes))
    assert heap == fresh_heap
    assert later == pytest.approx(fresh, abs=20)


@dataclass(frozen=True)
class PagesJob:
    """KiB of huge pages that a large array of NumPy's takes."""

    def run(self, process: Process) -> int:
        import numpy as np

        def taken() -> int:
            (line,) = [each for each in Path("/proc/self/smaps_rollup").read_text().splitlines() if "AnonHuge" in each]
            return int(line.split()[1])

        process.enter("counting", timeout_s=60)
        before = taken()
        array = np.full(64 << 20, 1, np.uint8)
        return taken() - before if array.all() else -1


def test_images_have_pages_as_malloc_gives_them() -> None:
    rule = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not rule.exists() or "[madvise]" not in rule.read_text():
        pytest.skip("huge pages are for all here, or for nobody")
    with measuring_worker(MeasureOptions(threads=2)) as measuring, Worker(preload=("numpy",)) as other:
        assert measuring.run(PagesJob()) == 0 < other.run(PagesJob())


@dataclass(frozen=True)
class HolesJob:
    """Leaves holes in the heap of the main thread, as a process does that has done other things before."""

    def run(self, process: Process) -> None:
        process.on_main_thread(_leave_holes)


def _leave_holes() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    pieces = [libc.malloc(size) for _ in range(40) for size in (125_000, 2000)]
    for piece in pieces[::2]:
        libc.free(piece)


@pytest.mark.parametrize("holes", [False, True])
def test_small_buffers_lose_their_pages_at_the_end_of_the_heap(holes: bool) -> None:
    """Two of 120 kB are alive at once; what they take beyond 128 KiB goes back to the system in every call."""
    with Worker(preload=("halide",), spare_main_thread=True) as worker:
        for _ in range(3):
            if holes:
                worker.run(HolesJob())
            heap, faults = worker.run(PassesJob(2, height=120))
            assert heap is not None and heap.largest_mapped_bytes == 0
            beyond = 2 * WIDTH * 120 - (128 << 10)
            assert faults == pytest.approx(beyond / 4096, abs=5)


def test_schedules_are_measured_with_their_heap(blur: PipelineSpec, host: TargetInfo) -> None:
    whole = parse_schedule("rows.compute_root(); blurred.vectorize(x, 16);", blur.funcs)
    by_row = parse_schedule("rows.compute_at(blurred, y).store_in(MemoryType::Stack);", blur.funcs)
    with opened(blur, host) as session:
        measured = session.measure({"whole": whole, "by row": by_row})
    first, second = measured["whole"], measured["by row"]
    assert isinstance(first, Cost) and isinstance(second, Cost)
    assert first.heap is not None and first.heap.allocations == 1
    assert second.heap == Heap(allocations=0, bytes=0, peak_bytes=0, largest_mapped_bytes=0)


@dataclass(frozen=True)
class LimitJob:
    """How many seconds allocations of a task are counted at most, on two threads that have a minute each."""

    task: Task

    def run(self, process: Process) -> float:
        limits: list[float] = []

        def counted(_call: Callable[[], object], *, limit_s: float) -> Taken:
            limits.append(limit_s)
            return Taken()

        options = MeasureOptions(threads=2, run_timeout_s=60)
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jobs, "measure_heap", counted)
            jobs.count_heap(process, compile_task(process, self.task, arrays, options), options)
        return limits[0]


def test_nobody_waits_for_threads_that_wait_for_each_other(host: TargetInfo) -> None:
    """On one thread, a producer that runs beside its consumer may have no room, and the consumer no values."""
    spec = load("beside", host)
    own, root = Schedule(base=spec.manual_hash), every_func_at_root(spec)
    tasks = [Task(spec=spec, schedule=each, target=host.name, inputs=Inputs()) for each in (own, root)]
    with measuring_worker(MeasureOptions(threads=2)) as worker:
        assert [worker.run(LimitJob(task)) for task in tasks] == [1.0, 120.0]
    with opened(spec, host) as session:
        measured = session.measure({"own": own, "root": root})
    beside, whole = measured["own"], measured["root"]
    assert isinstance(beside, Cost) and isinstance(whole, Cost)
    assert beside.heap is None and whole.heap is not None


def test_what_is_reproduced_is_a_part_of_the_machine(host: TargetInfo) -> None:
    machine = identify(host, MeasureOptions(threads=2))
    assert machine.conditions and machine.former is not None
    first = machine.former.former
    assert first is not None and first.former is None and "conditions" not in first.document()
    assert len({machine.key, machine.former.key, first.key}) == 3
