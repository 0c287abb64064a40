"""Funcs whose schedule stays as their author wrote it, while the rest is searched."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hltune.schedule.canonical import canonical_names, is_counted, new_loops
from hltune.values.directives import Directive, InsideLoop, Schedule, Split
from hltune.values.errors import InputError, did_you_mean
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What must not change.

    Attributes:
        funcs: names of Funcs.
        parent: the author's schedule, as far as directives say it.
        base: the author's schedule itself, if that says more.
        known: all Funcs of the pipeline.
        free: names of the Funcs that may change.
    """

    funcs: frozenset[str]
    parent: Schedule
    base: str | None
    known: tuple[FuncInfo, ...]
    free: frozenset[str] = field(init=False)
    _own_outline: list[tuple[type[Directive], Stage, int]] = field(init=False)
    _own_part: Schedule = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", frozenset(each.name for each in self.known) - self.funcs)
        object.__setattr__(self, "_own_outline", self._outline(self.parent))
        object.__setattr__(self, "_own_part", self._part(self.parent))

    def allows(self, schedule: Schedule) -> bool:
        """True if these Funcs have their author's schedule."""
        if schedule.base is not None:
            return schedule.base == self.base
        # Most that differ do so in what needs no names of loops; to give these takes its time.
        return self._outline(schedule) == self._own_outline and self._part(schedule) == self._own_part

    def _outline(self, schedule: Schedule) -> list[tuple[type[Directive], Stage, int]]:
        """What must be the same of directives of these Funcs, whatever loops are called."""
        own = [each for each in schedule.directives if each.stage.func in self.funcs]
        return [(type(each), each.stage, each.factor if isinstance(each, Split) else 0) for each in own]

    def _part(self, schedule: Schedule) -> Schedule:
        """Directives of these Funcs; counted loops that they are computed in go by their place in the consumer."""
        own = [each for each in schedule.directives if each.stage.func in self.funcs]
        consumers = {each.consumer for each in own if isinstance(each, InsideLoop)}
        places: dict[str, dict[str, str]] = {}
        for each in schedule.directives if consumers else ():
            if each.stage.func in consumers:
                made = places.setdefault(each.stage.func, {})
                for name in filter(is_counted, new_loops(each)):
                    made.setdefault(name, f"{name[0]} {len(made)}")
        return canonical_names(Schedule(tuple(_placed(each, places) for each in own)), self.known)


def _placed(directive: Directive, places: Mapping[str, Mapping[str, str]]) -> Directive:
    if not isinstance(directive, InsideLoop):
        return directive
    return replace(directive, var=places.get(directive.consumer, {}).get(directive.var, directive.var))


def kept(subject: Subject, keep: tuple[str, ...], only: tuple[str, ...]) -> Kept | None:
    """What `keep` and `only` leave as it is; None if neither says anything.

    Args:
        keep: Funcs whose schedule stays.
        only: Funcs whose schedule is searched; all others stay.

    Raises:
        InputError: no such Func, both are given, or directives cannot say the author's schedule.
    """
    if not keep and not only:
        return None
    flag, names = ("--keep", keep) if keep else ("--only", only)
    if keep and only:
        raise InputError("both are given", where="--keep, --only", todo="give one of them")
    known = [info.name for info in subject.spec.funcs]
    for name in names:
        if name not in known:
            expected = "one of " + ", ".join(known)
            todo = did_you_mean(name, known)
            raise InputError("no such Func", where=f"{flag} {name}", expected=expected, found=repr(name), todo=todo)
    recovered = subject.recovered
    if recovered is None or recovered.schedule is None:
        raise InputError(
            "there is no hand-written schedule to keep a part of",
            where=f"{flag} {names[0]}",
            expected="a pipeline with a schedule of its own that directives can say",
            found=recovered.reason if recovered and recovered.reason else "a pipeline without a schedule",
            todo=f"tune without {flag}",
        )
    funcs = frozenset(keep) if keep else frozenset(known) - frozenset(only)
    return Kept(funcs=funcs, parent=recovered.schedule, base=subject.spec.manual_hash, known=subject.spec.funcs)
