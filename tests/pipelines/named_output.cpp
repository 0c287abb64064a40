// Interleaved, and the schedule names the image of the output, which Halide takes for an input then.

#include <Halide.h>

class NamedOutput : public Halide::Generator<NamedOutput> {
public:
    GeneratorParam<int> pitch{"pitch", 64};

    Input<Buffer<uint8_t, 3>> image{"image"};
    Output<Buffer<uint8_t, 3>> inverted{"inverted"};

    void generate() {
        inverted(x, y, c) = cast<uint8_t>(255 - image(x, y, c));
        image.dim(0).set_stride(3);
        image.dim(2).set_bounds(0, 3).set_stride(1);
        inverted.dim(0).set_stride(3);
        if (pitch > 1) {
            inverted.dim(1).set_stride(inverted.dim(1).stride() / pitch * pitch);
        }
        inverted.dim(2).set_bounds(0, 3).set_stride(1);
        image.set_estimates({{0, 32}, {0, 24}, {0, 3}});
        inverted.set_estimates({{0, 32}, {0, 24}, {0, 3}});
    }

    void schedule() {
        if (!using_autoscheduler()) {
            inverted.specialize(inverted.width() >= 16).vectorize(x, 16);
        }
    }

private:
    Var x{"x"}, y{"y"}, c{"c"};
};

HALIDE_REGISTER_GENERATOR(NamedOutput, named_output)
