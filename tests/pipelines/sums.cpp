#include "Halide.h"
#include "sums_size.h"

class Sums : public Halide::Generator<Sums> {
public:
    Input<Buffer<int32_t, 2>> input{"input"};
    Output<Buffer<int32_t, 1>> output{"output"};

    void generate() {
        Halide::Var x("x");
        Halide::Func total("total");
        Halide::RDom rows(0, HEIGHT, "rows");
        Halide::RDom columns(1, WIDTH - 1, "columns");
        total(x) = 0;
        total(x) += input(x, rows);
        output(x) = total(x);
        output(columns) += output(columns - 1);

        input.set_estimates({{0, WIDTH}, {0, HEIGHT}});
        output.set_estimates({{0, WIDTH}});
    }
};

HALIDE_REGISTER_GENERATOR(Sums, sums)
