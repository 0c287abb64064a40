// Float sums whose order depends on the threads, as their author has scheduled them.
#include <Halide.h>

using namespace Halide;

class AtomicSums : public Generator<AtomicSums> {
public:
    Input<Buffer<float, 1>> input{"input"};
    Output<Buffer<float, 1>> output{"output"};

    void generate() {
        Var x{"x"};
        RDom r(0, 1000000, "r");
        output(x) = 0.0f;
        output(clamp(cast<int>(input(r) * 4), 0, 3)) += input(r);
        output.update().atomic().parallel(r);
        input.set_estimates({{0, 1000000}});
        output.set_estimates({{0, 4}});
    }
};

HALIDE_REGISTER_GENERATOR(AtomicSums, atomic_sums)
