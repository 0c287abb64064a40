#include "Halide.h"

using namespace Halide;

class Blur : public Generator<Blur> {
public:
    GeneratorParam<bool> radius_is_one{"radius_is_one", true};
    GeneratorParam<int> shift{"shift", 0};

    Input<Buffer<uint8_t, 2>> input{"input"};
    Input<Buffer<uint16_t, 1>> unused{"unused"};
    Input<float> gain{"gain", 0.125f};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        Var x("x"), y("y");
        Func padded("padded"), blur_x("blur_x");
        Expr column = clamp(x, 0, input.width() - 1);
        Expr row = clamp(y, 0, input.height() - 1);
        padded(x, y) = cast<uint16_t>(input(column, row));
        blur_x(x, y) = padded(x - 1, y) + padded(x, y) + padded(x + 1, y);
        Expr blurred = blur_x(x, y);
        if (radius_is_one) {
            blurred = blur_x(x, y - 1) + blur_x(x, y) + blur_x(x, y + 1);
        }
        output(x, y) = saturating_cast<uint8_t>(cast<float>(blurred >> (int)shift) * gain);

        input.set_estimates({{0, 192}, {0, 128}});
        unused.set_estimates({{0, 8}});
        output.set_estimates({{0, 192}, {0, 128}});
        if (!using_autoscheduler()) {
            blur_x.compute_root();
        }
    }
};

HALIDE_REGISTER_GENERATOR(Blur, blur)
