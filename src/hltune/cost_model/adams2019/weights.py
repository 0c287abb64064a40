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
from pathlib import Path

import numpy as np

from hltune.runtime import halide_wheel
from hltune.runtime.files import write_bytes
from hltune.values.errors import HltuneError, InputError

MAGIC = 0x68776631
PIPELINE_FEATURES_VERSION = 3
SCHEDULE_FEATURES_VERSION = 3
SHAPES: dict[str, tuple[int, ...]] = {
    "head1_filter": (8, 40, 7),
    "head1_bias": (8,),
    "head2_filter": (24, 39),
    "head2_bias": (24,),
    "trunk_filter": (32, 32),
    "trunk_bias": (32,),
}
_HEADER = struct.pack("<4I", MAGIC, PIPELINE_FEATURES_VERSION, SCHEDULE_FEATURES_VERSION, len(SHAPES))
_FILE_BYTES = len(_HEADER) + sum(4 * (1 + len(shape) + math.prod(shape)) for shape in SHAPES.values())

Weights = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
"""Arrays by the names of `SHAPES`, each with that shape."""


def builtin_weights() -> Weights:
    """The weights that the installed plugin carries."""
    return decode_weights(_builtin_bytes(), where=str(halide_wheel.plugin_path("Adams2019")))


def random_weights(rng: np.random.Generator) -> Weights:
    """A start from nothing: uniform in [-0.5, 0.5), as the stock tool does it."""
    return {name: (rng.random(shape, dtype=np.float32) - np.float32(0.5)) for name, shape in SHAPES.items()}


def read_weights(path: Path) -> Weights:
    """Reads and checks a file; raises InputError if it is not what the plugin can read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("cannot read the weights", where=str(path), found=error.strerror) from None
    return decode_weights(data, where=str(path))


def decode_weights(data: bytes, *, where: str) -> Weights:
    """Decodes and checks the content of a file; raises what `read_weights` raises."""
    reader = _Reader(data, where)
    reader.expect("magic number", MAGIC, hexadecimal=True)
    reader.expect("version of the pipeline features", PIPELINE_FEATURES_VERSION)
    reader.expect("version of the schedule features", SCHEDULE_FEATURES_VERSION)
    reader.expect("number of buffers", len(SHAPES))
    weights = {name: reader.buffer(name, shape) for name, shape in SHAPES.items()}
    if reader.offset != len(data):
        raise reader.error("there is more after the last buffer", f"{reader.offset} bytes", f"{len(data)} bytes")
    return weights


def encode_weights(weights: Weights) -> bytes:
    """The content of a file; raises what `check_weights` raises."""
    check_weights(weights)
    parts = [_HEADER]
    for name, shape in SHAPES.items():
        parts.append(struct.pack(f"<{1 + len(shape)}I", len(shape), *shape))
        parts.append(weights[name].astype("<f4").tobytes(order="F"))
    return b"".join(parts)


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


@functools.cache
def _builtin_bytes() -> bytes:
    path = halide_wheel.plugin_path("Adams2019")
    library = path.read_bytes()
    if (count := library.count(_HEADER)) != 1:
        raise HltuneError(
            "cannot find the built-in weights in the plugin",
            where=str(path),
            expected="their header at exactly one place",
            found=f"{count} places",
            todo="pip install --force-reinstall halide==21.0.0, or give --weights FILE",
        )
    begin = library.index(_HEADER)
    return library[begin : begin + _FILE_BYTES]


class _Reader:
    def __init__(self, data: bytes, where: str) -> None:
        self.data = data
        self.where = where
        self.offset = 0

    def error(self, what: str, expected: str, found: str) -> InputError:
        return InputError(
            f"not usable as weights: {what}",
            where=self.where,
            expected=expected,
            found=found,
            todo="give a .weights file of Halide 21's Adams2019, or leave --weights out for the built-in ones",
        )

    def take(self, count: int, what: str) -> bytes:
        end = self.offset + count
        if end > len(self.data):
            raise self.error(f"the file ends within {what}", f"at least {end} bytes", f"{len(self.data)} bytes")
        part = self.data[self.offset : end]
        self.offset = end
        return part

    def expect(self, what: str, expected: int, *, hexadecimal: bool = False) -> None:
        (found,) = struct.unpack("<I", self.take(4, f"the {what}"))
        if found != expected:
            form = "#x" if hexadecimal else "d"
            raise self.error(f"wrong {what}", f"{expected:{form}}", f"{found:{form}}")

    def buffer(self, name: str, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        self.expect(f"number of dimensions of {name}", len(shape))
        for dimension, extent in enumerate(shape):
            self.expect(f"extent of dimension {dimension} of {name}", extent)
        values = np.frombuffer(self.take(4 * math.prod(shape), name), dtype="<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise self.error(f"{name} holds values that are not finite", "finite values only", "NaN or infinity")
        return values.reshape(shape, order="F")
