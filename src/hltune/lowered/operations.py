"""What an expression does each time: operations by class and type, and loads.

An operation on a vector counts as many instructions as registers that it fills. Names that are bound to data are
followed by whoever counts (see `hltune.lowered.walk`). Integers of one lane and 32 bits are a class of their own: most
of them are index arithmetic, which is hoisted or folded into addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

from hltune.lowered.arithmetic import CALLS, OPERATORS, as_operator
from hltune.lowered.tree import (
    HANDLE,
    INT,
    Binary,
    Broadcast,
    Call,
    Cast,
    Expression,
    Let,
    Load,
    Name,
    Not,
    Number,
    Ramp,
    Text,
    Type,
)

CLASSES = ("add", "multiply", "divide", "minmax", "select", "cast", "math", "shuffle", "call")
KINDS = ("narrow", "wide", "float")
"""Integers of up to 16 bits, of more, and floats."""
INDEX = "index"
"""Integers of one lane and 32 bits."""
NAMES = (INDEX, *(f"{each} {kind}" for each in CLASSES for kind in KINDS))

_BOOL = Type("uint", 1)
_SHUFFLES = frozenset(("concat_vectors", "interleave_vectors", "extract_element", "slice_vectors", "shuffle"))
_CHOICES = frozenset(("select", "if_then_else", "mux"))
"""Calls whose value has the type of their second argument, where none is written."""
_MATH_OF_VECTORS = frozenset(("exp_f32", "exp_f16", "log_f32", "log_f16", "pow_f32", "pow_f16"))
"""Halide computes these at once for all lanes (``src/CodeGen_LLVM.cpp``); others are called lane by lane."""
_NEVER_INDEX = ("divide", "math", "call")
_TESTS = ("is_nan", "is_inf", "is_finite")


@dataclass(slots=True)
class Work:
    """What was counted: instructions by their names in `NAMES`, the loads, and the names that were used.

    Attributes:
        addresses: names that were used in addresses only, where arithmetic costs nothing, but loads do.
        reduced: lanes of the widest vector whose elements are combined with each other; 1 if there is none.
    """

    operations: dict[str, float] = field(default_factory=dict[str, float])
    loads: list[Load] = field(default_factory=list[Load])
    names: set[str] = field(default_factory=set[str])
    addresses: set[str] = field(default_factory=set[str])
    reduced: int = 1

    def add(self, other: Work, *, times: float = 1.0) -> None:
        """Adds what another one counted, so many times."""
        for name, count in other.operations.items():
            self.operations[name] = self.operations.get(name, 0.0) + times * count
        self.loads += other.loads
        self.names |= other.names
        self.addresses |= other.addresses
        self.reduced = max(self.reduced, other.reduced)


class Counter:
    """Counts expressions.

    `types` is what is known of names and buffers; the caller adds to it. `bind` is told what names stand for that are
    bound within an expression.
    """

    def __init__(self, types: dict[str, Type], datapath_bits: int, bind: Callable[[str, Expression], None]) -> None:
        self.types = types
        self._bind = bind
        self._datapath_bits = datapath_bits

    def __call__(self, expression: Expression, work: Work) -> Type:
        """Adds to a work what an expression does; returns its type."""
        match expression:
            case Name():
                work.names.add(expression.name)
                return expression.type or self.types.get(expression.name, INT)
            case Binary():
                return self._binary(expression, work)
            case Number():
                return expression.type
            case Load():
                return self._load(expression, work)
            case Call():
                return self._call(expression, work)
            case Cast():
                return self._cast(expression, work)
            case Ramp():
                base = self(expression.base, work)
                return Type(base.kind, base.bits, base.lanes * expression.lanes)
            case Broadcast():
                value = self(expression.value, work)
                return Type(value.kind, value.bits, value.lanes * expression.lanes)
            case Not():
                return self(expression.value, work)
            case Let():
                self.types[expression.name] = self(expression.value, work)
                self._bind(expression.name, expression.value)
                return self(expression.body, work)
            case Text():
                return HANDLE

    def load_type(self, load: Load) -> Type:
        """The type of what is loaded, without the lanes."""
        found = load.type or self.types.get(load.buffer, HANDLE)
        return Type(found.kind, found.bits)

    def _add(self, which: str | None, type_: Type, work: Work) -> None:
        if which is None:
            return
        scalar = type_.lanes == 1 and type_.kind in ("int", "uint", "handle")
        of_index = scalar and (type_.bits == 32 or type_ == _BOOL) and which not in _NEVER_INDEX
        self._count(INDEX if of_index else f"{which} {_kind(type_)}", 1.0 if scalar else self._computed(type_), work)

    def _count(self, name: str, count: float, work: Work) -> None:
        work.operations[name] = work.operations.get(name, 0.0) + count

    def registers(self, type_: Type) -> float:
        """Steps that the processor's vector unit takes for a vector of Halide; 1 at least."""
        return max(1.0, type_.lanes * max(8, type_.bits) / self._datapath_bits)

    def _computed(self, type_: Type) -> float:
        """The same for one that is computed: floats of 16 bits are computed as those of 32."""
        return self.registers(Type(type_.kind, 32, type_.lanes) if "float" in type_.kind and type_.bits < 32 else type_)

    def _binary(self, each: Binary, work: Work) -> Type:
        left, right = self(each.left, work), self(each.right, work)
        found = left if left.lanes >= right.lanes else right
        which = OPERATORS[each.operator].cost
        if which == "divide":
            self._divide(each.right, found, work, remainder=each.operator == "%")
        else:
            self._add(which, found, work)
        return Type("uint", 1, found.lanes) if which == "select" else found

    def _divide(self, divisor: Expression, type_: Type, work: Work, *, remainder: bool) -> None:
        """By a constant, integers are multiplied; else each is divided for itself, for no processor divides vectors."""
        if "float" in type_.kind:
            self._add("divide", type_, work)
            return
        number = divisor.value if isinstance(divisor, Broadcast) else divisor
        if not isinstance(number, Number):
            self._count(f"divide {_kind(type_)}", type_.lanes, work)
            return
        if number.value & (number.value - 1) if isinstance(number.value, int) else 1:  # no power of two
            self._add("multiply", type_, work)
            if remainder:
                self._add("multiply", type_, work)
                self._add("add", type_, work)
        self._add("add", type_, work)

    def _call(self, each: Call, work: Work) -> Type:
        if (plain := as_operator(each)) is not None:
            return self._binary(plain, work)
        types = [self(argument, work) for argument in each.arguments]
        name = each.name
        if name in _SHUFFLES:
            found = _shuffled(each, types)
            self._add("shuffle", found, work)
            return found
        found = each.type or (types[1] if name in _CHOICES and len(types) > 1 else INT)
        if name.startswith("vector_reduce"):
            lanes = max(found.lanes, types[0].lanes if types else 1)
            self._add("add", Type(found.kind, found.bits, lanes), work)
            work.reduced = max(work.reduced, lanes)
        elif name in CALLS and CALLS[name].cost == "math" and name not in _MATH_OF_VECTORS:
            self._count(f"math {_kind(found)}", found.lanes, work)
        elif name in CALLS:
            # A test of floats is counted as those are, as a comparison is.
            self._add(CALLS[name].cost, types[0] if name.startswith(_TESTS) else found, work)
        elif not name.startswith("_halide_buffer"):
            self._add("call", found, work)
        return found

    def _cast(self, each: Cast, work: Work) -> Type:
        found = self(each.value, work)
        if not each.bits:
            self._add("cast", each.type if each.type.bits >= found.bits else found, work)
        return each.type

    def _load(self, each: Load, work: Work) -> Type:
        work.loads.append(each)
        lanes = self.address(each.index, work)
        if each.predicate is not None:
            self(each.predicate, work)
        found = self.load_type(each)
        return Type(found.kind, found.bits, lanes)

    def address(self, index: Expression, work: Work) -> int:
        """Adds what the address of an access costs; returns its lanes.

        Arithmetic of one lane is folded into it, or hoisted; that of many is done, unless it is a ramp.
        """
        found = Work()
        lanes = self(index, found).lanes
        if lanes > 1 and not isinstance(index, Ramp):
            work.add(found)
        else:
            work.loads += found.loads
            work.addresses |= found.names | found.addresses
        return lanes


def _kind(type_: Type) -> str:
    if "float" in type_.kind:
        return "float"
    return "narrow" if type_.bits <= 16 else "wide"


def _shuffled(call: Call, types: list[Type]) -> Type:
    """The type of ``slice_vectors(v, ..., begin, stride, lanes)``, ``shuffle(v, ..., lane, ...)`` and the like."""
    first, last = types[0], call.arguments[-1]
    match call.name:
        case "concat_vectors" | "interleave_vectors":
            lanes = sum(each.lanes for each in types)
        case "extract_element":
            lanes = 1
        case "slice_vectors" if isinstance(last, Number):
            lanes = int(last.value)
        case "shuffle":
            lanes = len([*takewhile(lambda each: isinstance(each, Number), reversed(call.arguments))])
        case _:
            lanes = first.lanes
    return Type(first.kind, first.bits, max(1, lanes))
