"""Funcs whose schedule stays as their author wrote it, while the rest is searched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hltune.schedule.canonical import canonical_names, is_counted, new_loops
from hltune.values.directives import Directive, InsideLoop, Schedule
from hltune.values.errors import InputError, did_you_mean
from hltune.values.pipeline import FuncInfo
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What must not change.

    Attributes:
        funcs: names of Funcs.
        parent: the author's schedule, as far as directives say it.
        base: the author's schedule itself, if that says more.
        known: all Funcs of the pipeline.
    """

    funcs: frozenset[str]
    parent: Schedule
    base: str | None
    known: tuple[FuncInfo, ...]

    def allows(self, schedule: Schedule) -> bool:
        """True if these Funcs have their author's schedule."""
        if schedule.base is not None:
            return schedule.base == self.base
        return self._part(schedule) == self._part(self.parent)

    def _part(self, schedule: Schedule) -> Schedule:
        """Directives of these Funcs; counted loops that they are computed in go by their place in the consumer."""
        places: dict[str, dict[str, str]] = {}
        for each in schedule.directives:
            made = places.setdefault(each.stage.func, {})
            for name in filter(is_counted, new_loops(each)):
                made.setdefault(name, f"{name[0]} {len(made)}")
        part = tuple(_placed(each, places) for each in schedule.directives if each.stage.func in self.funcs)
        return canonical_names(Schedule(part), self.known)


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
