"""What the definitions of a serialized pipeline compute: where floats take part, and how much work they are. No Halide.

An expression is a union: its kind, and then its table. The numbers below are slots, see `hltune.pipeline.serialized`.

| table             | fields used                                                                                 |
|-------------------|---------------------------------------------------------------------------------------------|
| Func              | 0 name, 2 output_types, 7 init_def, 8 updates, 12 extern_function_name                      |
| Definition        | 1-2 predicate, 3-4 values, 5-6 args, 7 stage_schedule                                       |
| StageSchedule     | 0 rvars; ReductionVariable: 1-2 min, 3-4 extent                                             |
| Type              | 0 code                                                                                      |
| Call              | 0 name, 3 call_type, 5 value_index; others in `_LAYOUTS`                                    |

Source: Halide 21 ``src/halide_ir.fbs``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain
from typing import NamedTuple

from hltune.pipeline.serialized import Table, read_root
from hltune.pipeline.serialized_schedule import definitions
from hltune.values.pipeline import PipelineSpec

_INT, _UINT, _FLOAT, _CAST, _REINTERPRET, VARIABLE, _CALL = 1, 2, 3, 5, 6, 29, 28
_FLOAT_CODES = (2, 4)
"""IEEE's floats, and bfloat."""
_TRUTHS = range(14, 23)
"""EQ to Not."""
_HALIDE_CALL = 4
_C_CALLS = (1, 2, 3)
"""Extern, ExternCPlusPlus, PureExtern."""


class _Layout(NamedTuple):
    """Slots of an expression's table: single operands, a list of operands, the type."""

    operands: tuple[int, ...] = ()
    several: int | None = None
    type: int | None = None


_LAYOUTS = {
    _CAST: _Layout((0,), type=2),
    _REINTERPRET: _Layout((0,), type=2),
    **dict.fromkeys(range(7, 22), _Layout((0, 2))),  # Add to Or
    22: _Layout((0,)),  # Not
    23: _Layout((0, 2, 4)),  # Select
    24: _Layout((1, 3), type=8),  # Load
    25: _Layout((0, 2)),  # Ramp
    26: _Layout((0,)),  # Broadcast
    27: _Layout((1, 3)),  # Let
    _CALL: _Layout(several=1, type=8),
    VARIABLE: _Layout(type=1),
    30: _Layout(several=0),  # Shuffle
    31: _Layout((0,)),  # VectorReduce
}
_ARITHMETIC: dict[int, Callable[[int, int], int]] = {
    7: operator.add,
    8: operator.sub,
    9: operator.mul,
    10: lambda a, b: a // b if b else 0,
    11: lambda a, b: a % b if b else 0,
    12: min,
    13: max,
}

Expression = tuple[int, Table]
"""Its kind, and its table."""

