#include "Halide.h"

#include <cstdio>

int main(int argc, char **) {
    Halide::Func ramp;
    Halide::Var x;
    ramp(x) = x + argc;
    Halide::Buffer<int> values = ramp.realize({4});
    std::printf("%d\n", values(3));
}
