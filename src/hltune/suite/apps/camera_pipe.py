"""A camera's raw image becomes a picture: hot pixels, demosaicing, colour correction, tone curve, sharpening.

Inputs, with their usual values:

- ``input[x, y]``, uint16, W x H: the raw image. The sensor has 10 bits, and they are the upper ones of the 16. Its
  colour filters repeat in blocks of 2 x 2 pixels; whether x and y are even or odd decides which colour a pixel saw::

                  x even  x odd
          y even  green   red
          y odd   blue    green

- ``matrix_3200[k, c]`` and ``matrix_7000[k, c]``, float32, 4 x 3: colour correction in light of 3200 and of
  7000 kelvin.
- ``color_temp`` = 3700, ``gamma`` = 2, ``contrast`` = 50, ``sharpen_strength`` = 1, float32.
- ``black_level`` = 25, ``white_level`` = 1023, int32: which raw values of 10 bits are black and white.

Output: ``output[x, y, c]``, uint8, W x H x 3; c is red, green, blue.

Outside of the raw image its edge is repeated with the pattern: where a formula asks for a pixel outside, it gets the
nearest one inside whose x and whose y have the same parity. So x = -1 is 1, x = -2 is 0, x = W is W - 2, and x = W + 1
is W - 1. All that follows is defined for any coordinates in that way; in particular the sharpening at the edge sees
pixels outside that were developed like all others.

Notation: ``avg(a, b) = (a + b + 1) >> 1``, which rounds up; ``>>`` always rounds down, negative numbers too. All
but the matrix and the tone curve is integer arithmetic; 16 bits with a sign are enough, except for the sums of step 3.

1. Ten bits, without hot pixels: ``raw[x, y] = input[x, y] >> 6``, and ::

       mosaic[x, y] = min(raw[x, y], max(raw[x - 2, y], raw[x + 2, y], raw[x, y - 2], raw[x, y + 2]))

2. Demosaicing: each pixel gets the two colours that it did not see.

   a. Green. At green pixels, ``green[x, y] = mosaic[x, y]``. At red and blue ones there are two pairs of green
      neighbours: the horizontal one (x - 1, y), (x + 1, y) and the vertical one (x, y - 1), (x, y + 1). ``green[x, y]``
      is avg over ``mosaic`` of the pair whose two values differ less; if both differ by the same, of the vertical one.
   b. Red. At red pixels, ``red[x, y] = mosaic[x, y]``. At others it is estimated from a pair of red neighbours p, q::

          red[x, y] = green[x, y] + avg(mosaic[p], mosaic[q]) - avg(green[p], green[q])

      At green pixels p, q are the two neighbours that are red: (x - 1, y), (x + 1, y) in rows with red pixels, and
      (x, y - 1), (x, y + 1) in the others. At blue pixels there are two diagonal pairs, the falling one (x - 1, y - 1),
      (x + 1, y + 1) and the rising one (x - 1, y + 1), (x + 1, y - 1); the one counts whose two values of ``mosaic``
      differ less, if both differ by the same, the falling one. The result may be negative or more than 1023.
   c. Blue: the same with red and blue exchanged.

3. Colour correction. The matrix is interpolated in the reciprocal of the temperature, in float32::

       cold = limit((1 / color_temp - 1 / 3200) / (1 / 7000 - 1 / 3200), 0, 1)
            = limit((1 - 3200 / color_temp) * 35 / 19, 0, 1)
       matrix[k, c] = trunc(256 * (matrix_7000[k, c] * cold + matrix_3200[k, c] * (1 - cold)))

   rounded towards zero, limited to -32768 ... 32767. With the pixel's red, green and blue as k = 0, 1, 2::

       corrected[x, y, c] = (matrix[0, c] red + matrix[1, c] green + matrix[2, c] blue + matrix[3, c]) >> 8

   limited to 0 ... 1023.

4. Tone curve: ``toned[x, y, c] = curve[corrected[x, y, c]]``, uint8.

   The curve is a table of 1024 uint8, computed once in float32. For v = 0 ... 1023::

       linear = limit((v - black_level) / max(white_level - black_level, 1), 0, 1)
       g = linear ** (1 / gamma)
       b = 2 - 2 ** (contrast / 100)          a = 2 - 2 b
       s = a g**2 + b g                       if g <= 0.5
       s = 1 - a (1 - g)**2 - b (1 - g)       if g > 0.5
       curve[v] = limit(255 s + 0.5, 0, 255) rounded down;  0 if v <= black_level

   (Where 255 s + 0.5 is within rounding of an integer, another implementation may be off by one.)

5. Sharpening, for each channel, with ``strength = limit(32 * sharpen_strength, 0, 128)`` rounded down::

       blur_y[x, y] = avg(avg(toned[x, y - 1], toned[x, y + 1]), toned[x, y])
       blur_x[x, y] = avg(avg(blur_y[x - 1, y], blur_y[x + 1, y]), blur_y[x, y])
       output[x, y] = toned[x, y] + (((toned[x, y] - blur_x[x, y]) * strength) >> 5), limited to 0 ... 255

Source: FCam, the camera pipeline of Adams et al., "The Frankencamera", 2010.
"""

