"""The loops of every stage while a schedule is applied: what exists, in which order, of which kind.

This is the one model of what directives do to loops. The parser, the replay, the printed loop nest and the exported
sources all follow a schedule with it, so that an unknown name is found before Halide sees it.

Source: Halide 21 ``Stage::split``, ``fuse``, ``reorder``, ``set_dim_type`` and ``rfactor`` in ``Func.cpp``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from hltune.values.directives import (
    OUTERMOST,
    AlignStorage,
    Bound,
    Directive,
    FoldStorage,
    Fuse,
    InsideLoop,
    Parallel,
    Partition,
    Reorder,
    ReorderStorage,
    Rfactor,
    Schedule,
    Split,
    Unroll,
    Vectorize,
)
from hltune.values.errors import InputError
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage

LoopKind = Literal["for", "parallel", "vectorized", "unrolled"]
_KINDS: dict[type[Directive], LoopKind] = {Parallel: "parallel", Vectorize: "vectorized", Unroll: "unrolled"}


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop of a stage.

    Attributes:
        rvar: it is a reduction variable, or was made from one.
        extent: the number of iterations, where the schedule tells it, or the algorithm.
    """

    name: str
    rvar: bool
    kind: LoopKind = "for"
    extent: int | None = None


@dataclass(frozen=True, slots=True)
class LoopOrigin:
    """The variable of the algorithm that a loop is named after.

    Attributes:
        stage: the pure stage for an element of ``args()``, an update for an element of ``rvars(k)``.
    """

    stage: Stage
    index: int


