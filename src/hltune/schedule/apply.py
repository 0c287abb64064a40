"""Replays a schedule on a pipeline of this process. Runs in a worker."""

from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

import halide as hl

from hltune.pipeline.build import Built, build
from hltune.pipeline.serialized import plain_name
from hltune.schedule.loops import LoopNests, LoopOrigin, callable_order, loop_nests
from hltune.schedule.text import directive_text
from hltune.values.directives import OUTERMOST, Directive, InsideLoop, Rfactor, Schedule
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec
from hltune.values.roles import ENUMERATIONS, Role, Stage, form_of


class Scheduled(NamedTuple):
    """A pipeline with its schedule, and what `apply_schedule` returns."""

    built: Built
    funcs: Mapping[str, hl.Func]

    @property
    def called_otherwise(self) -> dict[str, str]:
        """Names in the schedule, by those that Halide has for the same Funcs, where it has others.

        It names what an rfactor makes itself: ``f_intm``, and from the second pipeline of a process on ``f_intm$1``.
        """
        return {func.name(): name for name, func in self.funcs.items() if plain_name(func.name()) != name}


def scheduled(spec: PipelineSpec, schedule: Schedule) -> Scheduled:
    """Builds a pipeline and applies a schedule to it; raises what `apply_schedule` raises."""
    built = build(spec, schedule.base)
    return Scheduled(built, apply_schedule(built, spec, schedule))


def apply_schedule(built: Built, spec: PipelineSpec, schedule: Schedule) -> dict[str, hl.Func]:
    """Gives a pipeline that was built for this schedule its directives.

    Returns the Funcs by their names in the schedule, those that it makes as well; of a base, nobody knows them.

    Raises:
        InputError: the schedule does not fit the pipeline, or Halide refuses a directive.
    """
    if schedule.base is not None:  # `build` has done it
        return {}
    replay = _Replay(built, spec, loop_nests(schedule, spec.funcs))
    for directive in callable_order(schedule.directives, spec.funcs):
        replay.call(directive)
    return replay.funcs


class _Replay:
    """The Halide objects that the names in a schedule stand for.

    Variables are found by name in Halide, so new objects of the right name and kind do; only the names that Halide
    counted up (``r4$x``) have to be looked up.

    Attributes:
        funcs: by the names that they have in the schedule.
    """

    def __init__(self, built: Built, spec: PipelineSpec, finished: LoopNests) -> None:
        self.funcs = dict(built.funcs)
        self._finished = finished
        self._nests = LoopNests(spec.funcs)
        # Before the first directive: an rfactor changes the lists that these names stand in.
        self._real: dict[LoopOrigin, str] = {
            origin: self._real_name(origin) for names in self._nests.origins.values() for origin in names.values()
        }

    def call(self, directive: Directive) -> None:
        stage, form = directive.stage, form_of(type(directive))
        self._nests.advance(directive)
        func = self.funcs[stage.func]
        target = func if stage.update is None else func.update(stage.update)
        values = [self._arguments(directive, role, getattr(directive, name)) for name, role in form.arguments]
        try:
            result = getattr(target, form.call)(*chain.from_iterable(values))
        except hl.HalideError as error:
            raise InputError(
                "Halide refuses a directive", where=directive_text(directive), found=str(error).strip()
            ) from error
        if isinstance(directive, Rfactor):
            self.funcs[directive.intermediate] = result

    def _arguments(self, directive: Directive, role: Role, value: Any) -> list[Any]:
        stage = directive.stage
        match role:
            case Role.LOOP | Role.NEW_LOOP | Role.DIM:
                return [self._var(stage, value)]
            case Role.LOOPS | Role.DIMS:
                return [self._var(stage, name) for name in value]
            case Role.PRESERVED:
                return [[(self._var(stage, old), hl.Var(new)) for old, new in value]]
            case Role.CONSUMER:
                return [self.funcs[value]]
            case Role.LEVEL:
                assert isinstance(directive, InsideLoop)
                return [self._level(directive.consumer, value)]
            case Role.TAIL | Role.MEMORY | Role.POLICY:
                return [getattr(getattr(hl, ENUMERATIONS[role].name), value)]
            case _:
                return [value]

    def _var(self, stage: Stage, name: str) -> hl.Var | hl.RVar:
        return self._make(stage, name, rvar=self._nests.is_rvar(stage, name))

    def _level(self, consumer: str, name: str) -> hl.Var | hl.RVar:
        if name == OUTERMOST:
            return hl.Var.outermost()
        stage, loop = self._finished.level(consumer, name)
        return self._make(stage, name, rvar=loop.rvar)

    def _make(self, stage: Stage, name: str, *, rvar: bool) -> hl.Var | hl.RVar:
        origin = self._finished.origins[stage].get(name)
        real = self._real[origin] if origin else name
        return hl.RVar(real) if rvar else hl.Var(real)

    def _real_name(self, origin: LoopOrigin) -> str:
        func, update = self.funcs[origin.stage.func], origin.stage.update
        variables = func.args() if update is None else func.rvars(update)
        return variables[origin.index].name()