from collections.abc import Callable
from functools import partial

import halide as hl

from hltune.suite.apps.shared import coloured, image, scalar

_U8, _I16, _U16, _I32, _F32 = hl.UInt(8), hl.Int(16), hl.UInt(16), hl.Int(32), hl.Float(32)
_SPARE_BITS, _BRIGHTEST = 6, 1023
_STRIP_ROWS, _CHUNK = 64, 32
"""Rows of a strip; blocks that are corrected before they are looked up."""
_RED, _BLUE = (1, 0), (0, 1)
"""Where these pixels are in a block; the other two are green."""

_Pixel = tuple[int, int]
_Pair = tuple[_Pixel, _Pixel]


def pipeline(width: int = 2592, height: int = 1968) -> hl.Func:
    """Up to the tone curve, by blocks of the pattern: ``f[x, y, i, j]`` is pixel (2 x + i, 2 y + j).

    What happens to a pixel depends on its place in the block alone, so there is nothing to decide at each pixel.
    """
    raw = _raw(image("input", _U16, width, height))
    return coloured(_sharpened(_toned(_corrected(_demosaiced(_mosaic(raw))))), width, height)


def expert(vector_bytes: int) -> str:
    """Strips of rows; in each, all steps follow each other from one row of blocks to the next, in rolling line buffers.

    ``raw`` takes the four kinds of pixels apart, with the only border there is. A vector of blocks is then demosaiced
    and corrected in registers. Looking up the tone curve gains nothing from vectors: each index would be taken out of
    one and each result put into another. So a few blocks are corrected into a buffer, and looked up from there one by
    one. ``image`` puts pixels side by side when they have become bytes, half as many vectors as before the tone curve.
    """
    lanes = vector_bytes // 2
    rolling = "store_at(output, strip).compute_at(output, block)"
    vectors = f".split(x, xo, xi, {lanes}, TailStrategy::RoundUp).vectorize(xi)"
    return f"""
output.compute_root()
    .split(y, strip, yi, {_STRIP_ROWS}).split(yi, block, row, 2).split(x, xo, xi, {vector_bytes})
    .reorder(xi, row, xo, c, block, strip).vectorize(xi).unroll(row).parallel(strip);
image.{rolling}.fold_storage(y, 4).vectorize(x, {vector_bytes}, TailStrategy::RoundUp);
toned.{rolling}.fold_storage(y, 2)
    .split(x, chunk, xi, {_CHUNK}, TailStrategy::RoundUp).split(xi, xo, xi, 8)
    .reorder(xi, xo, i, j, c, chunk, y).unroll(xi);
corrected.compute_at(toned, chunk){vectors}.reorder(xi, c, i, j, xo, y).unroll(c).unroll(i).unroll(j);
demosaiced.compute_at(corrected, xo).reorder(x, c, i, j, y).vectorize(x).unroll(c).unroll(i).unroll(j);
green_at.{rolling}.fold_storage(y, 4){vectors}.reorder(xi, j, xo, y).unroll(j);
mosaic.{rolling}.fold_storage(y, 4){vectors}.reorder(xi, i, j, xo, y).unroll(i).unroll(j);
raw.{rolling}.fold_storage(y, 4){vectors}.reorder(xi, i, j, xo, y).unroll(i).unroll(j);
curve.compute_root().vectorize(v, {vector_bytes // 4});
matrix.compute_root();
strength.compute_root();
"""


