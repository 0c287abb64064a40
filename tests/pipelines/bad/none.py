from halide import cast as convert

_unused = convert