_Element = tuple[str, int]
"""A Func's name, and the number of an element of its Tuple."""
_HOPELESS = 50.0
"""Everything inlined is not waited for if it computes so many times as much as with every Func at root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What a Func computes at one place.

    Attributes:
        floats: per element of its Tuple, whether floats take part in its own definitions.
        asks: per element, which ones it is computed from.
        count: operations, those of all steps of reductions counted.
        calls: how often it asks for a value of other Funcs, by their names.
    """

    floats: tuple[bool, ...]
    asks: tuple[frozenset[_Element], ...]
    count: float
    calls: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Operations for one value of each output, under the two simplest schedules; ratios mean more than numbers.

    Attributes:
        inlined: everything inlined, which may compute a value again and again.
        at_root: every value computed once, as if all Funcs were as large as the outputs.
    """

    inlined: float
    at_root: float

    @property
    def inlined_first(self) -> bool:
        """What is inlined takes little longer than what is at root, and needs no memory between stages."""
        return self.inlined <= 2 * self.at_root

    @property
    def inlined_hopeless(self) -> bool:
        """What is inlined computes so much that nobody waits for it."""
        return self.inlined >= _HOPELESS * self.at_root > 0


def rounded_outputs(spec: PipelineSpec) -> tuple[bool, ...]:
    """Whether floats take part in what an output computes, so that schedules may round differently.

    One per output, and per element of those that are Tuples.
    """
    funcs, outputs = _read(spec)
    everything = any(each is None for each in funcs.values())
    floats = {(name, number) for name, func in funcs.items() if func for number, flag in enumerate(func.floats) if flag}
    counts = [len(output.dtypes) for output in spec.outputs]
    elements = [(name, number) for name, count in zip(outputs, counts, strict=True) for number in range(count)]
    return tuple(bool(floats if everything else floats & _reached(element, funcs)) for element in elements)


def forecast(spec: PipelineSpec) -> Forecast:
    """How much work the two simplest schedules are."""
    funcs, outputs = _read(spec)
    inlined: dict[str, float] = {}
    callees = {name: func.calls if func else dict[str, float]() for name, func in funcs.items()}
    for name in TopologicalSorter(callees).static_order():  # what is called comes first; a chain may be long
        func = funcs.get(name)
        calls = callees.get(name, dict[str, float]()).items()
        inlined[name] = (func.count if func else 1.0) + sum(times * inlined[callee] for callee, times in calls)
    at_root = sum(func.count for func in funcs.values() if func is not None)
    return Forecast(inlined=sum(inlined[name] for name in outputs), at_root=at_root)


def c_functions(hlpipe: bytes) -> frozenset[str]:
    """The names of the C functions that expressions call, Halide's own ones among them."""
    found = _expressions(read_root(hlpipe, where="functions").tables(0))
    return frozenset(table.text(0) for kind, table in found if kind == _CALL and table.number(3, "<B") in _C_CALLS)


def takes_signs(spec: PipelineSpec) -> bool:
    """There are images of floats, and none becomes an integer: some hold nothing negative, and all may be places."""
    if not any(each.dtype.startswith("float") for each in spec.buffers()):
        return False
    funcs = list(read_root(spec.hlpipe, where=spec.name).tables(0))
    return not any(func.text(12) for func in funcs) and not any(
        kind in (_CAST, _REINTERPRET) and not _is_float(kind, table) and _has_float(operand(table, 0))
        for kind, table in _expressions(funcs)
    )


def _has_float(expression: Expression | None) -> bool:
    """Its values are floats: those of arithmetic are what its operands are."""
    while expression is not None:
        kind, table = expression
        layout = _LAYOUTS.get(kind, _Layout())
        if kind == _FLOAT or layout.type is not None:
            return _is_float(kind, table)
        if kind in _TRUTHS or not layout.operands:
            return False
        expression = operand(table, layout.operands[-1])
    return False


def has_undefined(spec: PipelineSpec) -> bool:
    """May have an hl.undef, the value that leaves what is there as it is; other things may have a name like it."""
    return b"undef" in spec.hlpipe


def reduction_extents(hlpipe: bytes) -> dict[str, tuple[tuple[int | None, ...], ...]]:
    """Of every Func, by its name as Halide has it, what `FuncInfo.extents` says."""
    found: dict[str, tuple[tuple[int | None, ...], ...]] = {}
    for func in read_root(hlpipe, where="reductions").tables(0):
        extents = tuple(tuple(_extents(definition, {})) for definition in func.tables(8))
        found[func.text(0)] = extents if any(each is not None for some in extents for each in some) else ()
    return found


def _read(spec: PipelineSpec) -> tuple[dict[str, Operations | None], list[str]]:
    """All Funcs by name, None for extern ones; and the names of the outputs."""
    root = read_root(spec.hlpipe, where=spec.name)
    extents = {
        f"{argument.name}.extent.{number}": extent
        for argument in spec.buffers()
        for number, (_, extent) in enumerate(argument.estimate)
    }
    return {func.text(0): _operations(func, extents) for func in root.tables(0)}, list(root.texts(1))


def _reached(element: _Element, funcs: Mapping[str, Operations | None]) -> set[_Element]:
    found, waiting = set[_Element](), [element]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            func = funcs.get(each[0])
            waiting += func.asks[each[1]] if func else ()
    return found


