"""The built-in benchmarks by name. Does not import Halide, so that listing them is instant."""

from hltune.suite.benchmark import Benchmark
from hltune.values.errors import InputError, did_you_mean


def _benchmark(name: str, summary: str) -> Benchmark:
    return Benchmark(name=name, summary=summary, module=f"hltune.suite.{name}")


BENCHMARKS = (
    _benchmark("conv3x3a16", "3x3 convolution with an int8 mask, 16-bit accumulator"),
    _benchmark("conv3x3a32", "3x3 convolution with an int8 mask, 32-bit accumulator"),
    _benchmark("dilate3x3", "3x3 maximum"),
    _benchmark("gaussian5x5", "5x5 blur with weights 1 4 6 4 1, 16-bit sums"),
    _benchmark("median3x3", "3x3 median"),
    _benchmark("sobel", "edge strength |gx| + |gy|"),
)


def find(name: str) -> Benchmark:
    """Looks a benchmark up."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    if name in names:
        return BENCHMARKS[names.index(name)]
    raise InputError(
        "unknown benchmark",
        expected="one of " + ", ".join(names) + "; or file.py[:name], file.cpp[:name], file.hlpipe",
        found=repr(name),
        todo=did_you_mean(name, names, cutoff=0.4),
    )
