"""Proves that a schedule that reads better is the same program, and says how often its loops run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from hltune.lowered.job import LowerJob, read
from hltune.lowered.names import loop_of
from hltune.lowered.sites import Walked
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Process
from hltune.schedule.loops import Loop, loop_nests
from hltune.schedule.readable import readable
from hltune.values.directives import Partition, Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.roles import Stage

_LEAST_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A schedule for people.

    Attributes:
        loops: of each stage, the outermost first, with how often they run at the estimated sizes, as
            ``y_strip in 24, x in 96, x_vec in 16``. A loop that Halide found to run once is not told.
    """

    schedule: Schedule
    loops: Mapping[Stage, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableJob:
    """Writes a schedule as a person would. Runs in a worker.

    Attributes:
        with_loops: say how often loops run, for which a third program is lowered.
        limit_s: on lowering and reading the programs, all together.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: TargetInfo
    with_loops: bool = True
    limit_s: float = 60.0

    def run(self, process: Process) -> Readable:
        """The schedule itself if the other is another program, or one of them cannot be read."""
        end_s = time.monotonic() + self.limit_s
        schedule = readable(self.schedule, self.spec.funcs)
        if schedule != self.schedule:
            one, other = (self._read(each, process, end_s) for each in (self.schedule, schedule))
            if isinstance(one, Failure) or isinstance(other, Failure) or one.program_hash != other.program_hash:
                schedule = self.schedule
        if schedule.base is not None or not self.with_loops:
            return Readable(schedule=schedule, loops={})
        nests = loop_nests(schedule, self.spec.funcs).loops
        undivided = self._read(_undivided(schedule, nests), process, end_s)
        if isinstance(undivided, Failure):
            return Readable(schedule=schedule, loops={})
        extents = _extents(undivided.walked)
        texts = {stage: _told(loops, extents.get(stage, {})) for stage, loops in nests.items()}
        return Readable(schedule=schedule, loops={stage: text for stage, text in texts.items() if text})

    def _read(self, schedule: Schedule, process: Process, end_s: float) -> _Program | Failure:
        left_s = max(_LEAST_S, end_s - time.monotonic())
        lower = LowerJob(spec=self.spec, schedule=schedule, target=self.target.name, timeout_s=left_s)
        return read(lower, process, self.target.vector_bytes, _Program)


class _Program(NamedTuple):
    walked: Walked
    program_hash: str


def _undivided(schedule: Schedule, nests: Mapping[Stage, tuple[Loop, ...]]) -> Schedule:
    """Else the first and last iterations of a loop may be loops of their own."""
    loops = [(stage, loop) for stage, loops in nests.items() for loop in loops if loop.kind in ("for", "parallel")]
    never = tuple(Partition(stage, loop.name, "Never") for stage, loop in loops)
    return replace(schedule, directives=schedule.directives + never)


def _extents(walked: Walked) -> dict[Stage, dict[str, float]]:
    """Mean extents of loops by their names in the schedule; of all copies, where Halide has made some."""
    loops = {loop.number: loop for site in walked.sites if site.runs > 0 for loop in site.loops}
    iterations: defaultdict[tuple[Stage, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for loop in loops.values():
        total = iterations[loop_of(loop.name)]
        total[0] += loop.extent * loop.entries
        total[1] += loop.entries
    found: defaultdict[Stage, dict[str, float]] = defaultdict(dict)
    for (stage, var), (count, entries) in iterations.items():
        found[stage][var] = count / entries
    return found


def _told(loops: tuple[Loop, ...], extents: Mapping[str, float]) -> str:
    """The loops of a stage, the outermost first; nothing of one that runs once, or that is inlined."""
    known = [(loop.name, extents.get(loop.name, _of_vectors(loop))) for loop in reversed(loops)]
    return ", ".join(f"{name} in {_number(extent)}" for name, extent in known if extent > 1)


def _number(extent: float) -> str:
    """A mean extent, where iterations differ."""
    return f"{extent:.0f}" if extent >= 100 or extent.is_integer() else f"{extent:.3g}"


def _of_vectors(loop: Loop) -> float:
    """How often a loop runs that has become vectors or straight code."""
    return float(loop.extent or 1) if loop.kind in ("vectorized", "unrolled") else 1.0
