#include "Halide.h"

// A generator that others call by the header that it writes.
class Inner : public Halide::Generator<Inner> {
public:
    Input<Buffer<uint8_t, 2>> image{"image"};
    Output<Func> doubled{"doubled", Halide::UInt(8), 2};

    void generate() {
        Halide::Var x("x"), y("y");
        doubled(x, y) = image(x, y) * Halide::cast<uint8_t>(2);
    }
};

HALIDE_REGISTER_GENERATOR(Inner, inner)
