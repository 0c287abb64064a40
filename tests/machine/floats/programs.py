"""Pipelines where floats take part, each with ways to write it wrongly.

A maker takes the fault to make on purpose, or none: ``tap``, a neighbour one off; ``border``, a last row that repeats
the one before it; ``channel``, two channels swapped; ``stale``, a line of a sliding window that was not replaced.
"""

from __future__ import annotations

import halide as hl

WIDTH, HEIGHT = 96, 64
FAULTS = ("tap", "border", "channel", "stale")

x, y, c, i = hl.Var("x"), hl.Var("y"), hl.Var("c"), hl.Var("i")


class Fault:
    """What to get wrong, where the programs read their input."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind

    def row(self, at: hl.Expr) -> hl.Expr:
        """The row that is read for another one."""
        if self.kind == "border":
            return hl.select(at >= HEIGHT - 1, HEIGHT - 2, at)
        if self.kind == "stale":
            return hl.select(at == 24, 23, at)
        return at

    def tap(self, offset: int) -> int:
        """The last tap of a filter."""
        return offset + 1 if self.kind == "tap" else offset

    def channel(self, at: hl.Expr | int) -> hl.Expr:
        """The channel that is read for another one."""
        return hl.i32(1) - at if self.kind == "channel" else hl.i32(at)


class Source:
    """The image that a program reads: two channels, repeated beyond its edges."""

    def __init__(self, kind: hl.Type, fault: Fault) -> None:
        self.image = hl.ImageParam(kind, 3, "image")
        self.image.set_estimates([(0, WIDTH), (0, HEIGHT), (0, 2)])
        self.edge = hl.BoundaryConditions.repeat_edge(self.image)
        self.fault = fault

    def __call__(self, dx: int = 0, dy: int = 0, channel: hl.Expr | int | None = None) -> hl.Expr:
        if dx > 0:
            dx = self.fault.tap(dx)
        return self.at(x + dx, y + dy, c if channel is None else channel)

    def at(self, column: hl.Expr, row: hl.Expr, channel: hl.Expr | int) -> hl.Expr:
        last = hl.clamp(row, 0, HEIGHT - 1)
        return hl.f32(self.edge[column, self.fault.row(last), self.fault.channel(channel)])


def _stage(name: str, value: hl.Expr) -> hl.Func:
    func = hl.Func(name)
    func[x, y, c] = value
    return func


def blur_floats(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    rows = _stage("rows", (s(-1) * 0.3 + s() * 0.4 + s(1) * 0.3))
    return _stage("out", rows[x, y - 1, c] * 0.3 + rows[x, y, c] * 0.4 + rows[x, y + 1, c] * 0.3)


def blur_rounded(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    rows = _stage("rows", s(-1) * 0.271 + s() * 0.458 + s(1) * 0.271)
    blurred = rows[x, y - 1, c] * 0.271 + rows[x, y, c] * 0.458 + rows[x, y + 1, c] * 0.271
    return _stage("out", hl.u8_sat(blurred + 0.5))


def wide_mean(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    total = s(-3)
    for dx in (-2, -1, 0, 1, 2, 3):
        total = total + s(dx)
    return _stage("out", hl.u8(total / 7.0))


def pyramid(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(16), fault)
    fine = _stage("fine", s() * 0.6 + s(1) * 0.4)
    half = _stage("half", (fine[2 * x, 2 * y, c] + fine[2 * x + 1, 2 * y, c] + fine[2 * x, 2 * y + 1, c]) / 3.0)
    return _stage("out", hl.u16_sat(fine[x, y, c] * 0.55 + half[x / 2, y / 2, c] * 0.45))


def weighted_histogram(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    r = hl.RDom([(0, WIDTH)], "r")
    bins = hl.Func("bins")
    bins[i, y, c] = 0.0
    value = s.at(hl.clamp(r.x + fault.tap(0), 0, WIDTH - 1), y, c)
    bins[hl.clamp(hl.i32(value / 16.0), 0, 15), y, c] += hl.sqrt(value + 0.37) / 3.0
    out = hl.Func("out")
    out[i, y, c] = bins[i, y, c] * 1.7
    return out


def equalised(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    scaled = _stage("scaled", hl.pow(s(1) / 255.0, 0.71) * 255.0)
    return _stage("out", hl.u8_sat(scaled[x, y, c]))


def bilateral(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    total, weight = hl.f32(0.0), hl.f32(0.0)
    for dx, dy in ((-1, 0), (0, 0), (1, 0), (0, -1), (0, 1)):
        near = s(dx, dy)
        w = hl.exp(-(near - s()) * (near - s()) * 8.0)
        total, weight = total + near * w, weight + w
    return _stage("out", total / weight)


def bilateral_rounded(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    total, weight = hl.f32(0.0), hl.f32(0.0)
    for dx, dy in ((-1, 0), (0, 0), (1, 0), (0, 1)):
        near = s(dx, dy)
        w = 1.0 / (1.0 + (near - s()) * (near - s()) * 0.013)
        total, weight = total + near * w, weight + w
    return _stage("out", hl.u8(total / weight))


def table_lookup(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    table = hl.Func("table")
    table[i] = hl.u8((i * 7919) % 251)
    mixed = _stage("mixed", s(0, 0, 0) * 0.37 + s(1, 0, 1) * 0.81 + s(-1) * 0.29)
    return _stage("out", table[hl.clamp(hl.i32(mixed[x, y, c]), 0, 511)])


def table_of_image(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    lut = hl.ImageParam(hl.UInt(8), 1, "lut")
    lut.set_estimates([(0, 256)])
    mixed = _stage("mixed", s() * 143.3 + s(1) * 71.7)
    return _stage("out", lut[hl.clamp(hl.i32(mixed[x, y, c]), 0, 255)])


def long_sum(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    r = hl.RDom([(0, 64)], "r")
    total = _stage("total", hl.sum(s.at(x + r.x, y, c) * (1.0 / (1.0 + r.x)), "weighted"))
    return _stage("out", total[x, y, c] + total[x + fault.tap(1), y, c])


def row_sums(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    r = hl.RDom([(0, WIDTH)], "r")
    sums = hl.Func("sums")
    sums[y, c] = hl.f32(0.0)
    sums[y, c] += s.at(hl.clamp(r.x, 0, WIDTH - 1), y, c) * 0.77
    out = hl.Func("out")
    out[x, y, c] = s(1) / (sums[y, c] + 1.0)
    return out


def exp_chain(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    first = _stage("first", hl.exp(s(1) * 1.7) + hl.sqrt(s(-1) + 0.2))
    return _stage("out", hl.log(first[x, y, c] + hl.sqrt(first[x, y + 1, c])))


def scan(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    r = hl.RDom([(1, WIDTH - 1)], "r")
    filtered = hl.Func("filtered")
    filtered[x, y, c] = s(1)
    filtered[r.x, y, c] = filtered[r.x - 1, y, c] * 0.7 + filtered[r.x, y, c] * 0.3
    out = hl.Func("out")
    out[x, y, c] = filtered[x, y, c] * 2.0
    return out


def sharpened(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    soft = _stage("soft", (s(-1) + s() * 2.0 + s(1)) * 0.25)
    return _stage("out", hl.u8_sat(s() * 2.3 - (soft[x, y - 1, c] + soft[x, y + 1, c]) * 0.65))


def luminance(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    grey = hl.Func("grey")
    grey[x, y] = s(0, 0, 0) * 0.299 + s(1, 0, 1) * 0.701
    gain = grey[x, y] / (grey[x, y] + 64.0) * 1.5
    return _stage("out", hl.u8_sat(s() * gain))


def threshold(fault: Fault) -> hl.Func:
    s = Source(hl.UInt(8), fault)
    mean = _stage("mean", (s(-1) + s() + s(1)) * 0.3333)
    return _stage("out", hl.select(mean[x, y, c] * 1.01 > s(0, 1), hl.u8(255), hl.u8(0)))


def doubles(fault: Fault) -> hl.Func:
    s = Source(hl.Float(32), fault)
    fine = _stage("fine", hl.f64(s(-1)) * 0.1 + hl.f64(s()) * 0.2 + hl.f64(s(1)) / 3.0)
    return _stage("out", hl.sqrt(fine[x, y, c] + fine[x, y + 1, c]))


def variance(fault: Fault) -> hl.Func:
    """Cancels: a small difference of large numbers."""
    s = Source(hl.UInt(8), fault)
    value = _stage("value", s(1) + 200.0)
    mean = (value[x - 1, y, c] + value[x, y, c] + value[x + 1, y, c]) / 3.0
    squares = [value[x + dx, y, c] * value[x + dx, y, c] for dx in (-1, 0, 1)]
    return _stage("out", (squares[0] + squares[1] + squares[2]) / 3.0 - mean * mean)


def warp(fault: Fault) -> hl.Func:
    """Bilinear, at places that are computed."""
    s = Source(hl.UInt(8), fault)
    at = hl.f32(x) * 0.93 + hl.f32(y) * 0.11 + 0.217
    column = hl.i32(hl.floor(at))
    share = at - hl.floor(at)
    left = s.at(hl.clamp(column, 0, WIDTH), y, c)
    right = s.at(hl.clamp(column + fault.tap(1), 0, WIDTH), y, c)
    return _stage("out", hl.u8(left * (1.0 - share) + right * share))


def raised(fault: Fault) -> hl.Func:
    """What varies is little beside what all values have in common."""
    s = Source(hl.Float(32), fault)
    rows = _stage("rows", (s(-1) * 0.3 + s() * 0.4 + s(1) * 0.3))
    return _stage("out", 1e4 + rows[x, y - 1, c] * 0.3 + rows[x, y, c] * 0.4 + rows[x, y + 1, c] * 0.3)


PROGRAMS = (
    blur_floats,
    blur_rounded,
    wide_mean,
    pyramid,
    weighted_histogram,
    equalised,
    bilateral,
    bilateral_rounded,
    table_lookup,
    table_of_image,
    long_sum,
    row_sums,
    exp_chain,
    scan,
    sharpened,
    luminance,
    threshold,
    doubles,
    variance,
    warp,
    raised,
)


def program(name: str, wrong: str = "") -> hl.Func:
    """A program by its name, with a fault or without one."""
    out = {each.__name__: each for each in PROGRAMS}[name](Fault(wrong or None))
    first = 16 if name == "weighted_histogram" else WIDTH
    out.set_estimates([(0, first), (0, HEIGHT), (0, 2)])
    return out
