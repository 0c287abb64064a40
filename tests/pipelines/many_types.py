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


def many_types(gain: float = 1.5) -> hl.Func:
    x, y = hl.vars("x y")
    images = {name: hl.ImageParam(kind, 2, name) for name, kind in TYPES.items()}
    whole, parts, output = hl.Func("whole"), hl.Func("parts"), hl.Func("output")
    whole[x, y] = sum((hl.i64(images[name][x, y]) for name in "bcdef"), hl.i64(images["a"][x, y]))
    parts[x, y] = hl.f32(images["h"][x, y]) * images["g"][x, y] * gain + hl.sqrt(images["g"][x, y])
    output[x, y] = (whole[x, y], parts[x, y])
    for image in images.values():
        image.set_estimates([hl.Range(0, 320), hl.Range(0, 240)])
    output.set_estimates([hl.Range(0, 320), hl.Range(0, 240)])
    return output
