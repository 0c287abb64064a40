"""Reads images and ``.npy`` files as arrays with Halide's dimensions reversed; colour becomes planar.

An image of estimates (W, H) is an array of shape (H, W), one of (W, H, C) an array of shape (C, H, W).
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import numpy as np

from hltune.values.errors import InputError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_MOST_CHANNELS = 4
_PIECE = 1 << 16
"""Elements of an image that are looked at together."""
_ERRORS = (OSError, ValueError, SyntaxError, EOFError)
"""What libraries raise of what they cannot read."""


def read_array(path: Path, *, dtype: str, where: str) -> Array:
    """Reads a file.

    Args:
        path: the file.
        dtype: element type that the user wants; what is read may have another one.
        where: how the user named the file.

    Raises:
        InputError: it does not exist or cannot be read.
    """
    is_array = path.suffix.lower() == ".npy"
    expected, todo = f"an image, or an array of {dtype} in a .npy file", None
    try:
        return _read_npy(path) if is_array else _read_image(path)
    except FileNotFoundError:
        raise InputError("no such image", where=where, found=f"nothing at {path}") from None
    except _PythonObjects:
        found = "an array of Python objects"
        todo = f'save numbers, as in numpy.save("{path.name}", array.astype("{dtype}"))'
    except _Damaged as damaged:
        what = "an array" if is_array else "an image"
        found = f"{path.stat().st_size} bytes of {what} that is cut off or damaged ({damaged})"
    except _ERRORS as error:
        found = f"{path.stat().st_size} bytes that are none ({type(error).__name__})"
    raise InputError("cannot read this as an image", where=where, expected=expected, found=found, todo=todo)


def pieces(array: Array) -> Generator[Array]:
    """Flat arrays of the elements, in their order; what is written into one is written into the image.

    For what is computed of all elements at once may be several times as large as the image.
    """
    flags = ("external_loop", "buffered", "zerosize_ok")
    with np.nditer(array, flags=flags, op_flags=["readwrite"], order="C", buffersize=_PIECE) as found:
        yield from map(np.asarray, found)


def check_axes(path: Path, array: Array, innermost: int | None, *, where: str) -> None:
    """Raises an `InputError` if an input's first dimension is its channels: those of an image are its last one.

    An input is told by its estimate, in that it has few of them; what the axes of a ``.npy`` file are, nobody knows.
    """
    if path.suffix.lower() == ".npy" or array.ndim != 3 or innermost is None or innermost > _MOST_CHANNELS:
        return
    if array.shape[2] != innermost:
        raise InputError(
            "the first dimension of the input has room for channels only, and the image's is x",
            where=where,
            expected=f"{innermost} elements in the first dimension, as it is estimated",
            found="x".join(map(str, reversed(array.shape))),
            todo="give a .npy file with the axes rows, columns, channels, as in "
            f'numpy.save(FILE, imageio.v3.imread("{path.name}"))',
        )


def _read_npy(path: Path) -> Array:
    with path.open("rb") as file:
        header = np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(file) != (1, 0):
            header = np.lib.format.read_array_header_2_0  # as later ones, but for the letters in names of fields
        *_, dtype = header(file)
    if dtype.hasobject:
        raise _PythonObjects
    try:
        return cast(Array, np.load(path, allow_pickle=False))
    except _ERRORS as error:
        raise _Damaged(error) from None


def _read_image(path: Path) -> Array:
    import imageio.v3 as iio  # only loaded where an image is used
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # who names a file knows how large it is; the limit is for files of strangers
    # Left to choose, imageio tries all its plugins on a damaged file, with warnings from most.
    with iio.imopen(path, "r", plugin="pillow") as file:
        try:
            image = file.read()
        except _ERRORS as error:
            raise _Damaged(error) from None
    return np.moveaxis(image, 2, 0) if image.ndim == 3 else image


class _PythonObjects(Exception):
    """They would have to be unpickled, and are no numbers."""


class _Damaged(Exception):
    """It begins as what it should be; says what the library says of the rest."""