def _operations(func: Table, extents: Mapping[str, int]) -> Operations | None:
    if func.text(12):
        return None
    own = func.text(0)
    floats = [each.number(0, "<b") in _FLOAT_CODES for each in func.tables(2)]
    asks = [set[_Element]() for _ in floats]
    count, calls = 0.0, dict[str, float]()
    for definition in definitions(func):
        steps = _steps(definition, extents)
        shared, ranges = list(walk(_places(definition))), list(walk(_ranges(definition)))
        values = [list(walk([value])) for value in _operands(definition, 3)]
        for number, value in enumerate(values):
            floats[number] = floats[number] or any(_is_float(*each) for each in chain(ranges, shared, value))
            asks[number].update(_calls(chain(shared, value)))
        everything = [*shared, *chain.from_iterable(values)]
        count += steps * len(everything)
        for name, _ in _calls(everything):
            if name != own:
                calls[name] = calls.get(name, 0.0) + steps
    return Operations(floats=tuple(floats), asks=tuple(map(frozenset, asks)), count=count, calls=calls)


def _calls(expressions: Iterable[Expression]) -> Iterator[_Element]:
    for kind, table in expressions:
        if kind == _CALL and table.number(3, "<B") == _HALIDE_CALL:
            yield table.text(0), int(table.number(5, "<i"))


def _steps(definition: Table, extents: Mapping[str, int]) -> float:
    """The size of the definition's reduction domain."""
    return float(math.prod(max(1, each) for each in _extents(definition, extents) if each is not None))


def _extents(definition: Table, known: Mapping[str, int]) -> Iterator[int | None]:
    """The extent of each of the definition's reduction variables, innermost first, as far as what is known tells."""
    return (value_of(operand(rvar, 3), known) for rvar in _rvars(definition))


def _rvars(definition: Table) -> Iterable[Table]:
    stage = definition.table(7)
    return stage.tables(0) if stage else ()


def value_of(expression: Expression | None, known: Mapping[str, int]) -> int | None:
    """An integer, as far as constants and variables that are known tell."""
    if expression is None:
        return None
    kind, table = expression
    if kind in (_INT, _UINT):
        return int(table.number(0, "<q"))
    if kind == VARIABLE:
        return known.get(table.text(0))
    if kind == _CAST:
        return value_of(operand(table, 0), known)
    if kind in _ARITHMETIC:
        a, b = (value_of(operand(table, slot), known) for slot in (0, 2))
        return None if a is None or b is None else _ARITHMETIC[kind](a, b)
    return None


def _is_float(kind: int, expression: Table) -> bool:
    if kind == _FLOAT:
        return True
    slot = _LAYOUTS.get(kind, _Layout()).type
    found = None if slot is None else expression.table(slot)
    return found is not None and found.number(0, "<b") in _FLOAT_CODES


def _places(definition: Table) -> Iterator[Expression]:
    """Where a definition's values go: what all of them depend on."""
    predicate = operand(definition, 1)
    yield from _operands(definition, 5)
    if predicate is not None:
        yield predicate


def _ranges(definition: Table) -> Iterator[Expression]:
    """Where reduction variables begin and how far they go: found once, and no Func takes part."""
    return (each for rvar in _rvars(definition) for slot in (1, 3) if (each := operand(rvar, slot)) is not None)


def _parts(definition: Table) -> Iterator[Expression]:
    """The values of a definition, where they go, and what is summed up in them."""
    yield from _operands(definition, 3)
    yield from _places(definition)
    yield from _ranges(definition)


def _expressions(funcs: Iterable[Table]) -> Iterator[Expression]:
    """All parts of all definitions."""
    return (each for func in funcs for definition in definitions(func) for each in walk(_parts(definition)))


def walk(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """All parts of expressions, whatever their depth."""
    waiting = list(expressions)
    while waiting:
        kind, table = waiting.pop()
        yield kind, table
        layout = _LAYOUTS.get(kind, _Layout())
        found = (operand(table, slot) for slot in layout.operands)
        waiting += [each for each in found if each is not None]
        if layout.several is not None:
            waiting += _operands(table, layout.several)


def operand(table: Table, slot: int) -> Expression | None:
    """An expression in two slots of a table; None if there is none."""
    value = table.table(slot + 1)
    return None if value is None else (int(table.number(slot, "<B")), value)


def _operands(table: Table, slot: int) -> Iterator[Expression]:
    return zip(table.octets(slot), table.tables(slot + 1), strict=True)
