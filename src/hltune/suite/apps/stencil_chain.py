"""Stencil chain: 32 weighted sums over 5x5 pixels, one after the other, in 16-bit numbers that wrap around.

Input: ``input[x, y]``, uint16, of any width and height (in NumPy: shape (height, width)).

Outside of the image, ``edge[x, y]`` repeats the nearest pixel of ``input``, however far outside.

Stage 0 is ``edge``. Each of the stages 1 to 32 is, modulo 2**16::

    stage[k][x, y] = sum over dx, dy in -2..2 of (dx + 3) * (dy + 3) * stage[k - 1][x + dx, y + dy]

The weights are thus the products of 1 2 3 4 5 in x and 1 2 3 4 5 in y; nothing is divided. All numbers are uint16, and
all sums and products keep their low 16 bits only, so the order of the additions does not matter.

Only ``input`` has an edge that is repeated. The stages have none: what a stage reads outside of the image is what the
stage before has there, computed from ``edge`` by the same formula. So the whole chain is what is left of the input,
padded by 64 pixels of repeated edge on each side, after each stage has taken 2 pixels off each side.

Output: ``output[x, y]``, uint16, stage 32, of the size of ``input``.
"""

from itertools import product

import halide as hl

from hltune.suite.apps.shared import image
from hltune.suite.images import estimated, repeat_edge

_STAGES = 32

_GROUP = 8
"""Stages that are computed together: their line buffers, 8 rows each, take half of a second-level cache of 512 KiB."""

_STRIP_ROWS = 664
"""Rows per task: a quarter of the first group's 2656. Neighbouring strips both compute 14 rows per stage on average."""

_BLOCK_ROWS = 4
"""Rows computed together from 8 rows of the stage before: each is read into the first-level cache 2 times, not 5."""

_EDGE_LANES = 8
"""A border vector of the edge is loaded number by number, in each row; short vectors make that cheap."""


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Builds ``edge``, ``stage_1`` to ``stage_31`` and ``output``, each from the one before."""
    stage = repeat_edge(image("input", hl.UInt(16), width, height))
    for k in range(1, _STAGES + 1):
        stage = _weighted(stage, "output" if k == _STAGES else f"stage_{k}")
    return estimated(stage, width, height)


def expert(vector_bytes: int) -> str:
    """Four groups of stages, each in tall strips, in which every stage keeps the 8 rows that the next one reads.

    One pass over memory per stage would be bound by memory, and one for all stages would compute too many rows twice.
    Only ``output`` is a pass of its own, in strips that any image can fill; the stages before may be taller than that.
    """
    lanes = vector_bytes // 2
    names = ["edge", *(f"stage_{k}" for k in range(1, _STAGES))]
    groups = [names[k : k + _GROUP] for k in range(1, _STAGES, _GROUP)]
    first, text = groups[0][-1], _strips("output", 64, lanes)
    for *fused, last in groups:
        text += _strips(last, _STRIP_ROWS, lanes) + "".join(_rolling(stage, last, lanes) for stage in fused)
    return text + f"edge.store_at({first}, strip).compute_at({first}, block).vectorize(x, {_EDGE_LANES});"


def _strips(stage: str, rows: int, lanes: int) -> str:
    """A stage that is stored whole: strips of so many rows in parallel, block after block of each strip."""
    return f"""
{stage}.compute_root().split(y, strip, y, {rows}).split(y, block, row, {_BLOCK_ROWS}).split(x, xo, xi, {lanes})
    .reorder(xi, row, xo, block, strip).vectorize(xi).unroll(row).parallel(strip);
"""


def _rolling(stage: str, last: str, lanes: int) -> str:
    """A stage of which each block of the group's last stage makes the next few rows."""
    return f"""
{stage}.store_at({last}, strip).compute_at({last}, block).split(y, block, row, {_BLOCK_ROWS}).split(x, xo, xi, {lanes})
    .reorder(xi, row, xo, block).vectorize(xi).unroll(row);
"""


def _weighted(before: hl.Func, name: str) -> hl.Func:
    """The next stage: the 5x5 pixels around each pixel, weighted and added."""
    x, y = hl.vars("x y")
    after = hl.Func(name)
    after[x, y] = sum((dx + 3) * (dy + 3) * before[x + dx, y + dy] for dy, dx in product(range(-2, 3), repeat=2))
    return after
