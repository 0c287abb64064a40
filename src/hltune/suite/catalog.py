"""The built-in benchmarks by name. Does not import Halide, so that listing them is instant."""

from hltune.suite.benchmark import Benchmark
from hltune.values.errors import InputError, did_you_mean

_SUMMARIES = {
    "conv3x3a16": "3x3 convolution with an int8 mask, 16-bit accumulator",
    "conv3x3a32": "3x3 convolution with an int8 mask, 32-bit accumulator",
    "dilate3x3": "3x3 maximum",
    "gaussian5x5": "5x5 blur with weights 1 4 6 4 1, 16-bit sums",
    "median3x3": "3x3 median",
    "sobel": "edge strength |gx| + |gy|",
}
BENCHMARKS = tuple(Benchmark(name=each, summary=_SUMMARIES[each], module=f"hltune.suite.{each}") for each in _SUMMARIES)


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