class LoopNests:
    """The loops of all stages; `advance` applies one directive.

    Attributes:
        loops: the loops of every stage, innermost first, without the outermost loop of one iteration.
        args: the pure variables of every Func.
        origins: per stage, the names that come from the algorithm; all others come from the schedule.
    """

    def __init__(self, funcs: Iterable[FuncInfo]) -> None:
        self.loops: dict[Stage, tuple[Loop, ...]] = {}
        self.args: dict[str, tuple[str, ...]] = {}
        self.origins: dict[Stage, dict[str, LoopOrigin]] = {}
        self._free: dict[Stage, tuple[str, ...]] = {}
        self._rvars: dict[tuple[Stage, str], bool] = {}
        for func in funcs:
            pure = Stage(func.name)
            self.args[func.name] = func.args
            self.origins[pure] = {name: LoopOrigin(pure, i) for i, name in enumerate(func.args)}
            self._set(pure, _loops(func.args))
            for k, (rvars, args) in enumerate(zip(func.updates, func.update_args, strict=True)):
                update = Stage(func.name, k)
                self._free[update] = args
                own = {name: LoopOrigin(update, i) for i, name in enumerate(rvars)}
                self.origins[update] = self.origins[pure] | own
                extents = func.extents[k] if func.extents else (None,) * len(rvars)
                pairs = zip(rvars, extents, strict=True)
                self._set(update, (*(Loop(name, rvar=True, extent=n) for name, n in pairs), *_loops(args)))

    def stages(self, func: str) -> tuple[Stage, ...]:
        """The stages of a Func, in the order in which they run."""
        return tuple(stage for stage in self.loops if stage.func == func)

    def loop(self, stage: Stage, name: str) -> Loop:
        """Looks a loop up by name."""
        for loop in self.of(stage):
            if loop.name == name:
                return loop
        found = ", ".join(loop.name for loop in self.of(stage)) or "no loops"
        raise InputError(f"{stage} has no loop {name!r} here", expected=f"one of {found}", found=name)

    def of(self, stage: Stage) -> tuple[Loop, ...]:
        """The loops of a stage."""
        if stage not in self.loops:
            known = [str(known) for known in self.loops if known.func == stage.func] or list(self.args)
            raise InputError(f"the pipeline has no stage {stage}", expected="one of " + ", ".join(known))
        return self.loops[stage]

    def is_rvar(self, stage: Stage, name: str) -> bool:
        """True if a loop of the stage that exists, or existed before, is one of a reduction variable."""
        return self._rvars[stage, name]

    def level(self, consumer: str, var: str) -> tuple[Stage, Loop]:
        """The loop of a consumer that a Func is computed or stored in; the last stage that has it counts."""
        if consumer not in self.args:
            raise InputError(f"the pipeline has no Func {consumer!r}", expected="one of " + ", ".join(self.args))
        if var == OUTERMOST:
            return self.stages(consumer)[-1], Loop(OUTERMOST, rvar=False)
        loops = {loop.name: (stage, loop) for stage in self.stages(consumer) for loop in self.loops[stage]}
        if var in loops:
            return loops[var]
        names = ", ".join([*loops, OUTERMOST])
        raise InputError(f"{consumer} has no loop {var!r}", expected=f"one of {names}", found=var)

    def advance(self, directive: Directive) -> None:
        """Applies a directive; raises `InputError` if what it names does not exist, or a new name is taken."""
        stage = directive.stage
        self.of(stage)
        match directive:
            case Split():
                self._split(directive)
            case Fuse():
                self._fuse(directive)
            case Reorder(_, names):
                self._reorder(stage, names)
            case Parallel(_, var) | Vectorize(_, var) | Unroll(_, var):
                self._replace(stage, var, replace(self.loop(stage, var), kind=_KINDS[type(directive)]))
            case Partition(_, var):
                self.loop(stage, var)
            case Rfactor():
                self._rfactor(directive)
            case ReorderStorage(_, names):
                self._check_dims(stage.func, names)
            case AlignStorage(_, var) | FoldStorage(_, var) | Bound(_, var):
                self._check_dims(stage.func, (var,))
            case _:
                pass

    def check_level(self, directive: Directive) -> None:
        """Checks the loop that a Func is computed or stored in; call it when all directives are applied."""
        if isinstance(directive, InsideLoop):
            self.level(directive.consumer, directive.var)

    def _set(self, stage: Stage, loops: tuple[Loop, ...]) -> None:
        names = [loop.name for loop in loops]
        for loop in loops:
            # A name stands for one kind of variable throughout, so that replaying needs no memory of when it was made.
            if names.count(loop.name) > 1 or self._rvars.setdefault((stage, loop.name), loop.rvar) != loop.rvar:
                raise InputError(f"{stage} has a loop {loop.name!r} already", expected="a new name", found=loop.name)
        self.loops[stage] = loops

    def _replace(self, stage: Stage, name: str, *new: Loop) -> None:
        old = self.loop(stage, name)
        at = self.loops[stage].index(old)
        self._set(stage, self.loops[stage][:at] + new + self.loops[stage][at + 1 :])

    def _split(self, split: Split) -> None:
        old = self.loop(split.stage, split.old)
        inner = replace(old, name=split.inner, extent=split.factor)
        outer = replace(old, name=split.outer, extent=old.extent and -(-old.extent // split.factor))
        self._replace(split.stage, split.old, inner, outer)

    def _fuse(self, fuse: Fuse) -> None:
        inner, outer = self.loop(fuse.stage, fuse.inner), self.loop(fuse.stage, fuse.outer)
        if inner == outer:
            raise InputError("a loop cannot be fused with itself", where=str(fuse.stage), found=fuse.inner)
        extents = [loop.extent for loop in (inner, outer) if loop.extent is not None]
        fused = replace(
            inner, name=fuse.fused, rvar=inner.rvar or outer.rvar, extent=prod(extents) if len(extents) == 2 else None
        )
        self._replace(fuse.stage, fuse.outer)
        self._replace(fuse.stage, fuse.inner, fused)

    def _reorder(self, stage: Stage, names: tuple[str, ...]) -> None:
        moved = [self.loop(stage, name) for name in names]
        order = iter(moved)
        self.loops[stage] = tuple(next(order) if loop in moved else loop for loop in self.loops[stage])

    def _rfactor(self, rfactor: Rfactor) -> None:
        stage, made = rfactor.stage, rfactor.intermediate
        if made in self.args:
            raise InputError(f"the pipeline has a Func {made!r} already", expected="a new name", found=made)
        renamed = dict(rfactor.preserved)
        for name in renamed:
            if not self.loop(stage, name).rvar:
                raise InputError(f"{name} of {stage} is not a reduction variable", where="rfactor")
        loops, args = self.loops[stage], self.args[stage.func]
        kept = [loop for loop in loops if loop.name in renamed]
        preserved = tuple(renamed[loop.name] for loop in kept)
        if len({*preserved, *(loop.name for loop in loops)}) < len(preserved) + len(loops):
            raise InputError("a new name is taken", where=f"rfactor of {stage}", found=", ".join(preserved))
        self.args[made] = args + preserved
        self.origins[Stage(made)] = self.origins[Stage(stage.func)]
        self.origins[Stage(made, 0)] = self.origins[stage]
        self._set(Stage(made), _loops(args + preserved))
        self._set(
            Stage(made, 0), tuple(Loop(renamed[loop.name], rvar=False) if loop in kept else loop for loop in loops)
        )
        here = [loop for loop in loops if not loop.rvar or loop in kept]
        missing = tuple(name for name in args if name not in self._free[stage])
        self._set(stage, tuple(here) + _loops(missing))
        self._free[Stage(made, 0)] = self._free[stage] + preserved
        self._free[stage] = args

    def _check_dims(self, func: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.args[func]:
                raise InputError(
                    f"{func} has no dimension {name!r}", expected="one of " + ", ".join(self.args[func]), found=name
                )


def loop_nests(schedule: Schedule, funcs: Iterable[FuncInfo]) -> LoopNests:
    """The loops after a whole schedule; raises `InputError` if it does not fit the pipeline."""
    nests = LoopNests(funcs)
    for directive in schedule.directives:
        nests.advance(directive)
    for directive in schedule.directives:
        nests.check_level(directive)
    return nests


def _loops(names: Iterable[str]) -> tuple[Loop, ...]:
    """Loops over pure variables."""
    return tuple(Loop(name, rvar=False) for name in names)


def callable_order(directives: Iterable[Directive], funcs: Sequence[FuncInfo]) -> Iterator[Directive]:
    """The same directives; those that name a Func which an rfactor makes later come directly after that."""
    known = {func.name for func in funcs}
    waiting: list[InsideLoop] = []
    for directive in directives:
        if isinstance(directive, InsideLoop) and directive.consumer not in known:
            waiting.append(directive)
            continue
        yield directive
        if isinstance(directive, Rfactor):
            known.add(directive.intermediate)
            yield from (each for each in waiting if each.consumer in known)
            waiting = [each for each in waiting if each.consumer not in known]
