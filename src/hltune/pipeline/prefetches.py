"""Takes prefetches out of a serialized pipeline, so that they can be called again. Needs no Halide.

Halide writes prefetches of inputs, but cannot read them: it looks for the input among the parameters that the file
itself holds, where inputs are not.

Source: Halide 21 ``Deserializer::deserialize_prefetch_directive``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hltune.pipeline.flatbuffer import Editor, Table
from hltune.pipeline.serialized import read_root
from hltune.pipeline.serialized_schedule import constant, definitions, with_specializations


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetch:
    """A call of ``prefetch``.

    Attributes:
        func: the Func that is scheduled, with ``$``.
        update: number of the update definition; None for the pure one.
        image: what is prefetched: an input, or else a Func.
        at, from_: names of loops.
        strategy: number of Halide's ``PrefetchBoundStrategy``.
    """

    func: str
    update: int | None
    image: str
    is_input: bool
    at: str
    from_: str
    offset: int
    strategy: int


class Taken(NamedTuple):
    """A pipeline without the prefetches of the stages that prefetch inputs.

    Attributes:
        prefetches: those that can be called again.
        lost: names of Funcs of whose prefetches some cannot: their offset is no constant, or they are of
            specializations. They change nothing but the speed.
    """

    data: bytes
    prefetches: tuple[Prefetch, ...]
    lost: tuple[str, ...]


def take_prefetches(data: bytes, *, where: str) -> Taken:
    """Takes the prefetches out that Halide could not read."""
    root = read_root(data, where=where)
    known = {parameter.text(4) for parameter in root.tables(5)}
    editor = Editor(data)
    taken, lost = list[Prefetch](), list[str]()
    for func in root.tables(0):
        for number, pure_or_update in enumerate(definitions(func)):
            for definition in with_specializations(pure_or_update):
                schedule = definition.table(7)
                found = [] if schedule is None else list(schedule.tables(3))
                if schedule is None or not {each.text(6) for each in found} - known - {""}:
                    continue
                editor.put(schedule, 3, [])
                calls = [*_calls(func.text(0), number - 1 if number else None, found)]
                own = definition == pure_or_update
                taken += calls if own else []
                lost += [] if own and len(calls) == len(found) else [func.text(0)]
    return Taken(bytes(editor.data), tuple(taken), tuple(dict.fromkeys(lost)))


def _calls(func: str, update: int | None, found: Sequence[Table]) -> Iterator[Prefetch]:
    """Slots of a directive: 0 name, 1 at, 2 from, 3-4 offset, 5 strategy, 6 param_name."""
    for each in found:
        offset = constant(each, 3)
        if isinstance(offset, int):
            yield Prefetch(
                func=func,
                update=update,
                image=each.text(6) or each.text(0),
                is_input=each.text(6) != "",
                at=each.text(1),
                from_=each.text(2),
                offset=offset,
                strategy=int(each.number(5, "<B")),
            )
