"""A pipeline of three stages, and schedules of it with one flaw each, planted on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import halide as hl


def sharpened(width: int = 4096, height: int = 3072) -> hl.Func:
    """What a blur takes away from an image of floats, added to it."""
    return _sharpened(width, height, lambda value: value)


def sharpened_roots(width: int = 2048, height: int = 1536) -> hl.Func:
    """The same with a first stage that takes long to compute."""
    return _sharpened(width, height, hl.sqrt)


def _sharpened(width: int, height: int, first: Callable[[hl.Expr], hl.Expr]) -> hl.Func:
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    rows, blurred, output = hl.Func("rows"), hl.Func("blurred"), hl.Func("sharp")
    rows[x, y] = first(image[x, y]) + 2.0 * first(image[x + 1, y]) + first(image[x + 2, y])
    blurred[x, y] = (rows[x, y] + 2.0 * rows[x, y + 1] + rows[x, y + 2]) / 16.0
    output[x, y] = 2.0 * image[x + 1, y + 1] - blurred[x, y]
    image.set_estimates([hl.Range(0, width + 2), hl.Range(0, height + 2)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


def chained(width: int = 512, height: int = 512, stages: int = 40) -> hl.Func:
    """Many stages that take as long as each other."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    values = hl.Func("link_0")
    values[x, y] = image[x, y] + 1.0
    for number in range(1, stages):
        former, values = values, hl.Func(f"link_{number}")
        values[x, y] = former[x, y] * 0.5 + former[x + 1, y]
    image.set_estimates([hl.Range(0, width + stages), hl.Range(0, height)])
    values.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return values


def paired(width: int = 2048, height: int = 1024) -> hl.Func:
    """Two values of each point, of which the output needs both."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    pair, output = hl.Func("pair"), hl.Func("both")
    pair[x, y] = (hl.sqrt(image[x, y]), image[x, y] * 2.0)
    output[x, y] = pair[x, y][0] + pair[x + 1, y][1]
    image.set_estimates([hl.Range(0, width + 1), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


def bordered(width: int = 2048, height: int = 1024) -> hl.Func:
    """Sums of neighbours of an image whose edges are repeated, so that loops at its edges are others."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    edge = hl.BoundaryConditions.repeat_edge(image)
    sums, output = hl.Func("sums"), hl.Func("all")
    sums[x, y] = edge[x - 1, y] + edge[x + 1, y]
    output[x, y] = sums[x, y - 1] + sums[x, y + 1]
    image.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


def summed(width: int = 4096, height: int = 32) -> hl.Func:
    """Sums of columns."""
    x, r = hl.Var("x"), hl.RDom([hl.Range(0, height)], "r")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    sums, output = hl.Func("sums"), hl.Func("means")
    sums[x] = 0.0
    sums[x] += image[x, r.x]
    output[x] = sums[x] / height
    image.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, width)])
    return output


def windowed(width: int = 256, height: int = 4) -> hl.Func:
    """Sums of columns and of rows, of which each is needed twice: a Func of three stages, and one without a name."""
    x, r = hl.Var("x"), hl.RDom([hl.Range(0, height)], "r")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    columns, lines, output = hl.Func("columns"), hl.Func("lines"), hl.Func("twice")
    columns[x] = 0.0
    columns[x] += image[x, r.x]
    columns[x] += hl.sqrt(image[x, r.x])
    lines[x] = hl.sum(image[x + r.x, 0])
    output[x] = columns[x] + columns[x + 1] + lines[x] * lines[x + 1]
    image.set_estimates([hl.Range(0, width + height), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, width)])
    return output


