"""The kinds of stages and how often each comes.

A kind takes a `Draft`, draws what it needs and returns the image that it added, or None if it does not fit what is
there. Its name is that of the function.
"""

from collections.abc import Callable

from hltune.programs.draft import Draft, Image
from hltune.programs.geometry import border, channel_slice, downsampling, pyramid, upsampling
from hltune.programs.pointwise import binary, fixed_point, lookup, padding, relu, threshold, unary
from hltune.programs.reductions import all_to_all, matrix_product, scan, tiled_histogram
from hltune.programs.stencils import convolution_1d, convolution_2d, pooling, separable, stencil_2d

KINDS: tuple[tuple[float, Callable[[Draft], Image | None]], ...] = (
    (3.0, convolution_1d),
    (2.0, convolution_2d),
    (4.0, stencil_2d),
    (3.0, separable),
    (2.0, pooling),
    (1.0, relu),
    (1.0, unary),
    (3.0, binary),
    (1.0, threshold),
    (1.0, lookup),
    (3.0, fixed_point),
    (0.5, padding),
    (1.5, border),
    (1.5, downsampling),
    (1.5, upsampling),
    (1.0, pyramid),
    (0.5, channel_slice),
    (1.0, all_to_all),
    (1.0, scan),
    (0.5, tiled_histogram),
    (0.5, matrix_product),
)
