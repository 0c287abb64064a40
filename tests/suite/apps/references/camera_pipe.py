"""From a camera's raw image to a picture: integers exactly, the matrix and the tone curve in float32."""

from collections.abc import Mapping

import numpy as np

from hltune.pipeline.images import Array

_COLOR_TEMP = np.float32(3700)
_GAMMA = np.float32(2)
_CONTRAST = np.float32(50)
_SHARPEN_STRENGTH = 1
_BLACK_LEVEL = 25
_WHITE_LEVEL = 1023
_MARGIN = 6
"""Pixels around the image that are computed too, an even number; the outer ones wrap around and are wrong."""


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    raw = arrays["input"].astype(np.int32) >> 6
    developed = _demosaiced(_without_hot_pixels(_extended(raw)))
    matrix = _matrix(arrays["matrix_3200"], arrays["matrix_7000"])
    corrected = (np.einsum("ck,kyx->cyx", matrix[:, :3], developed) + matrix[:, 3, None, None]) >> 8
    toned = _curve()[corrected.clip(0, 1023)]
    output = np.stack([_sharpened(channel) for channel in toned])
    return (output[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(np.uint8),)


def _extended(raw: Array) -> Array:
    """With the edge repeated: from the nearest pixel inside whose x and y have the same parity."""
    rows, columns = (_inside(extent) for extent in raw.shape)
    return raw[np.ix_(rows, columns)]


def _inside(extent: int) -> Array:
    x = np.arange(-_MARGIN, extent + _MARGIN)
    return np.where(x < 0, x % 2, np.where(x >= extent, extent - 2 + (x - extent) % 2, x))


def _at(image: Array, dx: int, dy: int) -> Array:
    return np.roll(image, (-dy, -dx), (0, 1))


def _avg(a: Array, b: Array) -> Array:
    return (a + b + 1) >> 1


def _without_hot_pixels(raw: Array) -> Array:
    return np.minimum(raw, np.max([_at(raw, *to) for to in ((-2, 0), (2, 0), (0, -2), (0, 2))], axis=0))


def _demosaiced(mosaic: Array) -> Array:
    y, x = np.indices(mosaic.shape)
    saw_green = x % 2 == y % 2
    green = np.where(saw_green, mosaic, _green_between(mosaic))
    red = _red_or_blue(mosaic, green, y % 2 == 0, saw_green)
    blue = _red_or_blue(mosaic, green, y % 2 == 1, saw_green)
    return np.stack([red, green, blue])


def _green_between(mosaic: Array) -> Array:
    left, right, above, below = (_at(mosaic, *to) for to in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    return np.where(abs(left - right) < abs(above - below), _avg(left, right), _avg(above, below))


def _red_or_blue(mosaic: Array, green: Array, own_row: Array, saw_green: Array) -> Array:
    """One of the two colours; it is seen by pixels in its own rows only."""

    def between(dx: int, dy: int) -> Array:
        seen, known = (_avg(_at(image, dx, dy), _at(image, -dx, -dy)) for image in (mosaic, green))
        return green + seen - known

    def difference(dx: int, dy: int) -> Array:
        return abs(_at(mosaic, dx, dy) - _at(mosaic, -dx, -dy))

    diagonal = np.where(difference(1, -1) < difference(1, 1), between(1, -1), between(1, 1))
    not_green = np.where(own_row, mosaic, diagonal)
    return np.where(saw_green, np.where(own_row, between(1, 0), between(0, 1)), not_green)


def _matrix(cold: Array, warm: Array) -> Array:
    """Rows are the colours c that come out, columns k = 0 ... 3."""
    one = np.float32(1)
    share = np.clip((one - 3200 / _COLOR_TEMP) * 35 / 19, 0, 1).astype(np.float32)
    return np.trunc(256 * (warm * share + cold * (one - share))).clip(-32768, 32767).astype(np.int32)


def _curve() -> Array:
    v = np.arange(1024)
    linear = ((v - _BLACK_LEVEL).astype(np.float32) / max(_WHITE_LEVEL - _BLACK_LEVEL, 1)).clip(0, 1)
    g = linear ** (1 / _GAMMA)
    b = 2 - np.float32(2) ** (_CONTRAST / 100)
    a = 2 - 2 * b
    s = np.where(g > 0.5, 1 - a * (1 - g) ** 2 - b * (1 - g), a * g**2 + b * g)
    return np.where(v <= _BLACK_LEVEL, 0, (255 * s + 0.5).clip(0, 255).astype(np.int32))


def _sharpened(toned: Array) -> Array:
    strength = int(np.clip(32 * _SHARPEN_STRENGTH, 0, 128))
    blur_y = _avg(_avg(_at(toned, 0, -1), _at(toned, 0, 1)), toned)
    blur_x = _avg(_avg(_at(blur_y, -1, 0), _at(blur_y, 1, 0)), blur_y)
    return (toned + (((toned - blur_x) * strength) >> 5)).clip(0, 255)
