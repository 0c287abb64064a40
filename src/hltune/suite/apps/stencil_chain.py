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

from hltune.suite.images import estimated, repeat_edge

_STAGES = 32


def pipeline(width: int = 1536, height: int = 2560) -> hl.Func:
    """Builds ``edge``, ``stage_1`` to ``stage_31`` and ``output``, each from the one before."""
    image = hl.ImageParam(hl.UInt(16), 2, "input")
    image.set_estimates([hl.Range(0, width), hl.Range(0, height)])
    stage = repeat_edge(image)
    for k in range(1, _STAGES + 1):
        stage = _weighted(stage, "output" if k == _STAGES else f"stage_{k}")
    return estimated(stage, width, height)


def expert(vector_bytes: int) -> str:
    """TODO."""
    return "output.compute_root();" + "".join(f"stage_{k}.compute_root();" for k in range(1, _STAGES))


def _weighted(before: hl.Func, name: str) -> hl.Func:
    """The next stage: the 5x5 pixels around each pixel, weighted and added."""
    x, y = hl.vars("x y")
    after = hl.Func(name)
    after[x, y] = sum((dx + 3) * (dy + 3) * before[x + dx, y + dy] for dy, dx in product(range(-2, 3), repeat=2))
    return after
