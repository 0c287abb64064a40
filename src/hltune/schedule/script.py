"""A schedule and its pipeline as a Python file that runs, checks and times it, and needs Halide and NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hltune.pipeline.layout import Layout, layout_of
from hltune.schedule.source import to_python
from hltune.values.directives import Schedule
from hltune.values.pipeline import Interval, PipelineSpec, ScalarArgument

_SCRIPT = '''

TARGET = "{target}"
"""What it was compiled for; the first argument of this script, if there is one, is used instead."""
IMAGES = {images}
"""Inputs: name, type, and per dimension minimum, extent and stride, the innermost first."""
SCALARS = {scalars}
OUTPUTS = {outputs}
"""Types of the elements of each output, and the same of its dimensions."""
ORDER = {order}


def main() -> None:
    """Runs the pipeline with every Func at root, then with the schedule, compares and times them."""
    expected, seconds = run(at_root)
    print(f"every Func at root: {{seconds * 1e3:.3f}} ms", flush=True)
    found, seconds = run(apply_schedule)
    print(f"the schedule: {{seconds * 1e3:.3f}} ms")
    for number, (one, other) in enumerate(zip(expected, found)):
        differ = np.argwhere(~((one == other) | ((one != one) & (other != other))))
        print(f"output {{number}}: {{len(differ)}} of {{one.size}} elements differ")
        for first in map(tuple, differ[:1]):
            print(f"  the first at {{first}}: {{other[first]}} instead of {{one[first]}}")


def run(schedule):
    """Compiles, runs, and returns outputs and the least seconds of five runs."""
    data = Path(__file__).with_name("pipeline.hlpipe").read_bytes()
    parameters = hl.deserialize_parameters(data)
    for name, kind, dimensions in IMAGES:
        if name not in parameters:
            parameters[name] = hl.ImageParam(TYPES[kind], len(dimensions), name).parameter()
        for number, (minimum, extent, stride) in enumerate(dimensions):
            parameters[name].set_min_constraint_estimate(number, minimum)
            parameters[name].set_extent_constraint_estimate(number, extent)
            if number == 0 and stride != 1:
                parameters[name].set_stride_constraint(number, hl.Expr(stride))
    for name, kind, _ in SCALARS:
        if name not in parameters:
            parameters[name] = hl.Param(TYPES[kind], name).parameter()
    pipeline = hl.deserialize_pipeline(data, parameters)
    schedule(pipeline)
    target = hl.Target(sys.argv[1] if len(sys.argv) > 1 else TARGET)
    function = pipeline.compile_to_callable([parameters[name]._to_argument() for name in ORDER], target)
    values = {{name: buffer(drawn(kind, dimensions), dimensions) for name, kind, dimensions in IMAGES}}
    values |= {{name: value for name, _, value in SCALARS}}
    outputs = [(empty(kind, dimensions), dimensions) for kinds, dimensions in OUTPUTS for kind in kinds]
    arguments = [*(values[name] for name in ORDER), *(buffer(*output) for output in outputs)]
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - began)
    return [array for array, _ in outputs], min(seconds)


def at_root(pipeline) -> None:
    """Computes every Func once, in full."""
    for number in range({funcs}):
        pipeline.get_func(number).compute_root()


def empty(kind, dimensions):
    """An array with these strides."""
    size = max([stride * extent for _, extent, stride in dimensions] or [1])
    memory = np.zeros(size, kind)
    strides = [stride * memory.itemsize for _, _, stride in reversed(dimensions)]
    return np.ndarray([extent for _, extent, _ in reversed(dimensions)], memory.dtype, memory.data, strides=strides)


def drawn(kind, dimensions):
    """The same with random elements: floats over [0, 1), integers that sums of do not overflow."""
    array, rng = empty(kind, dimensions), np.random.default_rng(0)
    if array.dtype.kind == "f":
        array[...] = rng.random(array.shape)
    else:
        bits = 8 * array.itemsize if array.itemsize < 4 else 12
        low = 0 if array.dtype.kind in "ub" else -(2 ** (bits - 1))
        array[...] = rng.integers(low, 2 if array.dtype.kind == "b" else low + 2**bits, array.shape)
    return array


def buffer(array, dimensions):
    """Halide's view of an array; NumPy makes up the strides of axes of one element, so these have two at first."""
    known = array.view(np.ulonglong) if array.dtype == np.uint64 else array
    shape = tuple(extent + (extent == 1) for extent in array.shape)
    found = hl.Buffer(np.lib.stride_tricks.as_strided(known, shape, array.strides))
    for axis, (_, extent, _) in enumerate(dimensions):
        if extent == 1:
            found.crop(axis, 0, 1)
    found.set_min([minimum for minimum, _, _ in dimensions])
    return found


TYPES = {{f"uint{{bits}}": hl.UInt(bits) for bits in (8, 16, 32, 64)}}
TYPES |= {{f"int{{bits}}": hl.Int(bits) for bits in (8, 16, 32, 64)}}
TYPES |= {{f"float{{bits}}": hl.Float(bits) for bits in (16, 32, 64)}} | {{"bool": hl.Bool()}}

if __name__ == "__main__":
    main()
'''


def to_script(spec: PipelineSpec, schedule: Schedule, *, about: str, target: str, halide: str) -> str:
    """The file; it reads the pipeline from ``pipeline.hlpipe`` beside it."""
    heading = f"# {' '.join(about.split())}\n# pip install halide=={halide} numpy, then: python reproduce.py\n"
    body = to_python(schedule, spec)
    imports = "import re\nimport sys\nimport time\nfrom itertools import zip_longest\nfrom pathlib import Path\n"
    body = body.replace("import re\nfrom itertools import zip_longest\n", imports, 1)
    body = body.replace("import halide as hl\n", "import halide as hl\nimport numpy as np\n", 1)
    images = [
        (each.name, each.dtype, _dimensions(layout_of(each, each.dtype), each.estimate)) for each in spec.buffers()
    ]
    scalars = [(each.name, each.dtype, each.estimate) for each in spec.inputs if isinstance(each, ScalarArgument)]
    outputs = [
        (list(each.dtypes), _dimensions(layout_of(each, each.dtypes[0]), each.estimate)) for each in spec.outputs
    ]
    return (
        heading
        + body
        + _SCRIPT.format(
            target=target,
            images=repr(images),
            scalars=repr(scalars),
            outputs=repr(outputs),
            order=json.dumps([each.name for each in spec.inputs]),
            funcs=len(spec.funcs),
        )
    )


def _dimensions(layout: Layout, estimate: Sequence[Interval]) -> list[tuple[int, int, int]]:
    return [(minimum, extent, stride) for (minimum, extent), stride in zip(estimate, layout.strides, strict=True)]
