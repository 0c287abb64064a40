"""Small pipelines that between them have everything that a schedule can be about. Built in workers."""

from __future__ import annotations

from collections.abc import Callable

import halide as hl

from hltune.pipeline.build import spec_of
from hltune.values.pipeline import BufferArgument, Interval, PipelineSpec, ScalarArgument

PIPELINES: dict[str, Callable[[], PipelineSpec]] = {}


def _register(make: Callable[[], PipelineSpec]) -> Callable[[], PipelineSpec]:
    PIPELINES[make.__name__] = make
    return make


def _spec(
    name: str, outputs: list[hl.Func], estimates: list[tuple[Interval, ...]], **inputs: tuple[str, tuple[Interval, ...]]
) -> PipelineSpec:
    arguments = [BufferArgument(name=key, dtype=dtype, estimate=box) for key, (dtype, box) in inputs.items()]
    return spec_of(name, hl.serialize_pipeline(hl.Pipeline(outputs)), arguments, estimates)


def _box(*extents: int) -> tuple[Interval, ...]:
    return tuple((0, extent) for extent in extents)


@_register
def separable() -> PipelineSpec:
    x, y = hl.vars("x y")
    source = hl.ImageParam(hl.UInt(8), 2, "input")
    bounded = hl.BoundaryConditions.repeat_edge(source)
    names = ("min_y", "mid_y", "max_y")
    low, middle, high = (hl.Func(name) for name in names)
    column = [bounded[x, y + dy] for dy in (-1, 0, 1)]
    low[x, y] = hl.min(hl.min(column[0], column[1]), column[2])
    high[x, y] = hl.max(hl.max(column[0], column[1]), column[2])
    middle[x, y] = _median(*column)
    output = hl.Func("output")
    output[x, y] = _median(
        hl.max(hl.max(low[x - 1, y], low[x, y]), low[x + 1, y]),
        _median(middle[x - 1, y], middle[x, y], middle[x + 1, y]),
        hl.min(hl.min(high[x - 1, y], high[x, y]), high[x + 1, y]),
    )
    return _spec("separable", [output], [_box(1536, 1024)], input=("uint8", _box(1536, 1024)))


def _median(a: hl.Expr, b: hl.Expr, c: hl.Expr) -> hl.Expr:
    return hl.max(hl.min(hl.max(a, b), c), hl.min(a, b))


@_register
def convolution() -> PipelineSpec:
    x, y = hl.vars("x y")
    source, mask = hl.ImageParam(hl.UInt(8), 2, "input"), hl.ImageParam(hl.Int(16), 2, "mask")
    r = hl.RDom([hl.Range(0, 3), hl.Range(0, 3)], "r")
    total, output = hl.Func("total"), hl.Func("output")
    total[x, y] = hl.i32(1)
    total[x, y] += hl.i32(source[x + r.x, y + r.y]) * mask[r.x, r.y]
    total[x, 3] += x
    output[x, y] = hl.u8_sat(total[x, y] >> 4)
    return _spec(
        "convolution", [output], [_box(1000, 700)], input=("uint8", _box(1002, 702)), mask=("int16", _box(3, 3))
    )


@_register
def channels() -> PipelineSpec:
    x, y, c, k = hl.vars("x y c k")
    source, filters = hl.ImageParam(hl.Float(32), 3, "input"), hl.ImageParam(hl.Float(32), 2, "filter")
    r = hl.RDom([hl.Range(0, 3), hl.Range(0, 8)], "r")
    blur, mixed, output = hl.Func("blur"), hl.Func("mixed"), hl.Func("output")
    blur[x, y, c] = (source[x, y, c] + source[x + 1, y, c] + source[x, y + 1, c]) / 3
    mixed[x, y, k] = 0.5
    mixed[x, y, k] += blur[x + r.x, y, r.y] * filters[r.y, k]
    output[x, y, k] = hl.max(mixed[x, y, k], 0.0) + hl.sum(blur[x, y + r.x, r.y], "row")
    return _spec(
        "channels", [output], [_box(256, 200, 8)], input=("float32", _box(260, 204, 8)), filter=("float32", _box(8, 8))
    )


