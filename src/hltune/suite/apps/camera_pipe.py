"""A camera's raw image becomes a picture: hot pixels, demosaicing, colour correction, tone curve, sharpening.

Inputs, with their usual values:

- ``input[x, y]``, uint16, W x H: the raw image. The sensor has 10 bits, and they are the upper ones of the 16. Its
  colour filters repeat in blocks of 2 x 2 pixels; where x and y are even and odd decides which colour a pixel saw::

                  x even  x odd
          y even  green   red
          y odd   blue    green

- ``matrix_3200[k, c]`` and ``matrix_7000[k, c]``, float32, 4 x 3: colour correction under light of 3200 and 7000 kelvin.
- ``color_temp`` = 3700, ``gamma`` = 2, ``contrast`` = 50, ``sharpen_strength`` = 1, float32.
- ``black_level`` = 25, ``white_level`` = 1023, int32: which raw values of 10 bits are black and white.

Output: ``output[x, y, c]``, uint8, W x H x 3; c is red, green, blue.

Outside of the raw image its edge is repeated with the pattern: where a formula asks for a pixel outside, it gets the
nearest one inside whose x and whose y have the same parity. So x = -1 is 1, x = -2 is 0, x = W is W - 2, and x = W + 1
is W - 1. All that follows is defined for any coordinates in that way; in particular the sharpening at the edge sees
pixels outside that were developed like all others.

Notation: ``avg(a, b) = (a + b + 1) >> 1``, which rounds up; ``>>`` always rounds down, negative numbers too. Steps 1 to 4
and 6 are integer arithmetic and exact; nothing overflows in 16 bits, except the sums of step 3, which need 32.

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
       matrix[k, c] = trunc(256 * (matrix_7000[k, c] * cold + matrix_3200[k, c] * (1 - cold)))

   rounded towards zero, limited to -32768 ... 32767. With the pixel's red, green and blue as k = 0, 1, 2::

       corrected[x, y, c] = (matrix[0, c] red + matrix[1, c] green + matrix[2, c] blue + matrix[3, c]) >> 8

   limited to 0 ... 1023.

4. Tone curve: ``toned[x, y, c] = curve[corrected[x, y, c]]``, uint8.

5. The curve is a table of 1024 uint8, computed once in float32. For v = 0 ... 1023::

       linear = limit((v - black_level) / max(white_level - black_level, 1), 0, 1)
       g = linear ** (1 / gamma)
       b = 2 - 2 ** (contrast / 100)          a = 2 - 2 b
       s = a g**2 + b g                       if g <= 0.5
       s = 1 - a (1 - g)**2 - b (1 - g)       if g > 0.5
       curve[v] = limit(255 s + 0.5, 0, 255) rounded down;  0 if v <= black_level

   (Where 255 s + 0.5 is within rounding of an integer, another implementation may be off by one.)

6. Sharpening, for each channel, with ``strength = limit(32 * sharpen_strength, 0, 128)`` rounded down::

       blur_y[x, y] = avg(avg(toned[x, y - 1], toned[x, y + 1]), toned[x, y])
       blur_x[x, y] = avg(avg(blur_y[x - 1, y], blur_y[x + 1, y]), blur_y[x, y])
       output[x, y] = toned[x, y] + (((toned[x, y] - blur_x[x, y]) * strength) >> 5), limited to 0 ... 255

Source: FCam, the camera pipeline of Adams et al., "The Frankencamera", 2010.
"""
