"""A recursive blur: a filter of first order, forwards and backwards, down the columns and then along the rows.

Inputs: ``input``, float32, shape (width, height, 3), indexed x, y, c; ``alpha``, float32, usually 0.1, above 0 and at
most 1: the share of a pixel in its own blurred value. Everything is float32, and the order of the operations is free.
Nothing outside of the image is ever needed: every recursion starts with the first pixel itself.

``blurred(s)`` of a sequence s(0) .. s(n-1) is ``u``::

    v(0)   = s(0)
    v(k)   = (1 - alpha) * v(k - 1) + alpha * s(k)      for k = 1 .. n-1
    u(n-1) = v(n-1)
    u(k)   = (1 - alpha) * u(k + 1) + alpha * v(k)      for k = n-2 .. 0

Output: ``output``, float32, of the shape of ``input``: each column (x and c fixed, k = y) of ``input`` is blurred, then
each row (y and c fixed, k = x) of the result.

How: only columns are ever blurred, in neighbouring vectors of x, and the result is transposed; done twice, the image is
upright again.
"""

import halide as hl

from hltune.suite.apps.shared import image, scalar
from hltune.suite.images import estimated


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Blurs columns and transposes, twice."""
    source, alpha = image("input", hl.Float(32), width, height, 3), scalar("alpha", hl.Float(32), 0.1)
    columns = _blurred_columns("columns", source, source.dim(1).extent(), alpha)
    turned = _transposed("turned", columns)
    rows = _blurred_columns("rows", turned, source.dim(0).extent(), alpha)
    return estimated(_transposed("output", rows), width, height, 3)


def expert(vector_bytes: int) -> str:
    """Strips of 64 columns: read once, blurred down and up in a buffer of their own, and written transposed.

    A strip, as tall as the image, fits into the second-level cache or a small part of the third. Both recursions go
    through it row by row, several vectors side by side, so that none waits for the one before.
    """
    lanes = vector_bytes // 4
    return "".join(
        f"""
{turned}.compute_root()
    .split(y, strip, yi, 64).split(yi, yo, yi, {lanes}).split(x, xo, xi, {lanes})
    .reorder(xi, yi, yo, xo, strip, c).vectorize(xi).unroll(yi).parallel(strip).parallel(c);
{blurred}.compute_at({turned}, strip);
{blurred}.update(0).vectorize(x, {lanes});
{blurred}.update(1).reorder(x, down_x).vectorize(x, {lanes}).unroll(x);
{blurred}.update(2).reorder(x, up_x).vectorize(x, {lanes}).unroll(x);
"""
        for blurred, turned in (("columns", "turned"), ("rows", "output"))
    )


def _blurred_columns(name: str, source: hl.ImageParam | hl.Func, height: hl.Expr, alpha: hl.Param) -> hl.Func:
    """Forwards, then backwards in the same memory. Nothing is computed before the updates, which write every pixel."""
    x, y, c = hl.vars("x y c")
    down, up = (hl.RDom([hl.Range(1, height - 1)], each) for each in ("down", "up"))
    blurred, above, here = hl.Func(name), down.x - 1, height - 1 - up.x
    blurred[x, y, c] = hl.undef(hl.Float(32))
    blurred[x, 0, c] = source[x, 0, c]
    blurred[x, down.x, c] = (1 - alpha) * blurred[x, above, c] + alpha * source[x, down.x, c]
    blurred[x, here, c] = (1 - alpha) * blurred[x, here + 1, c] + alpha * blurred[x, here, c]
    return blurred


def _transposed(name: str, source: hl.Func) -> hl.Func:
    x, y, c = hl.vars("x y c")
    transposed = hl.Func(name)
    transposed[x, y, c] = source[y, x, c]
    return transposed