@_register
def two_outputs() -> PipelineSpec:
    x, y = hl.vars("x y")
    source = hl.ImageParam(hl.UInt(16), 2, "input")
    smooth, edges, shade = hl.Func("smooth"), hl.Func("edges"), hl.Func("shade")
    smooth[x, y] = (source[x, y] + source[x + 1, y + 1] + source[x, y + 2]) / 3
    edges[x, y] = hl.absd(smooth[x, y], smooth[x + 1, y])
    shade[x, y] = edges[x, y] // 2 + smooth[x, y + 1] // 2
    return _spec("two_outputs", [edges, shade], [_box(801, 600), _box(800, 600)], input=("uint16", _box(804, 604)))


@_register
def tuples() -> PipelineSpec:
    x, y = hl.vars("x y")
    source = hl.ImageParam(hl.UInt(8), 2, "input")
    r = hl.RDom([hl.Range(0, 5)], "r")
    best, output = hl.Func("best"), hl.Func("output")
    best[x, y] = (hl.i32(0), hl.u8(0))
    value = source[x + r.x, y]
    better = value > best[x, y][1]
    best[x, y] = (hl.select(better, r.x, best[x, y][0]), hl.select(better, value, best[x, y][1]))
    output[x, y] = (best[x, y][0] + best[x, y + 1][0], hl.f32(best[x, y][1]))
    return _spec("tuples", [output], [_box(640, 480)], input=("uint8", _box(644, 481)))


@_register
def histogram() -> PipelineSpec:
    x, y, i = hl.vars("x y i")
    source = hl.ImageParam(hl.UInt(8), 2, "input")
    r = hl.RDom([hl.Range(0, 512), hl.Range(0, 384)], "r")
    up = hl.RDom([hl.Range(1, 255)], "up")
    counts, sums, output = hl.Func("counts"), hl.Func("sums"), hl.Func("output")
    counts[i] = hl.i32(0)
    counts[hl.i32(source[r.x, r.y])] += 1
    sums[i] = counts[0]
    sums[up.x] = sums[up.x - 1] + counts[up.x]
    total = hl.Func("total")
    total[()] = hl.i32(0)
    total[()] += counts[hl.RDom([hl.Range(0, 256)], "all").x]
    output[x, y] = hl.u8(sums[hl.i32(source[x, y])] * 255 / total[()])
    return _spec("histogram", [output], [_box(512, 384)], input=("uint8", _box(512, 384)))


@_register
def small() -> PipelineSpec:
    x, y = hl.vars("x y")
    source = hl.ImageParam(hl.Float(32), 2, "input")
    first, second, output = hl.Func("first"), hl.Func("second"), hl.Func("output")
    first[x, y] = source[x, y] * 2 + source[x, y + 1]
    second[x, y] = hl.sqrt(first[x, y] + first[x + 1, y])
    output[x, y] = second[x, y] + second[x, y + 1]
    return _spec("small", [output], [_box(13, 5)], input=("float32", _box(14, 7)))


@_register
def odd_names() -> PipelineSpec:
    x, y, z = hl.Var(), hl.Var("class"), hl.Var("a__b")
    source = hl.ImageParam(hl.Float(32), 2, "input")
    first, second, output = hl.Func("2x"), hl.Func("pipeline"), hl.Func("output")
    first[x, y] = source[x, y] + source[x + 1, y]
    second[y, z] = first[z, y] * first[z, y + 1]
    output[x, y] = second[y, x] + second[y, x + 1]
    return _spec("odd--names", [output], [_box(640, 480)], input=("float32", _box(642, 482)))


@_register
def truth() -> PipelineSpec:
    """A scalar is a bool."""
    x = hl.Var("x")
    flag, output = hl.Param(hl.Bool(), "flag", True), hl.Func("output")
    output[x] = hl.select(flag, x, -x)
    argument = ScalarArgument(name="flag", dtype="bool", estimate=True)
    return spec_of("truth", hl.serialize_pipeline(hl.Pipeline(output)), [argument], [_box(64)])
