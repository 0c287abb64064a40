// Needs -I include, -D SHIFT=..., and halved.cpp; and it is a program of its own, too.
#include "Halide.h"

#include <limits>

#include "amounts.h"
#include "halide_trace_config.h"

using namespace Halide;

Func halved(Func f);

struct Mixed : public Generator<Mixed> {
    GeneratorParam<int> count{"count", 0};
    Input<Buffer<float, 1>> signal{"signal"};
    Input<float[3]> offsets{"offsets"};
    Output<Buffer<float, 1>> mixed{"mixed"};
    std::vector<Input<float> *> amounts;

    void configure() {
        _halide_user_assert(count > 0) << "count is to be 1 or more";
        for (int i = 0; i < count; i++) {
            amounts.push_back(add_input<float>("amount" + std::to_string(i)));
        }
    }

    void generate() {
        Var x{"x"};
        Expr sum = offsets[0] + offsets[1] * offsets[2];
        for (int i = 0; i < count; i++) {
            sum += signal(x + i) * *amounts[i];
            amounts[i]->set_estimate(0.5f);
        }
        mixed(x) = sum + SHIFT;
        for (size_t i = 0; i < 3; i++) {
            offsets.set_estimate(i, 1.0f);
        }
        signal.set_estimates({{0, 100}});
        mixed.set_estimates({{0, 90}});
    }
};

HALIDE_REGISTER_GENERATOR(Mixed, mixed)

struct Limited : public Generator<Limited> {
    Input<Buffer<uint8_t, 3>> pixels{"pixels"};
    Input<int> level{"level", 5, 1, 9};
    Input<float> gain{"gain", 1.0f, 0.0f, std::numeric_limits<float>::infinity()};
    Input<float> least{"least", -std::numeric_limits<float>::infinity()};
    Output<Buffer<uint8_t, 3>> limited{"limited"};
    Var c{"c"}, x{"x"}, y{"y"};

    void generate() {
        limited(c, x, y) = halved(pixels)(c, x, y) + cast<uint8_t>(level);
        pixels.dim(0).set_bounds(0, 3);
        pixels.dim(1).set_stride(4);
        pixels.dim(2).set_min(0).set_stride(pixels.dim(2).stride() / 64 * 64);
        pixels.set_host_alignment(32);
        limited.dim(0).set_bounds(0, 3);
        pixels.set_estimates({{0, 3}, {0, 40}, {0, 30}});
        limited.set_estimates({{0, 3}, {0, 40}, {0, 30}});
    }

    void schedule() {
        if (!using_autoscheduler()) {
            limited.vectorize(x, 8);
        }
    }
};

HALIDE_REGISTER_GENERATOR(Limited, limited)

struct Tabled : public Generator<Tabled> {
    GeneratorParam<int> factor{"factor", 1};
    Input<Buffer<uint8_t, 2>> image{"image"};
    Output<Buffer<uint8_t, 2>> tabled{"tabled"};

    void generate() {
        Buffer<uint8_t> table(256, 2);
        table.for_each_element([&](int v, int odd) { table(v, odd) = uint8_t(v * factor + 100 * odd); });
        table = table.transposed(0, 1);
        Var x{"x"}, y{"y"};
        tabled(x, y) = table(y % 2, cast<int>(image(x, y)));
        image.set_estimates({{0, 48}, {0, 32}});
        tabled.set_estimates({{0, 48}, {0, 32}});
    }
};

HALIDE_REGISTER_GENERATOR(Tabled, tabled)

struct Windowed : public Generator<Windowed> {
    GeneratorParam<bool> moved{"moved", false};
    Input<Buffer<int16_t, 1>> row{"row"};
    Output<Buffer<int16_t, 1>> windowed{"windowed"};

    void generate() {
        Buffer<int16_t> wide(40, 3);
        wide.for_each_element([&](int i, int k) { wide(i, k) = int16_t(7 * i - 100 * k); });
        Buffer<int16_t> window = wide.cropped(0, 5, 20).cropped(1, 1, 2);
        if (moved) {
            window.set_min(-8, -1);
        }
        Var x{"x"};
        windowed(x) = row(x) * window(window.dim(0).min() + x % 20, window.dim(1).min() + x / 20 % 2);
        row.set_estimates({{0, 64}});
        windowed.set_estimates({{0, 64}});
    }
};

HALIDE_REGISTER_GENERATOR(Windowed, windowed)

struct Demanding : public Generator<Demanding> {
    Input<Buffer<float, 1>> signal{"signal"};
    Input<float> scale{"scale"};
    Output<Buffer<float, 1>> scaled{"scaled"};

    void generate() {
        Var x{"x"};
        scaled(x) = signal(x) * require(scale > 0.0f, scale, "a scale of", scale, "is not positive");
        add_requirement(signal.dim(0).extent() >= 16, "only so many samples:", signal.dim(0).extent());
        signal.set_estimates({{0, 64}});
        scaled.set_estimates({{0, 64}});
    }
};

HALIDE_REGISTER_GENERATOR(Demanding, demanding)

int main() {
    return 3;
}
