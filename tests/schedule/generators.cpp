// Two pipelines as generators, scheduled by headers that the test has written.
#include "schedules.h"

namespace {

using namespace Halide;

class Convolution : public Generator<Convolution> {
public:
    Input<Buffer<uint8_t, 2>> input{"input"};
    Input<Buffer<int16_t, 2>> mask{"mask"};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        Var x("x"), y("y");
        RDom r(0, 3, 0, 3, "r");
        Func total("total");
        total(x, y) = 1;
        total(x, y) += cast<int32_t>(input(x + r.x, y + r.y)) * mask(r.x, r.y);
        total(x, 3) += x;
        output(x, y) = ConciseCasts::u8_sat(total(x, y) >> 4);
    }

    void schedule() {
        apply_schedule_convolution(get_pipeline(), get_target());
    }
};

class OddNames : public Generator<OddNames> {
public:
    Input<Buffer<float, 2>> input{"input"};
    Output<Buffer<float, 2>> output{"output"};

    void generate() {
        Var x, y("class"), z("a__b");  // the first is given a counted name
        Func first("2x"), second("pipeline");
        first(x, y) = input(x, y) + input(x + 1, y);
        second(y, z) = first(z, y) * first(z, y + 1);
        output(x, y) = second(y, x) + second(y, x + 1);
    }

    void schedule() {
        apply_schedule_odd_names(get_pipeline(), get_target());
    }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(Convolution, convolution)
HALIDE_REGISTER_GENERATOR(OddNames, odd_names)
