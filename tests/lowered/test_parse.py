"""The text of a lowered program is read as Halide's printer writes it."""

from __future__ import annotations

import math

import pytest

from hltune.lowered.parse import parse_lowered
from hltune.lowered.tree import (
    Allocate,
    Assert,
    Atomic,
    Binary,
    Bind,
    Block,
    Broadcast,
    Call,
    Cast,
    Consume,
    Evaluate,
    Expression,
    For,
    Free,
    If,
    Let,
    Load,
    Name,
    Not,
    Number,
    Produce,
    Ramp,
    Statement,
    Store,
    Text,
    Type,
)
from hltune.values.errors import HltuneError

INT, FLOAT = Type("int", 32), Type("float", 32)
X, Y, T = Name("x"), Name("y"), Name("t1.s")


def number(value: int) -> Number:
    return Number(value, INT)


def statement(text: str) -> Statement:
    (found,) = parse_lowered(text).statements
    return found


def expression(text: str) -> Expression:
    found = statement(f"let it = {text}\n")
    assert isinstance(found, Bind)
    return found.value


def test_names_in_use_need_not_be_identifiers() -> None:
    text = "allocate blur-x$1[uint8 * (t1.s - blur-x$1.s0.x-y.max)]\n"
    (found,) = parse_lowered(text, {"blur", "blur-x_1", "x-y"}).statements
    size = Binary("-", T, Name("blur-x$1.s0.x-y.max"))
    assert found == Allocate("blur-x$1", Type("uint", 8), (size,), "Auto", None)
    with pytest.raises(HltuneError):
        parse_lowered(text)


def test_names_may_begin_with_digits_and_have_spaces() -> None:
    text = "allocate 1st stage-ü$2[uint8 * (2 x.max - 7)]\n"
    (found,) = parse_lowered(text, {"1st stage-ü_2", "2 x", "7", "y"}).statements
    size = Binary("-", Name("2 x.max"), number(7))
    assert found == Allocate("1st stage-ü$2", Type("uint", 8), (size,), "Auto", None)
    (bound,) = parse_lowered("let it = (void *)1st stage-ü.buffer\n", {"1st stage-ü"}).statements
    assert isinstance(bound, Bind) and bound.value == Name("1st stage-ü.buffer", Type("handle", 64))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", number(7)),
        ("-7", number(-7)),
        ("(uint16)255", Number(255, Type("uint", 16))),
        ("0.113281f", Number(0.113281, FLOAT)),
        ("-1.000000e-08f", Number(-1e-8, FLOAT)),
        ("inff", Number(math.inf, FLOAT)),
        ("-inff", Number(-math.inf, FLOAT)),
        ("1.500000", Number(1.5, Type("float", 64))),
        ("2.000000h", Number(2.0, Type("float", 16))),
        ('"a \\"b\\" + (c"', Text('"a \\"b\\" + (c"')),
        ("output.s0.y.yi.block.$n.rebased", Name("output.s0.y.yi.block.$n.rebased")),
        ("(uint8)k", Name("k", Type("uint", 8))),
        ("x + -1", Binary("+", X, number(-1))),
        ("x - y", Binary("-", X, Y)),
        ("x*(y % 8)", Binary("*", X, Binary("%", Y, number(8)))),
        ("!(x <= y) && (x != 0)", Binary("&&", Not(Binary("<=", X, Y)), Binary("!=", X, number(0)))),
        ("min(x, max(y, 0))", Binary("min", X, Binary("max", Y, number(0)))),
        ("uint8x32(x)", Cast(Type("uint", 8, 32), X)),
        ("reinterpret<uint32>(x)", Cast(Type("uint", 32), X, bits=True)),
        ("x8(t1.s)", Broadcast(T, 8)),
        ("ramp(x*16, 1, 16)", Ramp(Binary("*", X, number(16)), number(1), 16)),
        ("f[ramp(x, 1, 8) aligned(8, 0)]", Load("f", Ramp(X, number(1), 8), None, None, 8)),
        ("f[ramp(x, 1, 8) aligned(8, 1)]", Load("f", Ramp(X, number(1), 8), None, None, 1)),
        ("f[ramp(x, 1, 8) aligned(8, 4)]", Load("f", Ramp(X, number(1), 8), None, None, 4)),
        ("(uint8x4)f[x]", Load("f", X, None, Type("uint", 8, 4))),
        ("(f[x] if (x < y))", Load("f", X, Binary("<", X, Y))),
        ("(f[x] if t1.s) + y", Binary("+", Load("f", X, T), Y)),
        ("f[x] if !t1.s", Load("f", X, Not(T))),
        ("(int32x8)widening_mul(x, y)", Call("widening_mul", (X, Y), Type("int", 32, 8))),
        ("now()", Call("now", ())),
        ("let t1.s = (x + y) in (t1.s*t1.s)", Let("t1.s", Binary("+", X, Y), Binary("*", T, T))),
        ("(void *)address_of(f[0])", Call("address_of", (Load("f", number(0)),), Type("handle", 64))),
        ("(struct halide_buffer_t *)input.buffer", Name("input.buffer", Type("handle", 64))),
        ("(const uint8_t *)f(x)", Call("f", (X,), Type("handle", 64))),
        ("(uint32)vector_reduce_add(t1.s)", Call("vector_reduce_add", (T,), Type("uint", 32))),
    ],
)
def test_expressions(text: str, expected: Expression) -> None:
    assert expression(text) == expected


