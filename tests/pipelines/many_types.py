"""An input of every kind of type: what one of them holds shows in the outputs."""

import halide as hl

TYPES = {
    "a": hl.UInt(8),
    "b": hl.Int(8),
    "c": hl.UInt(16),
    "d": hl.Int(32),
    "e": hl.Int(64),
    "f": hl.UInt(1),
    "g": hl.Float(32),
    "h": hl.Float(64),
}


def whole_numbers(width: int = 256) -> hl.Func:
    """Integers alone, which have to be exact."""
    x, y = hl.vars("x y")
    images, output = _images("abcdef", width), hl.Func("output")
    output[x, y] = _sum(images, x, y)
    output.set_estimates([hl.Range(0, width), hl.Range(0, 192)])
    return output


def many_types(gain: float = 1.5, width: int = 256) -> hl.Func:
    """Floats as well."""
    x, y = hl.vars("x y")
    images = _images("abcdefgh", width)
    whole, parts, output = hl.Func("whole"), hl.Func("parts"), hl.Func("output")
    whole[x, y] = _sum(images, x, y)
    parts[x, y] = hl.f32(images["h"][x, y]) * images["g"][x, y] * gain + hl.sqrt(images["g"][x, y])
    output[x, y] = (whole[x, y], parts[x, y])
    output.set_estimates([hl.Range(0, width), hl.Range(0, 192)])
    return output


def _images(names: str, width: int) -> dict[str, hl.ImageParam]:
    images = {name: hl.ImageParam(TYPES[name], 2, name) for name in names}
    for image in images.values():  # with room for schedules that round up: whoever ships them repairs none
        image.set_estimates([hl.Range(0, 2 * width), hl.Range(0, 384)])
    return images


def _sum(images: dict[str, hl.ImageParam], x: hl.Var, y: hl.Var) -> hl.Expr:
    return sum((hl.i64(images[name][x, y]) for name in "bcdef"), hl.i64(images["a"][x, y]))
