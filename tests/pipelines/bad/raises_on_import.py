import halide

print(halide.no_such_thing)