def _raw(sensor: hl.ImageParam) -> hl.Func:
    """Blocks of the raw image, for any x and y: each of the four kinds of pixels repeats its own edge.

    Only x is marked as likely to be inside, see `hltune.suite.images.repeat_edge`.
    """
    x, y, i, j = hl.vars("x y i j")
    raw, last_x, last_y = hl.Func("raw"), sensor.dim(0).max(), sensor.dim(1).max()
    column = hl.clamp(hl.likely(2 * x + i), i, last_x - (last_x - i) % 2)
    row = hl.clamp(2 * y + j, j, last_y - (last_y - j) % 2)
    raw[x, y, i, j] = sensor[column, row] >> _SPARE_BITS
    return raw


def _mosaic(raw: hl.Func) -> hl.Func:
    """Without hot pixels: none is brighter than all of the four nearest ones of its kind."""
    x, y, i, j = hl.vars("x y i j")
    mosaic = hl.Func("mosaic")
    others = [raw[x + dx, y + dy, i, j] for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    mosaic[x, y, i, j] = hl.min(raw[x, y, i, j], hl.max(*others))
    return mosaic


def _demosaiced(mosaic: hl.Func) -> hl.Func:
    x, y, i, j, c = hl.vars("x y i j c")
    green_at, demosaiced = hl.Func("green_at"), hl.Func("demosaiced")
    block = _Block(mosaic, green_at)
    green_at[x, y, j] = hl.mux(j, [block.interpolated_green(_RED), block.interpolated_green(_BLUE)])
    pixels = [(0, 0), (1, 0), (0, 1), (1, 1)]
    colours = [[block.colour(_RED, p), hl.cast(_I16, block.green(p)), block.colour(_BLUE, p)] for p in pixels]
    demosaiced[x, y, i, j, c] = hl.mux(2 * j + i, [hl.mux(c, each) for each in colours])
    return demosaiced


class _Block:
    """The formulas for the pixels of block (x, y).

    A pixel (i, j) is two Python integers; those below 0 or above 1 mean pixels of the blocks around.

    Attributes:
        mosaic: what each pixel saw.
        green_at: green in row j of each block, at the pixel of this row that did not see it.
    """

    def __init__(self, mosaic: hl.Func, green_at: hl.Func) -> None:
        self.mosaic, self.green_at = mosaic, green_at
        self.x, self.y = hl.vars("x y")

    def seen(self, p: _Pixel) -> hl.FuncRef:
        return self.mosaic[self.x + p[0] // 2, self.y + p[1] // 2, p[0] % 2, p[1] % 2]

    def green(self, p: _Pixel) -> hl.FuncRef:
        is_green = (p[0] + p[1]) % 2 == 0
        return self.seen(p) if is_green else self.green_at[self.x + p[0] // 2, self.y + p[1] // 2, p[1] % 2]

    def interpolated_green(self, p: _Pixel) -> hl.Expr:
        across, down = _pair(p, (1, 0)), _pair(p, (0, 1))
        return self.smoother(across, down, lambda pair: _average(*map(self.seen, pair)))

    def colour(self, own: _Pixel, p: _Pixel) -> hl.Expr:
        """The colour of the pixels like ``own``, at another pixel."""
        step = ((p[0] - own[0]) % 2, (p[1] - own[1]) % 2)
        match step:
            case (0, 0):
                return hl.cast(_I16, self.seen(p))
            case (1, 1):
                return self.smoother(_pair(p, (1, -1)), _pair(p, (1, 1)), partial(self.estimated, p))
            case _:
                return self.estimated(p, _pair(p, step))

    def estimated(self, p: _Pixel, pair: _Pair) -> hl.Expr:
        """A colour that the pair has, corrected by how much greener the pixel is than the pair."""
        greens, colours = (_average(*map(each, pair)) for each in (self.green, self.seen))
        return hl.cast(_I16, self.green(p)) + hl.cast(_I16, colours) - hl.cast(_I16, greens)

    def smoother(self, pair: _Pair, otherwise: _Pair, value: Callable[[_Pair], hl.Expr]) -> hl.Expr:
        """The value of the pair that differs less."""
        one, other = (hl.absd(*map(self.seen, each)) for each in (pair, otherwise))
        return hl.select(one < other, value(pair), value(otherwise))


def _pair(p: _Pixel, step: _Pixel) -> _Pair:
    return (p[0] - step[0], p[1] - step[1]), (p[0] + step[0], p[1] + step[1])


def _corrected(demosaiced: hl.Func) -> hl.Func:
    """Each colour is a sum of all three, in 8.8 fixed point, and an offset."""
    x, y, i, j, c = hl.vars("x y i j c")
    matrix, corrected = _matrix(), hl.Func("corrected")
    red, green, blue = (_wide(matrix[k, c]) * _wide(demosaiced[x, y, i, j, k]) for k in range(3))
    total = (red + green) + (blue + matrix[3, c])
    corrected[x, y, i, j, c] = hl.clamp(hl.saturating_cast(_I16, total >> 8), 0, _BRIGHTEST)
    return corrected


def _matrix() -> hl.Func:
    k, c = hl.vars("k c")
    at_3200, at_7000 = (image(f"matrix_{kelvin}", _F32, 4, 3) for kelvin in (3200, 7000))
    cold = hl.clamp((1 - 3200 / scalar("color_temp", _F32, 3700)) * 35 / 19, 0, 1)
    matrix = hl.Func("matrix")
    matrix[k, c] = hl.saturating_cast(_I16, 256 * (at_7000[k, c] * cold + at_3200[k, c] * (1 - cold)))
    return matrix


def _toned(corrected: hl.Func) -> hl.Func:
    x, y, i, j, c = hl.vars("x y i j c")
    toned = hl.Func("toned")
    toned[x, y, i, j, c] = _curve()[corrected[x, y, i, j, c]]
    return toned


def _curve() -> hl.Func:
    """A table for all values: gamma, and two parabolas that steepen the middle."""
    v = hl.Var("v")
    black, white = scalar("black_level", _I32, 25), scalar("white_level", _I32, 1023)
    gamma, contrast = scalar("gamma", _F32, 2), scalar("contrast", _F32, 50)
    dark, light = hl.cast(_F32, black), hl.cast(_F32, white)
    linear = hl.clamp((v - dark) / hl.max(light - dark, 1), 0, 1)
    g = hl.pow(linear, 1 / gamma)
    b = 2 - hl.pow(2, contrast / 100)
    a = 2 - 2 * b
    s = hl.select(g > 0.5, 1 - a * (1 - g) * (1 - g) - b * (1 - g), a * g * g + b * g)
    curve = hl.Func("curve")
    curve[v] = hl.select(v <= black, 0, hl.cast(_U8, hl.clamp(255 * s + 0.5, 0, 255)))
    return curve


def _sharpened(toned: hl.Func) -> hl.Func:
    """Pixels side by side again; what a 3 x 3 blur would take away from them is added."""
    x, y, c = hl.vars("x y c")
    image, blur_y, blur_x, output = hl.Func("image"), hl.Func("blur_y"), hl.Func("blur_x"), hl.Func("output")
    image[x, y, c] = toned[x / 2, y / 2, x % 2, y % 2, c]
    blur_y[x, y, c] = _average(_average(image[x, y - 1, c], image[x, y + 1, c]), image[x, y, c])
    blur_x[x, y, c] = _average(_average(blur_y[x - 1, y, c], blur_y[x + 1, y, c]), blur_y[x, y, c])
    here, strength = hl.cast(_I16, image[x, y, c]), hl.Func("strength")
    strength[()] = hl.cast(_I16, hl.clamp(32 * scalar("sharpen_strength", _F32, 1), 0, 128))
    output[x, y, c] = hl.saturating_cast(_U8, here + ((here - blur_x[x, y, c]) * strength[()] >> 5))
    return output


def _wide(value: hl.FuncRef) -> hl.Expr:
    return hl.cast(_I32, value)


_average = hl.rounding_halving_add
