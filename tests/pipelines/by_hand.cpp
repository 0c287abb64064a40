// A vertical blur that schedules itself, always or unless it is told not to.
#include <Halide.h>

using namespace Halide;

class Rows : public Generator<Rows> {
public:
    GeneratorParam<bool> guarded{"guarded", true};
    GeneratorParam<bool> prefetched{"prefetched", false};
    Input<Buffer<uint8_t, 2>> input{"input"};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        wide(x, y) = cast<uint16_t>(input(x, y));
        output(x, y) = cast<uint8_t>((wide(x, y) + 2 * wide(x, y + 1) + wide(x, y + 2)) / 4);
        if (!guarded || !using_autoscheduler()) {
            wide.store_root().compute_at(output, y).vectorize(x, 8);
            output.vectorize(x, 16);
            if (prefetched) {
                output.prefetch(input, y, y, 2);
            }
        } else {
            input.set_estimates({{0, 64}, {0, 34}});
            output.set_estimates({{0, 64}, {0, 32}});
        }
    }

private:
    Var x{"x"}, y{"y"};
    Func wide{"wide"};
};

HALIDE_REGISTER_GENERATOR(Rows, rows)
