"""Reads images and ``.npy`` files as arrays with Halide's dimensions reversed; colour becomes planar.

An image of estimates (W, H) is an array of shape (H, W), one of (W, H, C) an array of shape (C, H, W).
"""

from pathlib import Path
from typing import Any, cast

import numpy as np

from hltune.values.errors import InputError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def read_array(path: Path, *, where: str) -> Array:
    """Reads a file.

    Raises:
        InputError: it does not exist or cannot be read; tells `where` the user named it.
    """
    try:
        return _read_npy(path) if path.suffix.lower() == ".npy" else _read_image(path)
    except FileNotFoundError:
        raise InputError("no such image", where=where, found=f"nothing at {path}") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(
            "cannot read this as an image",
            where=where,
            expected="an image, or an array in a .npy file",
            found=f"{path.stat().st_size} bytes that are none ({type(error).__name__})",
        ) from None


def _read_npy(path: Path) -> Array:
    array: object = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive")
    return cast(Array, array)


def _read_image(path: Path) -> Array:
    import imageio.v3 as iio  # only loaded where an image is used

    # Left to choose, imageio tries all its plugins on a damaged file, with warnings from most.
    image = iio.imread(path, plugin="pillow")
    return np.moveaxis(image, 2, 0) if image.ndim == 3 else image
