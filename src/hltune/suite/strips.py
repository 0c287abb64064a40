"""The shape that all expert schedules have: strips of rows, with rolling line buffers of the repeated edge."""

STRIP_ROWS = 64
"""Rows per task: many tasks for the threads, and the few rows that neighbouring strips both copy hardly count."""

BLOCK_ROWS = 4
"""Output rows computed together: they share loads of the same input rows, and still fit into the registers."""

# A border vector of the edge is loaded byte by byte, in each row. Short vectors make that cheap, and copying the
# interior is bound by memory either way.
_EDGE_LANES = 16


def strips(lanes: int) -> str:
    """Schedules ``output``, with ``lanes`` pixels of ``BLOCK_ROWS`` rows at a time, and ``edge``.

    The clamps of x would cost more than the filter: inlined, every tap of a border vector is loaded byte by byte. So
    ``edge`` copies each row once, into a buffer that stays in the first-level cache. It is stored per strip and
    computed per block: from one block to the next only the new rows are copied, and Halide folds the buffer to the rows
    that are alive. The filter itself then has no border at all.

    The loops of ``output``, outermost first: strip (parallel), block, xo, row (unrolled), xi (vectorised).
    """
    return f"""
output.compute_root()
    .split(y, strip, yi, {STRIP_ROWS}).split(yi, block, row, {BLOCK_ROWS}).split(x, xo, xi, {lanes})
    .reorder(xi, row, xo, block, strip)
    .vectorize(xi).unroll(row).parallel(strip);
edge.store_at(output, strip).compute_at(output, block).vectorize(x, {_EDGE_LANES});
"""


HVX_LANES = 128
"""Bytes of a vector of the Hexagon DSP."""

HVX_BLOCK_ROWS = 8
"""As `BLOCK_ROWS`, for its 32 vector registers of that size."""


def hvx_strips() -> str:
    """The same for one thread of the Hexagon DSP, a vector of pixels of `HVX_BLOCK_ROWS` rows at a time.

    ``edge`` is copied by whole vectors, in rows that begin at a multiple of a vector and are rounded up to one: it
    repeats the border however far one asks. Storing it for all strips together would save the rows that
    neighbouring strips both copy, and take eight times the memory.
    """
    return f"""
output.compute_root()
    .split(y, strip, yi, {STRIP_ROWS}).split(yi, block, row, {HVX_BLOCK_ROWS}).split(x, xo, xi, {HVX_LANES})
    .reorder(xi, row, xo, block, strip)
    .vectorize(xi).unroll(row);
edge.store_at(output, strip).compute_at(output, block).align_storage(x, {HVX_LANES})
    .split(x, xo, xi, {HVX_LANES}, TailStrategy::RoundUp).vectorize(xi);
"""
