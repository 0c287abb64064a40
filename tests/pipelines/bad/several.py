import halide as hl


def first():
    return hl.Func("f")


def second():
    return hl.Func("g")


def _private():
    return hl.Func("h")
