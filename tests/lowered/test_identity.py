"""The same programs have the same hash, whatever Halide calls things, and others have not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.lowered.identity import program_hash
from hltune.lowered.parse import parse_lowered

TEXT = """\
produce f {
 for (f.s0.y, 0, 16) {
  let t99 = f.s0.y*64
  let t98 = input.min.0 + t99
  for (f.s0.x.x, 0, 8) {
   f[ramp(t99 + (f.s0.x.x*8), 1, 8)] = input[ramp((f.s0.x.x*8) + t98, 1, 8)] + max(x8(uint8(3)), input[ramp(t98, 1, 8)])
  }
 }
}
"""


def identity(text: str) -> str:
    return program_hash(parse_lowered(text))


ORIGINAL = identity(TEXT)


@given(st.permutations(["t1", "t2", "a.s.t100", "zz$3"]))
def test_names_of_loops_and_values_do_not_matter(names: list[str]) -> None:
    text = TEXT
    for old, new in zip(("t99", "t98", "f.s0.y", "f.s0.x.x"), names, strict=True):
        text = re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.$])", new, text)
    assert identity(text) == ORIGINAL


@pytest.mark.parametrize(
    "old, new",
    [
        ("t99 + (f.s0.x.x*8)", "(f.s0.x.x*8) + t99"),
        ("max(x8(uint8(3)), input[ramp(t98, 1, 8)])", "max(input[ramp(t98, 1, 8)], x8(uint8(3)))"),
        ("input.min.0 + t99", "t99 + input.min.0"),
        ("f.s0.y*64", "64*f.s0.y"),
    ],
)
def test_operands_that_commute_may_be_written_in_any_order(old: str, new: str) -> None:
    assert old in TEXT and identity(TEXT.replace(old, new)) == ORIGINAL


def test_values_that_are_bound_one_after_the_other_may_be_bound_in_any_order() -> None:
    one = "let t1 = f.s0.y*64\n  let t2 = f.s0.y*32"
    other = "let t2 = f.s0.y*32\n  let t1 = f.s0.y*64"
    texts = [TEXT.replace("let t99 = f.s0.y*64", f"{each}\n  let t99 = t1 + t2") for each in (one, other)]
    assert identity(texts[0]) == identity(texts[1]) != ORIGINAL


@pytest.mark.parametrize(
    "old, new",
    [
        ("(f.s0.y, 0, 16)", "(f.s0.y, 0, 17)"),
        ("for (f.s0.y", "parallel (f.s0.y"),
        ("t99 + (f.s0.x.x*8)", "t99 - (f.s0.x.x*8)"),
        ("f.s0.y*64", "f.s0.y*65"),
        ("uint8(3)", "uint8(4)"),
        ("max(", "min("),
        ("input[ramp(t98, 1, 8)]", "other[ramp(t98, 1, 8)]"),
        ("input[ramp(t98, 1, 8)]", "input[ramp(t98, 2, 8)]"),
        ("ramp(t99 + (f.s0.x.x*8), 1, 8)", "ramp(t98 + (f.s0.x.x*8), 1, 8)"),
        ("(f.s0.x.x*8) + t98", "(f.s0.y*8) + t98"),
    ],
)
def test_what_differs_is_another_program(old: str, new: str) -> None:
    assert old in TEXT and identity(TEXT.replace(old, new)) != ORIGINAL


def test_when_a_value_is_loaded_matters() -> None:
    """Before the store and after it: the buffer is the same, its elements are not."""
    before = "let t = f[0]\nf[0] = uint8(1)\ng[0] = t\n"
    after = "f[0] = uint8(1)\nlet t = f[0]\ng[0] = t\n"
    assert identity(before) != identity(after)
