"""Where floats take part, and how long reductions are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hltune.pipeline.operations import forecast, rounded_outputs, takes_signs
from hltune.runtime.worker import Process
from hltune.values.pipeline import FuncInfo
from tests.loading import fresh
from tests.pipeline.conftest import Load
from tests.search.made_up import pipeline

HEAD = """
import halide as hl


def pipeline():
    x, y = hl.vars("x y")
    r = hl.RDom([hl.Range(0, 4)], "r")
    im, f, g = hl.ImageParam(hl.UInt(8), 2, "im"), hl.Func("f"), hl.Func("g")
"""
TAIL = """
    for each in (im, f):
        each.set_estimates([hl.Range(0, 8), hl.Range(0, 4)])
    return f
"""


@pytest.mark.parametrize(
    ("lines", "rounded"),
    [
        ("f[x, y] = hl.Tuple([hl.f32(im[x, y]) / 3, im[x, y] + 1])", (True, False)),
        ("g[x, y] = hl.Tuple([hl.f32(im[x, y]), im[x, y]]); f[x, y] = hl.i32(g[x, y][1])", (False,)),
        ("g[x, y] = hl.Tuple([hl.f32(im[x, y]), im[x, y]]); f[x, y] = hl.i32(g[x, y][0])", (True,)),
        ("g[x, y] = im[x, y]; f[x, y] = hl.Tuple([g[x, y], hl.u8(hl.sqrt(im[x, y]))])", (False, True)),
        # What an element's update reads of another one.
        (
            "f[x, y] = hl.Tuple([hl.u8(hl.sqrt(im[x, y])), hl.u8(0), hl.u8(0)]);"
            "f[x, y] = hl.Tuple([f[x, y][0], f[x, y][1] + f[x, y][0], f[x, y][2] + 1])",
            (True, True, False),
        ),
        # Where values go, and whether they do, is the same for all elements.
        (
            "f[x, y] = hl.Tuple([im[x, y], hl.u8(0)]);"
            "f[x, hl.clamp(hl.i32(hl.sqrt(im[x, r])), 0, 3)] = hl.Tuple([hl.u8(1), hl.u8(2)])",
            (True, True),
        ),
        (
            "f[x, y] = hl.Tuple([im[x, y], hl.u8(0)]); r.where(hl.sqrt(im[r, 0]) > 3);"
            "f[x, y] = hl.Tuple([f[x, y][0] + im[r, 0], hl.u8(2)])",
            (True, True),
        ),
        # How far a reduction goes, and where it begins.
        (
            "p = hl.Param(hl.Float(32), 'p', 1); s = hl.RDom([hl.Range(0, hl.i32(p))], 's'); f[x, y] += im[x, s]",
            (True,),
        ),
        (
            "p = hl.Param(hl.Float(32), 'p', 1); s = hl.RDom([hl.Range(hl.i32(p), 2)], 's'); f[x, y] += im[x, s]",
            (True,),
        ),
        ("p = hl.Param(hl.Int(32), 'p', 3); s = hl.RDom([hl.Range(p, p * 10)], 's'); f[x, y] += im[x, s]", (False,)),
    ],
)
def test_floats_take_part_in_single_elements(load: Load, tmp_path: Path, lines: str, rounded: tuple[bool, ...]) -> None:
    path = tmp_path / "tuples.py"
    path.write_text(HEAD + "".join(f"    {line.strip()}\n" for line in lines.split(";")) + TAIL)
    assert rounded_outputs(load(f"{path}:pipeline", checked=False)) == rounded


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ("f[x, y] = hl.max(im[x, y] - 1, 0)", True),
        ("f[x, y] = hl.select(im[x, y] < 0, im[x, y], 2 * im[x, y])", True),
        ("f[x, y] = hl.u8(im[x, y] < 0)", True),
        ("f[x, y] = hl.u8(hl.select(im[x, y] < 0, 1, 2))", True),
        ("f[x, y] = hl.f32(hl.f64(im[x, y]) * x)", True),
        ("f[x, y] = hl.u8(im[x, y] * 255 + 0.5)", False),
        ("f[x, y] = hl.i32(hl.select(im[x, y] < 0, im[x, y], 2))", False),
        ("f[x, y] = hl.i32(hl.floor(im[x, y] * 10))", False),
        ("f[x, y] = im[hl.clamp(hl.i32(im[x, y]), 0, 7), y]", False),
        ("f[x, y] = hl.u8(hl.sqrt(hl.f32(x)))", False),
        ("f[x, y] = 0.0; f[x, hl.clamp(hl.i32(im[x, r]), 0, 3)] += 1.0", False),
    ],
)
def test_floats_may_be_negative_where_none_becomes_an_integer(
    load: Load, tmp_path: Path, line: str, takes: bool
) -> None:
    path, text = tmp_path / "signs.py", HEAD + "".join(f"    {each.strip()}\n" for each in line.split(";")) + TAIL
    path.write_text(text.replace('hl.UInt(8), 2, "im"', 'hl.Float(32), 2, "im"'))
    assert takes_signs(load(f"{path}:pipeline", checked=False)) == takes
    path.write_text(HEAD + "    f[x, y] = im[x, y] + 1\n" + TAIL)
    assert not takes_signs(load(f"{path}:pipeline", checked=False))


def test_constant_extents_of_reductions_are_known(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "sums.py"
    lines = (
        "s = hl.RDom([hl.Range(0, 3), hl.Range(0, im.height() - 1)], 's')",
        "g[x, y] = hl.u8(0)",
        "g[x, y] += im[x, r]",
        "g[x, 0] += im[s.x, s.y]",
        "f[x, y] = g[x, y]",
    )
    path.write_text(HEAD + "".join(f"    {line}\n" for line in lines) + TAIL)
    _, g, f = load(f"{path}:pipeline", checked=False).funcs
    assert g == FuncInfo(
        name="g",
        args=("x", "y"),
        updates=(("r_x",), ("s_x", "s_y")),
        update_args=(("x", "y"), ("x",)),
        extents=((4,), (3, None)),
    )
    assert f.extents == ()


LONG = 1200
"""Funcs in a chain: more than Python lets calls be nested."""


@dataclass(frozen=True)
class ChainJob:
    """Serializes a chain of Funcs, each of which adds to the one before."""

    def run(self, process: Process) -> bytes:
        import halide as hl

        process.enter("chain", timeout_s=60)
        x, last = hl.Var("x"), hl.ImageParam(hl.UInt(8), 1, "im")
        for number in range(LONG):
            func = hl.Func(f"f{number}")
            func[x] = last[x] + 1
            last = func
        return hl.serialize_pipeline(hl.Pipeline([last]))


def test_work_is_foreseen_for_a_long_chain() -> None:
    found = forecast(replace(pipeline(FuncInfo(name="f", args=("x",))), hlpipe=fresh(ChainJob())))
    # Each asks once for the one before: no value is computed again.
    assert found.inlined == found.at_root > 3 * LONG
    assert found.inlined_first
