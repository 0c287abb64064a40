"""The same programs have the same hash, whatever Halide calls things, and others have not."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import halide as hl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.lowered.identity import program_hash
from hltune.lowered.job import lower
from hltune.lowered.names import dimension_of, loop_of
from hltune.lowered.parse import parse_lowered
from hltune.pipeline.build import spec_of
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.pipeline import BufferArgument
from hltune.values.roles import Stage

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


def test_what_is_atomic_and_what_waits_for_a_mutex_matter() -> None:
    """Not what the mutex is called."""
    around = ("fork", "atomic (f)", "atomic (f, f.mutex)", "atomic (f, g)")
    plain, atomic, locked, other = (identity(f"{each} {{\nf[0] = uint8(1)\n}}\n") for each in around)
    assert len({plain, atomic, locked}) == 3 and locked == other


def test_when_a_value_is_loaded_matters() -> None:
    """Before the store and after it: the buffer is the same, its elements are not."""
    before = "let t = f[0]\nf[0] = uint8(1)\ng[0] = t\n"
    after = "f[0] = uint8(1)\nlet t = f[0]\ng[0] = t\n"
    assert identity(before) != identity(after)


@pytest.mark.parametrize(
    "one, other",
    [
        ("f_intm", "f_intm$3"),  # what an rfactor makes
        ("f.g.s0.y.$n_4.head", "f.g.s0.rows.$n_31.head"),  # where the next element of folded storage belongs
    ],
)
def test_names_that_halide_counts_do_not_matter(one: str, other: str) -> None:
    assert identity(TEXT.replace("input[", f"{one}[")) == identity(TEXT.replace("input[", f"{other}["))


def test_of_counted_names_each_is_another() -> None:
    texts = [TEXT.replace("input[", "f_intm[", 1).replace("input[", f"{other}[") for other in ("f_intm", "f_intm$1")]
    assert identity(texts[0]) != identity(texts[1])


@pytest.mark.parametrize(
    "text",
    [
        "part = TOTAL.update(0).rfactor({{R, u}}); part.compute_root(); TOTAL.compute_root();",
        "TOTAL.store_root().compute_at(OUTPUT, y).fold_storage(y, 4);",
    ],
)
def test_a_schedule_makes_the_same_program_every_time(text: str) -> None:
    """Halide counts names from one lowering to the next."""
    x, y = hl.vars("x y")
    source, r = hl.ImageParam(hl.UInt(8), 2, "input"), hl.RDom([hl.Range(0, 8)], "r")
    total, output = hl.Func("total"), hl.Func("output")
    total[x, y] = hl.cast(hl.UInt(32), 0)
    total[x, y] += hl.cast(hl.UInt(32), source[x + r.x, y])
    output[x, y] = total[x, y] + total[x, y + 1] + total[x, y + 2]
    box = ((0, 64), (0, 64))
    arguments = [BufferArgument(name="input", dtype="uint8", estimate=((0, 71), (0, 66)))]
    spec = spec_of("totals", hl.serialize_pipeline(hl.Pipeline([output])), arguments, [box])
    _, sums, last = spec.funcs
    for name, real in (("TOTAL", sums.name), ("OUTPUT", last.name), ("R", sums.updates[0][0])):
        text = re.sub(rf"\b{name}\b", real, text)
    schedule = parse_schedule(text, spec.funcs)
    hashes = [identity(lower(spec, schedule, "host").text) for _ in range(3)]
    assert len(set(hashes)) == 1


@pytest.mark.parametrize(
    "name, stage, var, dimension",
    [
        ("f.s0.y.yi", Stage("f"), "yi", "y"),
        ("f$2.s1.r4$x", Stage("f_2", 0), "r4_x", "r4_x"),
        ("f.s0.c.rebased", Stage("f"), "c", "c"),
        ("f.s0.y.yi.block.$n.$n.rebased", Stage("f"), "block", "y"),  # windows slide along it
        ("f.s0.fused.y", Stage("f"), "y", "y"),  # shared by compute_with
        ("f.s0.y.fused.yi", Stage("f"), "yi", "y"),
        ("f.s0.x.fused", Stage("f"), "fused", "x"),  # called so by a schedule
    ],
)
def test_loops_are_told_by_their_names_in_the_schedule(name: str, stage: Stage, var: str, dimension: str) -> None:
    assert (loop_of(name), dimension_of(name)) == ((stage, var), dimension)


@pytest.mark.parametrize("in_memory", [True, False])
def test_lowering_leaves_no_file_wherever_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    def refused(name: str) -> int:
        raise PermissionError(name)

    if in_memory:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(os, "memfd_create", refused)
    x, func = hl.Var("x"), hl.Func("ramp")
    func[x] = hl.cast(hl.UInt(8), x)
    spec = spec_of("ramp", hl.serialize_pipeline(hl.Pipeline([func])), [], [((0, 64),)])
    assert "produce ramp" in lower(spec, Schedule(), "host").text
    assert not list(tmp_path.iterdir())
