"""A schedule and its pipeline as a Python file that runs, checks and times it, and needs Halide and NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from hltune.pipeline.layout import Layout, boundary, layout_of
from hltune.schedule.languages import quoted
from hltune.schedule.script_template import EXPRESSION, MAIN, PROMISE
from hltune.schedule.source import to_python
from hltune.values.directives import Schedule
from hltune.values.pipeline import (
    SETTERS,
    BufferArgument,
    Interval,
    Number,
    OutputImage,
    PipelineSpec,
    Promise,
    ScalarArgument,
)

Levels = tuple[tuple[float, tuple[int, ...]], ...]
"""Distances, with how many elements of an output may be farther off: of all, then in any slice of each axis."""
Allowed = tuple[Levels, float | None]
"""What an output image may differ by, and what floats are related to near zero; None for a hundredth of the largest."""
BY_RULE = "outputs may differ by what is usual: what was measured of them is not remembered for these inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """What the outputs may differ by.

    Attributes:
        allowed: one per output image.
        by_rule: at least one of them is what is usual, for what was measured is not known.
    """

    allowed: tuple[Allowed, ...]
    by_rule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """What took too long when it was measured: ``compile`` or ``run``, and after how many seconds that ended."""

    stage: str
    after_s: float


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
        tolerances: of the outputs.
        failure: what came of it, for people; None if it worked.
        given_up: what took too long, if that is how it failed.
    """

    target: str
    halide: str
    environment: Mapping[str, str]
    seed: int
    ranges: Mapping[str, tuple[int, int]]
    scalars: Mapping[str, Number]
    tolerances: Tolerances
    files: Collection[str] = ()
    failure: str | None = None
    given_up: GivenUp | None = None


def to_script(spec: PipelineSpec, schedule: Schedule, setting: Setting, *, about: str) -> str:
    """The file; it reads those of `pipeline_files` beside it, and has inputs as large as the estimates."""
    heading = f"# {_line(about)}\n# pip install halide=={setting.halide} numpy, then: python reproduce.py\n"
    heading += f"# {BY_RULE}\n" if setting.tolerances.by_rule else ""
    body = to_python(schedule, spec)
    modules = ("contextlib", "os", "re", "signal", "subprocess", "sys", "time")
    imports = "".join(f"import {name}\n" for name in modules)
    imports += "from itertools import zip_longest\nfrom pathlib import Path\n"
    body = body.replace("import re\nfrom itertools import zip_longest\n", imports, 1)
    environment = f"os.environ.update({dict(setting.environment)})  # before Halide reads it\n"
    body = body.replace("import halide as hl\n", f"{environment}\nimport halide as hl\nimport numpy as np\n", 1)
    images = [
        (each.name, each.dtype, _dimensions(layout_of(each, each.dtype), each.estimate)) for each in spec.buffers()
    ]
    scalars = [
        f"({each.name!r}, {each.dtype!r}, {_number(setting.scalars[each.name])})"
        for each in spec.inputs
        if isinstance(each, ScalarArgument)
    ]
    outputs = [
        (list(each.dtypes), _dimensions(layout_of(each, each.dtypes[0]), each.estimate)) for each in spec.outputs
    ]
    promises = _promises(spec)
    return (
        heading
        + body
        + MAIN.format(
            target=setting.target,
            images=repr(images),
            files=repr(sorted(setting.files)),
            seed=setting.seed,
            ranges=repr(dict(setting.ranges)),
            tolerances=repr(list(setting.tolerances.allowed)),
            by_rule=repr(BY_RULE if setting.tolerances.by_rule else None),
            failure=repr(setting.failure and _line(setting.failure)),
            given_up=repr(setting.given_up and (setting.given_up.stage, setting.given_up.after_s)),
            scalars=f"[{', '.join(scalars)}]",
            outputs=repr(outputs),
            alignment=boundary(*(each.alignment for each in (*spec.buffers(), *spec.outputs))),
            order=repr([each.name for each in spec.inputs]),
            promised="    promise(parameters)\n" if promises else "",
            promises=promises,
            funcs=len(spec.funcs),
        )
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def pipeline_files(spec: PipelineSpec) -> dict[str, bytes]:
    """The algorithm, and the expressions that it demands of its inputs, by the names of files."""
    expressions = {file: promise.expression for file, _, promise in _expressions(spec)}
    return {"pipeline.hlpipe": spec.hlpipe, **expressions}


def _dimensions(layout: Layout, estimate: Sequence[Interval]) -> list[tuple[int, int, int]]:
    return [(minimum, extent, stride) for (minimum, extent), stride in zip(estimate, layout.strides, strict=True)]


def _promises(spec: PipelineSpec) -> str:
    """Functions that say what the pipeline's own process said of its images; empty for one that says nothing."""
    constants = chain.from_iterable(
        (f"parameters[{quoted(each.name)}].{call}" for call in _constants(each))
        for each in (*spec.inputs, *spec.output_images)
    )
    expressions = [
        f'parameters[{quoted(name)}].{SETTERS[promise.what]}({promise.dimension}, expression("{file}", parameters))'
        for file, name, promise in _expressions(spec)
    ]
    calls = [*constants, *expressions]  # an expression may name other inputs
    if not calls:
        return ""
    lines = "".join(f"    {call}\n" for call in calls)
    return PROMISE.format(lines=lines) + (EXPRESSION if expressions else "")


def _constants(argument: BufferArgument | ScalarArgument | OutputImage) -> Iterator[str]:
    """The calls of `hltune.pipeline.build` without those that are Halide's default."""
    if isinstance(argument, ScalarArgument):
        for name, value in (("min", argument.minimum), ("max", argument.maximum)):
            if value is not None and math.isfinite(value):
                yield f'set_{name}_value(hl.cast(TYPES["{argument.dtype}"], {_literal(argument.dtype, value)}))'
        return
    if argument.alignment is not None:
        yield f"set_host_alignment({argument.alignment})"
    for number, constraint in enumerate(argument.constraints):
        if constraint.minimum is not None:
            yield f"set_min_constraint({number}, {constraint.minimum})"
        if constraint.extent is not None:
            yield f"set_extent_constraint({number}, {constraint.extent})"
        if constraint.stride != (None if number else 1):
            yield f"set_stride_constraint({number}, hl.Expr({'' if constraint.stride is None else constraint.stride}))"


def _number(value: Number) -> str:
    """It in Python, which has no literal for what is infinite."""
    return f'float("{value}")' if math.isinf(value) else repr(value)


def _literal(dtype: str, value: Number) -> Number:
    """The bindings take no number beyond 64 signed bits, but casting wraps around."""
    return value - 2**64 if dtype == "uint64" and value >= 2**63 else value


def _expressions(spec: PipelineSpec) -> list[tuple[str, str, Promise]]:
    """The constraints that are no constants: a file for each, the input's name, and what it is."""
    images = (*spec.buffers(), *spec.output_images)
    found = [(image.name, promise) for image in images for promise in image.promises]
    return [(f"promise_{number}.hlpipe", name, promise) for number, (name, promise) in enumerate(found)]
