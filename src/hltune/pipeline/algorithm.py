"""What every kind of source yields: the algorithm and its inputs, with the estimates that the user's code gives."""

from dataclasses import dataclass

from hltune.pipeline.source import Number
from hltune.values.pipeline import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """An input image.

    Attributes:
        estimates: one per dimension, innermost first; None where the user's code gives none.
        stride: what the user fixed dimension 0 to in memory, in elements; 1 unless changed, None for any.
    """

    name: str
    dtype: str
    estimates: tuple[Interval | None, ...]
    stride: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarInput:
    """An input parameter; the estimate falls back to the default value."""

    name: str
    dtype: str
    estimate: Number | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A serialized pipeline and its inputs, in the order in which compiled code takes them."""

    hlpipe: bytes
    inputs: tuple[ImageInput | ScalarInput, ...]
