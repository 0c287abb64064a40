"""`.weights` files of the Adams2019 cost model, checked before anything uses them.

| offset | what                                                                    |
|--------|-------------------------------------------------------------------------|
| 0      | uint32 magic 0x68776631                                                 |
| 4      | uint32 version of the pipeline features                                 |
| 8      | uint32 version of the schedule features                                 |
| 12     | uint32 number of buffers                                                |
| 16     | the six buffers of `SHAPES`: uint32 dimensions, uint32 extents, float32 |

All little-endian; the first dimension of a buffer varies fastest. The plugin replaces a file that it cannot read by
random weights without a word, hence the checks here.

Source: Halide 21, ``src/autoschedulers/adams2019/Weights.cpp`` and ``Featurization.h``.
"""

import functools
import hashlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hltune.runtime import halide_wheel
from hltune.runtime.files import write_bytes
from hltune.values.errors import HltuneError, InputError

SHAPES: dict[str, tuple[int, ...]] = {
    "head1_filter": (8, 40, 7),
    "head1_bias": (8,),
    "head2_filter": (24, 39),
    "head2_bias": (24,),
    "trunk_filter": (32, 32),
    "trunk_bias": (32,),
}
_MAGIC = "magic number"
_HEADER = {
    _MAGIC: 0x68776631,
    "version of the pipeline features": 3,
    "version of the schedule features": 3,
    "number of buffers": len(SHAPES),
}

Weights = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
"""Arrays by the names of `SHAPES`, each with that shape."""


@functools.cache
def _builtin_bytes() -> bytes:
    path = halide_wheel.plugin_path("Adams2019")
    library, header = path.read_bytes(), struct.pack("<4I", *_HEADER.values())
    if (count := library.count(header)) != 1:
        raise HltuneError(
            "cannot find the built-in weights in the plugin",
            where=str(path),
            expected="their header at exactly one place",
            found=f"{count} places",
            todo="pip install --force-reinstall halide==21.0.0, or give --weights FILE",
        )
    begin = library.index(header)
    return library[begin : begin + sum(_bytes(expected) for _, expected in _parts())]


def builtin_weights() -> Weights:
    """The weights that the installed plugin carries."""
    return decode_weights(_builtin_bytes(), where=str(halide_wheel.plugin_path("Adams2019")))


def random_weights(rng: np.random.Generator) -> Weights:
    """A start from nothing: uniform in [-0.5, 0.5), as the stock tool does it."""
    return {name: (rng.random(shape, dtype=np.float32) - np.float32(0.5)) for name, shape in SHAPES.items()}


def vary(weights: Weights, rng: np.random.Generator, sigma: float) -> Weights:
    """Weights for a search that has to find different schedules: it believes that loads are cheap, say.

    Each of the 32 trunk outputs is the coefficient of one term of the cost, and the rectifier keeps it proportional to
    its row of the trunk. Each row is multiplied by a log-normal number; `sigma` is the deviation of its logarithm.
    """
    factors = np.exp(sigma * rng.standard_normal(SHAPES["trunk_bias"])).astype(np.float32)
    return weights | {
        "trunk_filter": weights["trunk_filter"] * factors[:, None],
        "trunk_bias": weights["trunk_bias"] * factors,
    }


def read_weights(path: Path) -> Weights:
    """Reads and checks a file; raises InputError if it is not what the plugin can read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("cannot read the weights", where=str(path), found=error.strerror) from None
    return decode_weights(data, where=str(path))


def _parts() -> Iterator[tuple[str, int | tuple[int, ...]]]:
    """What a file holds, in its order: numbers with their only value, and buffers with their shapes."""
    yield from _HEADER.items()
    for name, shape in SHAPES.items():
        yield f"number of dimensions of {name}", len(shape)
        yield from ((f"extent of dimension {number} of {name}", extent) for number, extent in enumerate(shape))
        yield name, shape


def _bytes(expected: int | tuple[int, ...]) -> int:
    return 4 if isinstance(expected, int) else 4 * math.prod(expected)


def decode_weights(data: bytes, *, where: str) -> Weights:
    """Decodes and checks the content of a file; raises what `read_weights` raises."""
    weights: Weights = {}
    end = 0
    for what, expected in _parts():
        begin, end = end, end + _bytes(expected)
        if end > len(data):
            part = what if what in SHAPES else f"the {what}"
            raise _unusable(where, f"the file ends within {part}", f"at least {end} bytes", f"{len(data)} bytes")
        if isinstance(expected, int):
            found = int.from_bytes(data[begin:end], "little")
            if found != expected:
                form = "#x" if what == _MAGIC else "d"
                raise _unusable(where, f"wrong {what}", f"{expected:{form}}", f"{found:{form}}")
        else:
            values = np.frombuffer(data[begin:end], dtype="<f4").astype(np.float32)
            if not np.isfinite(values).all():
                what += " holds values that are not finite"
                raise _unusable(where, what, "finite values only", "NaN or infinity")
            weights[what] = values.reshape(expected, order="F")
    if end != len(data):
        raise _unusable(where, "there is more after the last buffer", f"{end} bytes", f"{len(data)} bytes")
    return weights


def _unusable(where: str, what: str, expected: str, found: str) -> InputError:
    todo = "give a .weights file of Halide 21's Adams2019, or leave --weights out for the built-in ones"
    return InputError(f"not usable as weights: {what}", where=where, expected=expected, found=found, todo=todo)


def encode_weights(weights: Weights) -> bytes:
    """The content of a file; raises what `check_weights` raises."""
    check_weights(weights)
    return b"".join(
        struct.pack("<I", value) if isinstance(value, int) else weights[name].astype("<f4").tobytes(order="F")
        for name, value in _parts()
    )


def write_weights(path: Path, weights: Weights) -> None:
    """Writes a file whole or not at all; raises what `encode_weights` raises, or InputError if it cannot be written."""
    write_bytes(path, encode_weights(weights))


def weights_hash(weights: Weights) -> str:
    """Identifies the weights: the SHA-256 of their file."""
    return hashlib.sha256(encode_weights(weights)).hexdigest()


def check_weights(weights: Weights, *, where: str = "weights") -> None:
    """Raises InputError unless these are the six finite float32 buffers of `SHAPES`."""
    expected = {name: (shape, "float32") for name, shape in SHAPES.items()}
    found = {name: (values.shape, values.dtype.name) for name, values in weights.items()}
    if found != expected:
        raise InputError("not the buffers of the cost model", where=where, expected=str(expected), found=str(found))
    wild = [name for name, values in weights.items() if not np.isfinite(values).all()]
    if wild:
        raise InputError(f"values that are not finite in {', '.join(wild)}", where=where)