def dashed(width: int = 512, height: int = 256) -> hl.Func:
    """A Func and a variable whose names are no identifiers."""
    x, y = hl.Var("x-column"), hl.Var("y")
    image = hl.ImageParam(hl.Float(32), 2, "image")
    rows, output = hl.Func("blur-x"), hl.Func("blur-xy")
    rows[x, y] = image[x, y] + image[x + 1, y]
    output[x, y] = rows[x, y] - rows[x, y + 1]
    image.set_estimates([hl.Range(0, width + 1), hl.Range(0, height + 1)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


def coloured(width: int = 512, height: int = 256) -> hl.Func:
    """Three channels, side by side in memory."""
    x, y, c = hl.vars("x y c")
    image = hl.ImageParam(hl.Float(32), 3, "image")
    output = hl.Func("bright")
    output[c, x, y] = hl.sqrt(image[c, x, y]) + 1.0
    image.set_estimates([hl.Range(0, 3), hl.Range(0, width), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, 3), hl.Range(0, width), hl.Range(0, height)])
    return output


def counted(width: int = 1024, height: int = 1024) -> hl.Func:
    """How many pixels of an image have each value, and at each pixel, how many are like it."""
    x, y, value = hl.vars("x y value")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    r = hl.RDom([hl.Range(0, width), hl.Range(0, height)], "r")
    counts, output = hl.Func("counts"), hl.Func("alike")
    counts[value] = hl.u32(0)
    counts[hl.i32(image[r.x, r.y])] += hl.u32(1)
    output[x, y] = counts[hl.i32(image[x, y])]
    image.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


def stepped(width: int = 512, height: int = 256) -> hl.Func:
    """Whole numbers of 32 bits: a copy of an image, steps in it, of which each is needed three times, and bends."""
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.Int(32), 2, "image")
    copied, steps, output = hl.Func("copied"), hl.Func("steps"), hl.Func("bends")
    copied[x, y] = image[x, y]
    steps[x, y] = copied[x + 1, y] - copied[x, y]
    output[x, y] = steps[x, y + 2] - 2 * steps[x, y + 1] + steps[x, y]
    image.set_estimates([hl.Range(0, width + 1), hl.Range(0, height + 2)])
    output.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    return output


class Flaw(NamedTuple):
    """A schedule, and who has which fault in it."""

    kind: str
    stage: str
    text: str
    entry: str = "sharpened"


_GOOD_OUTPUT = "sharp.split(y, y, yi, 32).split(x, x, xi, 8).vectorize(xi).parallel(y);"
_GOOD_ROWS = "rows.store_at(sharp, y).compute_at(sharp, yi).split(x, x, xi, 8).vectorize(xi);"
GOOD = f"{_GOOD_OUTPUT} {_GOOD_ROWS}"

FLAWS = (
    Flaw("scalar", "sharp", f"sharp.split(y, y, yi, 32).parallel(y); {_GOOD_ROWS}"),
    Flaw("recomputed", "rows", f"{_GOOD_OUTPUT} rows.compute_at(sharp, x).split(x, x, xi, 8).vectorize(xi);"),
    Flaw(
        "rounded",
        "bright",
        "bright.split(c, c, ci, 64, TailStrategy::GuardWithIf).vectorize(ci).parallel(y);",
        "coloured",
    ),
    Flaw("inlined", "rows", _GOOD_OUTPUT, "sharpened_roots"),
    Flaw(
        "scattered",
        "sharp",
        "sharp.split(y, y, yi, 8).reorder(yi, x, y).vectorize(yi).parallel(y);"
        "rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);",
    ),
    Flaw(
        "scattered",
        "all",
        "all.split(x, x, xi, 8).vectorize(xi).parallel(y).partition(x, Partition::Never);",
        "bordered",
    ),
    Flaw(
        "pages",
        "sharp",
        "sharp.split(x, x, xi, 8).reorder(xi, y, x).vectorize(xi).parallel(x);"
        "rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);",
    ),
    Flaw(
        "chained",
        "sums.update(0)",
        "sums.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(x);"
        "sums.update(0).split(x, x, xi, 8).reorder(xi, r_x, x).vectorize(xi).parallel(x);"
        "means.split(x, x, xi, 8).vectorize(xi).parallel(x);",
        "summed",
    ),
    Flaw(
        "idle",
        "sharp",
        "sharp.split(y, y, yi, 3072).split(x, x, xi, 8).vectorize(xi).parallel(y);"
        "rows.store_at(sharp, y).compute_at(sharp, yi).split(x, x, xi, 8).vectorize(xi);",
    ),
    Flaw(
        "launches",
        "sharp",
        "sharp.split(x, xo, xi, 1024).split(xi, xm, xv, 8).reorder(xv, xm, xo, y).vectorize(xv).parallel(xo);",
    ),
    Flaw("memory", "rows", f"{_GOOD_OUTPUT} rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);"),
)