STORE = Store("f", X, number(0), None, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f[x] = 0\n", STORE),
        ("f[x aligned(4, 0)] = 0\n", Store("f", X, number(0), None, 4)),
        ("predicate (x < y)\n f[x] = 0\n", Store("f", X, number(0), Binary("<", X, Y), 1)),
        (
            "f[x] = \n  let t1.s = x + y in\n  let u = t1.s in\n  u*y\n",
            Store("f", X, Let("t1.s", Binary("+", X, Y), Let("u", T, Binary("*", Name("u"), Y))), None, 1),
        ),
        ("for (x, 0, y) {\n f[x] = 0\n}\n", For("for", "x", number(0), Y, Block((STORE,)))),
        ("parallel (x, 0, y + 1) {\n}\n", For("parallel", "x", number(0), Binary("+", Y, number(1)), Block(()))),
        ("gpu_block<CUDA> (x, 0, y) {\n}\n", For("gpu_block", "x", number(0), Y, Block(()))),
        ("produce f {\n f[x] = 0\n}\n", Produce("f", Block((STORE,)))),
        ("consume f {\n}\n", Consume("f", Block(()))),
        ("if (x) {\n f[x] = 0\n}\n", If(X, Block((STORE,)), None)),
        ("if (x) {\n} else {\n f[x] = 0\n}\n", If(X, Block(()), Block((STORE,)))),
        ("if (x) {\n} else if (y) {\n f[x] = 0\n}\n", If(X, Block(()), Block((If(Y, Block((STORE,)), None),)))),
        (
            "allocate f[uint8 * (x + 2) * 8] in Stack\n",
            Allocate("f", Type("uint", 8), (Binary("+", X, number(2)), number(8)), "Stack", None),
        ),
        (
            "allocate f[uint8 * (64 * (x + 2) + 3)]\n",
            Allocate("f", Type("uint", 8), (number(64), Binary("+", X, number(2))), "Auto", None),
        ),
        ("allocate f[uint8 * (x + 3)]\n", Allocate("f", Type("uint", 8), (Binary("+", X, number(3)),), "Auto", None)),
        ("allocate f[float32 * 4] if x\n", Allocate("f", FLOAT, (number(4),), "Auto", X)),
        ("free f\n", Free("f")),
        ('assert(x == y, "no")\n', Assert(Binary("==", X, Y))),
        ("prefetch(x, y)\n", Evaluate(Call("prefetch", (X, Y)))),
        ("for_each[x] = 0\n", Store("for_each", X, number(0), None, 1)),
        ("fork {\n f[x] = 0\n} {\n f[x] = 0\n} \n", Block((Block((STORE,)), Block((STORE,))))),
        ("atomic (f) {\n f[x] = 0\n}\n", Atomic(Block((STORE,)), locked=False)),
        ("atomic (f, f.mutex) {\n f[x] = 0\n}\n", Atomic(Block((STORE,)), locked=True)),
    ],
)
def test_statements(text: str, expected: Statement) -> None:
    assert statement(text) == expected


def test_a_name_ends_with_its_line() -> None:
    found = parse_lowered("let t = f[x]\nif (x < y) {\n}\nlet u = t\n(void)f(x)\n".replace("(void)", "(void *)"))
    assert [type(each) for each in found.statements] == [Bind, If, Bind, Evaluate]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("f[x] = 0\nf[x = 0\n", 2),
        ("let x = \n", 1),
        ("for (x, 0) {\n}\n", 1),
        ("produce f {\n", 2),
        ("let x = (a + b + c)\n", 1),
        ("let x = ramp(0, 1, n)\n", 1),
        ("what is this?\n", 1),
    ],
)
def test_what_is_not_in_the_grammar_is_said_to_be(text: str, line: int) -> None:
    with pytest.raises(HltuneError, match=rf"line {line}:.*cannot read"):
        parse_lowered(text)
