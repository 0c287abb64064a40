"""A schedule and its pipeline as a Python file that runs, checks and times it, and needs Halide and NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hltune.pipeline.layout import Layout, layout_of
from hltune.schedule.source import to_python
from hltune.values.directives import Schedule
from hltune.values.pipeline import Interval, Number, PipelineSpec, ScalarArgument

_SCRIPT = '''

TARGET = "{target}"
"""What it was compiled for; the first argument of this script, if there is one, is used instead."""
IMAGES = {images}
"""Inputs: name, type, and per dimension minimum, extent and stride, the innermost first."""
FILES = {files}
"""Those that are read from a file beside this one; the others are drawn."""
SEED = {seed}
RANGES = {ranges}
"""Of random integers, by their type."""
SCALARS = {scalars}
OUTPUTS = {outputs}
"""Types of the elements of each output, and the same of its dimensions."""
TOLERANCES = {tolerances}
"""Per output image, distances, and how many elements may be farther off: of all, and in any slice of each axis;
then what floats are related to near zero, None for a hundredth of the largest."""
ORDER = {order}


def main() -> None:
    """Runs the pipeline with every Func at root, then with the schedule, compares and times them."""
    target, here = hl.Target(sys.argv[1] if len(sys.argv) > 1 else TARGET), hl.get_host_target()
    if (target.arch, target.os, target.bits) != (here.arch, here.os, here.bits):
        pipeline, arguments = build(apply_schedule)
        pipeline.compile_to({{hl.OutputFileType.object: "reproduce.o"}}, arguments, "reproduce", target)
        todo = "to run the schedule on this one: python reproduce.py host"
        raise SystemExit(f"compiled, but code for {{target}} does not run on this computer; {{todo}}")
    expected, seconds = run(at_root, target)
    print(f"every Func at root: {{seconds * 1e3:.3f}} ms", flush=True)
    found, seconds = run(apply_schedule, target)
    print(f"the schedule: {{seconds * 1e3:.3f}} ms")
    for number, (one, other) in enumerate(zip(expected, found)):
        levels, near_zero = TOLERANCES[number]
        far = distances(one, other, near_zero)
        print(f"output {{number}}: {{np.count_nonzero(far)}} of {{one.size}} elements differ")
        for distance, allowed in levels:
            wrong = far > distance
            axes = range(wrong.ndim)
            slices = [wrong.sum(axis=tuple(each for each in axes if each != axis)).max() for axis in axes]
            if any(count > most for count, most in zip([wrong.sum(), *slices], allowed)):
                print(f"  wrong: {{wrong.sum()}} are off by more than {{distance:g}}, and {{allowed[0]}} may")
                first = tuple(np.argwhere(wrong)[0])
                print(f"  the first at {{first}}: {{other[first]}} instead of {{one[first]}}")
                break


def distances(one, other, near_zero):
    """How far elements are: integers in units, floats relative to the value."""
    if one.dtype.kind != "f":
        wide = [each.astype(np.uint8) if each.dtype.kind == "b" else each for each in (one, other)]
        return np.maximum(*wide).astype(np.uint64) - np.minimum(*wide).astype(np.uint64)
    one, other = one.astype(np.float64), other.astype(np.float64)
    if near_zero is None:
        near_zero = np.abs(one[np.isfinite(one)]).max(initial=0.0) / 100
    with np.errstate(all="ignore"):
        far = np.abs(other - one) / (np.abs(one) + near_zero)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isfinite(far), far, np.inf))


def build(schedule):
    """The pipeline with a schedule, and its arguments."""
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
    return pipeline, [parameters[name]._to_argument() for name in ORDER]


def run(schedule, target):
    """Compiles, runs, and returns outputs and the least seconds of five runs."""
    pipeline, arguments = build(schedule)
    function = pipeline.compile_to_callable(arguments, target)
    values = {{name: buffer(image(name, kind, dimensions), dimensions) for name, kind, dimensions in IMAGES}}
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


def image(name, kind, dimensions):
    """The elements of an input as they were measured with: from a file, or random, floats over [0, 1)."""
    array, rng = empty(kind, dimensions), np.random.default_rng([SEED, *name.encode()])
    if name in FILES:
        array[...] = np.load(Path(__file__).with_name(f"{{name}}.npy"))
    elif kind == "float16":
        array[...] = rng.integers(0, 2**11, array.shape) / 2**11
    elif array.dtype.kind == "f":
        array[...] = rng.random(array.shape, dtype=kind)
    elif kind == "bool":
        array[...] = rng.integers(0, 2, array.shape, dtype=np.uint8)
    else:
        array[...] = rng.integers(*RANGES[kind], array.shape, dtype=kind, endpoint=True)
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


Levels = tuple[tuple[float, tuple[int, ...]], ...]
"""Distances, with how many elements of an output may be farther off: of all, then in any slice of each axis."""
Allowed = tuple[Levels, float | None]
"""What an output image may differ by, and what floats are related to near zero; None for a hundredth of the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a schedule was measured.

    Attributes:
        target: a full Halide target.
        halide: version of Halide.
        environment: what Halide reads of it.
        files: inputs whose elements are in ``NAME.npy`` beside the script.
        seed: what the others are drawn from.
        ranges: least and largest random integer, by NumPy's name of the type.
        scalars: values of the inputs that are no images, by name.
        tolerances: one per output image.
    """

    target: str
    halide: str
    environment: Mapping[str, str]
    seed: int
    ranges: Mapping[str, tuple[int, int]]
    scalars: Mapping[str, Number]
    tolerances: Sequence[Allowed]
    files: Collection[str] = ()


def to_script(spec: PipelineSpec, schedule: Schedule, setting: Setting, *, about: str) -> str:
    """The file; it reads the pipeline from ``pipeline.hlpipe`` beside it, of inputs as large as the estimates."""
    heading = f"# {' '.join(about.split())}\n# pip install halide=={setting.halide} numpy, then: python reproduce.py\n"
    body = to_python(schedule, spec)
    imports = (
        "import os\nimport re\nimport sys\nimport time\nfrom itertools import zip_longest\nfrom pathlib import Path\n"
    )
    body = body.replace("import re\nfrom itertools import zip_longest\n", imports, 1)
    environment = f"os.environ.update({dict(setting.environment)})  # before Halide reads it\n"
    body = body.replace("import halide as hl\n", f"{environment}\nimport halide as hl\nimport numpy as np\n", 1)
    images = [
        (each.name, each.dtype, _dimensions(layout_of(each, each.dtype), each.estimate)) for each in spec.buffers()
    ]
    scalars = [
        (each.name, each.dtype, setting.scalars[each.name]) for each in spec.inputs if isinstance(each, ScalarArgument)
    ]
    outputs = [
        (list(each.dtypes), _dimensions(layout_of(each, each.dtypes[0]), each.estimate)) for each in spec.outputs
    ]
    return (
        heading
        + body
        + _SCRIPT.format(
            target=setting.target,
            images=repr(images),
            files=repr(sorted(setting.files)),
            seed=setting.seed,
            ranges=repr(dict(setting.ranges)),
            tolerances=repr(list(setting.tolerances)),
            scalars=repr(scalars),
            outputs=repr(outputs),
            order=json.dumps([each.name for each in spec.inputs]),
            funcs=len(spec.funcs),
        )
    )


def _dimensions(layout: Layout, estimate: Sequence[Interval]) -> list[tuple[int, int, int]]:
    return [(minimum, extent, stride) for (minimum, extent), stride in zip(estimate, layout.strides, strict=True)]
