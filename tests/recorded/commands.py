"""What `tests.recorded` runs, in this order and in one folder: commands of the README, and bad input."""

from __future__ import annotations

SIZE = "256x256"
QUICK = "--beam-size 2 --max-parallelism 2"
SCRIPT = f"""
--version
list --json
list
doctor --json
programs show 7 --json
programs show 7 -o program.svg
# Schedule: all searches, all kinds of pipelines.
schedule median3x3 --beam-size 32 --num-passes 5 --max-parallelism 2 --size 512x512 --json
schedule median3x3 --size {SIZE} --json
schedule median3x3 --size {SIZE} -o shown
schedule median3x3 --autoscheduler mullapudi2016 --last-level-cache 1M --balance 20 --size {SIZE} -o m --json
schedule median3x3 --autoscheduler li2018 --size {SIZE} -o l --json
schedule median3x3 --beam-size 1 --random-dropout 1 --seed 3 --size {SIZE} -o probe --json
schedule median3x3 --memory-limit 64M --size {SIZE} {QUICK} -o limited --json
schedule sobel --target arm-64-linux --size {SIZE} {QUICK} --json
schedule sobel --search-timeout 0.5 --beam-size 100000 --num-passes 1000 --size {SIZE} -o fallback --json
schedule filters.py:sharpen -p amount=2 --estimate image=320x240 --estimate output=320x240 --json
schedule filters.py:sharpen --example in.png -i in.png {QUICK}
schedule blur_generator.py {QUICK} -p shift=1 --json
schedule blur_generator.cpp:blur {QUICK} -p shift=1 --json
schedule sharpen.hlpipe --estimate image=320x240 {QUICK} --json
# What is on record is run and exported.
schedule dilate3x3 --size {SIZE} {QUICK} --json
run dilate3x3 --size {SIZE} -i in.png -o out.png --json
run dilate3x3 --size {SIZE} -i large.png -o large_out.npy
export dilate3x3 --size {SIZE} -o all --format json,python,cpp,object --json
export dilate3x3 --size {SIZE} -o texts --format json,python,cpp
export dilate3x3 --size {SIZE} -o arm --target arm-64-android --function-name widest --json
compare dilate3x3 --size {SIZE} {QUICK} --rounds 2 --schedule all/dilate3x3.schedule.json --json
compare dilate3x3 filters.py:sharpen {QUICK} --rounds 1 --workspace two --json
compare dilate3x3 --size {SIZE} {QUICK} --rounds 1
run dilate3x3 --size {SIZE} -i in.png -o again.png --schedule all/dilate3x3.schedule.json --json
# Tune: begin, go on, compare only, two pipelines. ~ marks what depends on the schedules that are found.
~ tune sobel --size {SIZE} {QUICK} --rounds 1 --samples 20 --json
~ tune sobel --size {SIZE} {QUICK} --rounds 1 --samples 8 --json
~ tune filters.py:sharpen blur_generator.py {QUICK} --samples 16 --workspace two --json
~ compare sobel --size {SIZE} {QUICK} --rounds 2 --json
~ run sobel --size {SIZE} -i in.png -o edges.png --json
~ export sobel --size {SIZE} -o tuned --format json,python,cpp --json
~ samples stats --json
~ samples stats
~ samples best sobel --json
~ samples export sobel -o exported --json
~ samples import exported --workspace other --json
~ samples import exported --workspace other
~ samples stats --workspace other --json
~ tune sobel --size {SIZE} {QUICK} --rounds 0 --fresh --discard
~ samples delete sobel --json
~ samples stats --json
# Pretrain.
pretrain --batches 1 --schedules 4 {QUICK} --no-benchmarks --workspace trained --json
pretrain --batches 2 --schedules 4 {QUICK} --no-benchmarks --use --workspace trained --json
pretrain --plan --pipelines 20 --hours 1 --max-parallelism 2 --workspace trained --json
pretrain --plan --pipelines 20 --hours 1 --max-parallelism 2 --workspace trained
~ compare dilate3x3 --size {SIZE} {QUICK} --rounds 1 --workspace trained --json
# Bad input.
schedule median3 --json
schedule none.py --json
schedule notes.txt --json
schedule filters.py:blunt --json
schedule filters.py:sharpen --size 64x64 --json
schedule filters.py:sharpen -p amount --json
schedule filters.py:sharpen -i none.png --json
schedule filters.py:sharpen -i in.png --json
schedule filters.py:broken --json
schedule sobel --autoscheduler best --json
schedule sobel --weights junk.weights --json
schedule sobel --beam-size 0 --json
schedule sobel --target z80 --json
schedule sobel --colour red --json
schedule sobel --beam-size many --json
schedule sobel --workspace /proc/hltune --json
schedule --json
paint --json
compare sobel --schedule notes.txt --json
tune sobel --rounds -1 --json
tune sobel --discard --json
tune sobel sobel --json
tune sobel --target hexagon --objective cycles --json
tune sobel --target hexagon --objective packets+misses --cache big --json
run gaussian5x5 -i in.png -o never.png --json
run dilate3x3 --size {SIZE} -i none.png -o never.png --json
export sobel -o never --format pdf --json
samples best nothing --json
samples best nothing --workspace never --json
samples import nowhere --json
pretrain --hours 1 --json
pretrain --batches 0 --json
"""
HEXAGON = f"""
schedule sobel --target hexagon --size {SIZE} --beam-size 2 --workspace dsp --json
export sobel --target hexagon --size {SIZE} -o dsp_out --format object,offload --workspace dsp --json
compare sobel --target hexagon --size {SIZE} --beam-size 2 --workspace dsp --json
compare sobel --target hexagon --size {SIZE} --beam-size 2 --workspace dsp
compare sobel --target hexagon --size {SIZE} --objective packets+misses --cache 64K:4:64 --workspace dsp --json
~ tune sobel --target hexagon --size {SIZE} --beam-size 2 --rounds 1 --samples 12 --workspace dsp --json
~ export sobel --target hexagon --size {SIZE} -o dsp_tuned --workspace dsp --json
~ samples best sobel --workspace dsp --json
"""
SHARPEN = """import halide as hl


def sharpen(amount: float = 1.5) -> hl.Func:
    x, y = hl.vars("x y")
    image = hl.ImageParam(hl.UInt(8), 2, "image")
    edge = hl.BoundaryConditions.repeat_edge(image)
    rows, blurred, output = hl.Func("rows"), hl.Func("blurred"), hl.Func("output")
    rows[x, y] = hl.f32(edge[x - 1, y]) + 2 * hl.f32(edge[x, y]) + hl.f32(edge[x + 1, y])
    blurred[x, y] = (rows[x, y - 1] + 2 * rows[x, y] + rows[x, y + 1]) / 16
    output[x, y] = hl.u8_sat(hl.f32(edge[x, y]) * (1 + amount) - amount * blurred[x, y])
    image.set_estimates([hl.Range(0, 480), hl.Range(0, 270)])
    output.set_estimates([hl.Range(0, 480), hl.Range(0, 270)])
    return output


def broken() -> hl.Func:
    return 1 / 0
"""
PYTHON_BLUR = """import halide as hl

x, y = hl.vars("x y")


@hl.generator("blur")
class Blur:
    shift = hl.GeneratorParam(0)
    input = hl.InputBuffer(hl.UInt(8), 2)
    gain = hl.InputScalar(hl.Float(32))
    output = hl.OutputBuffer(hl.UInt(8), 2)

    def generate(self):
        rows = hl.Func("rows")
        edge = hl.BoundaryConditions.repeat_edge(self.input)
        rows[x, y] = hl.u16(edge[x - 1, y]) + hl.u16(edge[x, y]) + hl.u16(edge[x + 1, y])
        total = rows[x, y - 1] + rows[x, y] + rows[x, y + 1]
        self.output[x, y] = hl.u8_sat(hl.f32(total >> self.shift) * self.gain)
        self.input.set_estimates([(0, 192), (0, 128)])
        self.gain.set_estimate(0.125)
        self.output.set_estimates([(0, 192), (0, 128)])
"""
CPP_BLUR = """#include "Halide.h"
using namespace Halide;

class Blur : public Generator<Blur> {
public:
    GeneratorParam<int> shift{"shift", 0};
    Input<Buffer<uint8_t, 2>> input{"input"};
    Output<Buffer<uint8_t, 2>> output{"output"};

    void generate() {
        Var x("x"), y("y");
        Func rows("rows"), edge = BoundaryConditions::repeat_edge(input);
        rows(x, y) = cast<uint16_t>(edge(x - 1, y)) + edge(x, y) + edge(x + 1, y);
        output(x, y) = saturating_cast<uint8_t>((rows(x, y - 1) + rows(x, y) + rows(x, y + 1)) >> (int)shift);
        input.set_estimates({{0, 192}, {0, 128}});
        output.set_estimates({{0, 192}, {0, 128}});
    }
};
HALIDE_REGISTER_GENERATOR(Blur, blur)
"""
