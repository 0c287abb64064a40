"""A schedule as what changes it sees it: its directives, and the loops that they make."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, takewhile
from typing import Any

from hltune.schedule.canonical import canonical_names
from hltune.schedule.loops import Loop, LoopNests, loop_nests
from hltune.values.directives import OUTERMOST, Bound, ComputeAt, Directive, ReorderStorage, Schedule, StoreAt
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.roles import Stage

Directives = list[Directive]


@dataclass(frozen=True, slots=True)
class View:
    """Directives of a pipeline, and the loops that they make."""

    directives: Directives
    nests: LoopNests
    spec: PipelineSpec

    @property
    def outputs(self) -> frozenset[str]:
        """Funcs that the pipeline returns."""
        return frozenset(output.name for output in self.spec.outputs)

    @property
    def placed(self) -> frozenset[str]:
        """Funcs with loops of their own: one that is inlined has no directives."""
        return self.outputs.union(each.stage.func for each in self.directives)

    def replaced(self, at: int, **changes: Any) -> Directives:
        """The directives, with fields of one of them changed."""
        return [*self.directives[:at], replace(self.directives[at], **changes), *self.directives[at + 1 :]]

    def dropped(self, at: int) -> Directives:
        """The directives, but one of them."""
        return [*self.directives[:at], *self.directives[at + 1 :]]

    def without(self, stage: Stage, *kinds: type[Directive]) -> Directives:
        """The directives, but those of these kinds of a stage."""
        return [each for each in self.directives if not (each.stage == stage and isinstance(each, kinds))]

    def serial_loops(self) -> list[tuple[Stage, Loop]]:
        """Loops that are neither parallel, nor vectorised, nor unrolled; an inlined Func has no loops."""
        placed = self.placed
        loops = [(stage, loop) for stage, loops in self.nests.loops.items() for loop in loops if stage.func in placed]
        return [(stage, loop) for stage, loop in loops if loop.kind == "for"]

    def most_iterations(self, stage: Stage, loop: Loop) -> int | None:
        """How many iterations a loop has at most, where the schedule tells it, or the algorithm."""
        if loop.extent is not None or loop.rvar:
            return loop.extent
        own = [each for each in self.directives if isinstance(each, Bound) and each.stage.func == stage.func]
        return next((each.extent for each in own if each.var == loop.name), None)

    def innermost_stored(self, func: str) -> str | None:
        """The dimension of a Func whose neighbours are side by side in memory; None of one without dimensions."""
        args = self.nests.args[func]
        for output in self.spec.outputs:
            if output.name == func:
                dense = (arg for arg, limits in zip(args, output.constraints, strict=False) if limits.stride == 1)
                return next(chain(dense, args), None)
        return next(iter(self._stored(func)), None)

    def outermost_stored(self, func: str) -> str | None:
        """The dimension of a Func, which is no output, whose slices lie apart in memory; None of one without any."""
        return next(reversed(self._stored(func)), None)

    def _stored(self, func: str) -> tuple[str, ...]:
        """The dimensions of a Func that is no output as they lie in memory, the dense one first."""
        args = self.nests.args[func]
        for each in self.directives:
            if isinstance(each, ReorderStorage) and each.stage.func == func:
                order = iter(each.vars)
                args = tuple(next(order) if arg in each.vars else arg for arg in args)
        return args

    def levels(self, consumer: str) -> list[str]:
        """Loops of a Func that something can be computed in, those of its last stage first, each innermost first."""
        loops = (loop for stage in self.nests.stages(consumer)[::-1] for loop in self.nests.loops[stage])
        return [*dict.fromkeys(loop.name for loop in loops if loop.kind != "vectorized")]

    def outside(self, level: ComputeAt | StoreAt) -> list[Loop]:
        """Loops outside of a level, in the same stage, innermost first."""
        return self._from(level)[1:]

    def serially_outside(self, level: ComputeAt | StoreAt) -> list[str]:
        """Loops outside of a level which run in the same task as it, innermost first; the last may be `OUTERMOST`."""
        serial = [*takewhile(lambda loop: loop.kind in ("for", "unrolled"), self._from(level))]
        return [*(loop.name for loop in self.outside(level)), OUTERMOST][: len(serial)]

    def _from(self, level: ComputeAt | StoreAt) -> list[Loop]:
        """The loop of a level and those outside of it; none where the level is outside of all."""
        if level.var == OUTERMOST:
            return []
        stage, loop = self.nests.level(level.consumer, level.var)
        loops = self.nests.loops[stage]
        return [*loops[loops.index(loop) :]]

    def new_loop(self) -> str:
        """A name that no loop has."""
        return self.new_loops(1)[0]

    def new_loops(self, number: int) -> list[str]:
        """So many of them."""
        taken = {each.name for loops in self.nests.loops.values() for each in loops}
        return [*islice((name for at in range(1000) if (name := f"v{at}") not in taken), number)]


def after(directives: Directives, stage: Stage, *new: Directive) -> Directives:
    """New directives after the last one of a stage."""
    at = max((number for number, each in enumerate(directives) if each.stage == stage), default=-1)
    return [*directives[: at + 1], *new, *directives[at + 1 :]]


def legal(directives: Sequence[Directive], funcs: Sequence[FuncInfo]) -> Schedule | None:
    """A schedule with canonical names; None if a loop that something else needs is gone."""
    try:
        schedule = canonical_names(Schedule(tuple(directives)), funcs)
        loop_nests(schedule, funcs)
    except InputError:
        return None
    return schedule
