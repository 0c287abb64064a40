#include "Halide.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

using namespace Halide;

struct Bad : public Generator<Bad> {
    GeneratorParam<int> size{"size", 1};
    Input<Buffer<uint8_t, 1>[2]> images{"images"};
    Input<Func> func{"func", UInt(8), 1};
    Input<uint8_t> offset{"offset"};
    Output<Buffer<uint8_t, 1>> output{"output"};
    Var x{"x"};

    void generate() {
        switch ((int)size) {
        case 2:
            std::abort();
        case 3:
            throw std::runtime_error("a bad size");
        case 4:
            return;  // leaves the output undefined
        case 6:
            std::puts("goodbye");
            std::fputs("to all\n", stderr);
            std::exit(0);
        case 7:
            std::exit(3);
        case 8:
            std::raise(SIGSEGV);
        }
        Func scheduled("scheduled");
        scheduled(x) = images[1](x) + offset;
        output(x) = scheduled(x) + scheduled(x + 1);
        if (size == 5) {
            scheduled.compute_root();
        }
    }
};

HALIDE_REGISTER_GENERATOR(Bad, bad)

struct Worse : public Generator<Worse> {
    Output<Buffer<uint8_t, 1>> output{"output"};
    void generate() {
        Var x{"x"};
        output(x) = cast<uint8_t>(x);
    }
};

HALIDE_REGISTER_GENERATOR(Worse, worse)
