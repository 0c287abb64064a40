"""The built-in benchmarks by name. Does not import Halide, so that listing them is instant."""

from collections.abc import Iterable

from hltune.suite.benchmark import Benchmark, Group
from hltune.values.errors import InputError, did_you_mean

_FILTERS = {
    "conv3x3a16": "3x3 convolution with an int8 mask, 16-bit accumulator",
    "conv3x3a32": "3x3 convolution with an int8 mask, 32-bit accumulator",
    "dilate3x3": "3x3 maximum",
    "gaussian5x5": "5x5 blur with weights 1 4 6 4 1, 16-bit sums",
    "median3x3": "3x3 median",
    "sobel": "edge strength |gx| + |gy|",
}
_APPS = {
    "bilateral_grid": "smooths and keeps edges: a blurred grid of space and brightness",
    "local_laplacian": "local contrast: remapped Laplacian pyramids of 8 levels",
    "nl_means": "non-local means: averages pixels whose surroundings look alike",
    "lens_blur": "blur by depth, which two views give",
    "camera_pipe": "raw sensor data to an image: demosaicing, colours, tone, sharpening",
    "stencil_chain": "32 stencils of 5x5, one after the other",
    "harris": "corners by the structure tensor",
    "hist": "equalises the histogram of brightness",
    "max_filter": "maximum in a disc of radius 26",
    "unsharp": "unsharp mask",
    "interpolate": "fills what is transparent, from coarse to fine",
    "conv_layer": "convolution layer of a network with ReLU",
    "mat_mul": "product of two matrices",
    "iir_blur": "recursive blur, forwards and backwards in x and y",
    "bgu": "bilateral guided upsampling of another filter",
    "resnet_block": "residual block of ResNet-50",
}
_USUAL = (1536, 2560)
_SIZES = {
    "lens_blur": (192, 320),
    "camera_pipe": (2592, 1968),
    "conv_layer": (100, 80),
    "mat_mul": (1024, 1024),
    "resnet_block": (56, 56),
}
"""Width and height where they are not the usual ones."""
_LEAST = {"conv_layer": 16, "resnet_block": 16}

FILTERS = tuple(
    Benchmark(name=each, summary=text, module=f"hltune.suite.{each}", group=Group.HEXAGON, width=1536, height=2560)
    for each, text in _FILTERS.items()
)
"""The image filters: what pre-training is judged by."""
APPS = tuple(
    Benchmark(
        name=each,
        summary=text,
        module=f"hltune.suite.apps.{each}",
        group=Group.APPS,
        width=_SIZES.get(each, _USUAL)[0],
        height=_SIZES.get(each, _USUAL)[1],
        least=_LEAST.get(each, 64),
    )
    for each, text in _APPS.items()
)
"""The applications of Adams et al. 2019. No model is ever trained on them."""
ALL = (*FILTERS, *APPS)


def find(name: str) -> Benchmark:
    """Looks a benchmark up."""
    names = [benchmark.name for benchmark in ALL]
    if name in names:
        return ALL[names.index(name)]
    raise InputError(
        "unknown benchmark",
        expected="one of " + ", ".join(names) + "; or file.py[:name], file.cpp[:name], file.hlpipe",
        found=repr(name),
        todo=did_you_mean(name, [*names, *Group], cutoff=0.5),
    )


def expanded(names: Iterable[str]) -> list[str]:
    """The names, those of a group in place of its own."""
    members = {group.value: [each.name for each in ALL if each.group is group] for group in Group}
    return [name for given in names for name in members.get(given, [given])]
