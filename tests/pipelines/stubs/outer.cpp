#include "Halide.h"
#include "inner.stub.h"

// Calls the other one twice.
class Outer : public Halide::Generator<Outer> {
public:
    Input<Buffer<uint8_t, 2>> image{"image"};
    Output<Buffer<uint8_t, 2>> fourfold{"fourfold"};

    void generate() {
        Halide::Func once = inner::generate(this, {image});
        Halide::Var x("x"), y("y");
        fourfold(x, y) = once(x, y) * Halide::cast<uint8_t>(2);
        image.set_estimates({{0, 64}, {0, 48}});
        fourfold.set_estimates({{0, 64}, {0, 48}});
    }
};

HALIDE_REGISTER_GENERATOR(Outer, outer)
