// Generators that both hltune and Halide's own tuning loop can tune.

#include "Halide.h"

using namespace Halide;

namespace {

constexpr int kWidth = 1536;
constexpr int kHeight = 2560;

// The input with its edge repeated, as the functions below see it.
template<typename Image>
Func repeat_edge(Image &image) {
    Var x("x"), y("y");
    Func edge("edge");
    edge(x, y) = image(clamp(x, 0, kWidth - 1), clamp(y, 0, kHeight - 1));
    return edge;
}

class Dilate3x3 : public Generator<Dilate3x3> {
public:
    Input<Buffer<uint8_t, 2>> input{"input"};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        Var x("x"), y("y");
        Func edge = repeat_edge(input), column("column");
        column(x, y) = max(edge(x, y - 1), edge(x, y), edge(x, y + 1));
        output(x, y) = max(column(x - 1, y), column(x, y), column(x + 1, y));
        input.set_estimates({{0, kWidth}, {0, kHeight}});
        output.set_estimates({{0, kWidth}, {0, kHeight}});
    }
};

class Gaussian5x5 : public Generator<Gaussian5x5> {
public:
    Input<Buffer<uint8_t, 2>> input{"input"};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        Var x("x"), y("y");
        Func edge = repeat_edge(input), column("column");
        auto tap = [&](int k) { return cast<uint16_t>(edge(x, y + k)); };
        column(x, y) = (tap(-2) + tap(2)) + 4 * (tap(-1) + tap(1)) + 6 * tap(0);
        auto sum = [&](int k) { return column(x + k, y); };
        output(x, y) = cast<uint8_t>(((sum(-2) + sum(2)) + 4 * (sum(-1) + sum(1)) + 6 * sum(0)) >> 8);
        input.set_estimates({{0, kWidth}, {0, kHeight}});
        output.set_estimates({{0, kWidth}, {0, kHeight}});
    }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(Dilate3x3, dilate3x3)
HALIDE_REGISTER_GENERATOR(Gaussian5x5, gaussian5x5)
