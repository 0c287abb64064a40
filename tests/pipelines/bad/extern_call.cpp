#include "Halide.h"

extern "C" float my_curve(float value) {
    return value * value;
}
HalideExtern_1(float, my_curve, float);

class Curved : public Halide::Generator<Curved> {
public:
    Output<Buffer<float, 1>> output{"output"};

    void generate() {
        Halide::Var x("x");
        output(x) = my_curve(Halide::cast<float>(x));
        output.set_estimates({{0, 64}});
    }
};

HALIDE_REGISTER_GENERATOR(Curved, curved)
