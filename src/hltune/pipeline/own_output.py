"""The first check of a pipeline: as the user's process has it, it computes what it computes after serialization.

Both are compiled here with the same schedule and without liberties in arithmetic, and run on one thread on the same
small random images: equal means equal. They run in a fork, for the user's code may do anything when it runs.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import halide as hl
import numpy as np

from hltune.pipeline.build import buffer_of, build
from hltune.pipeline.images import Array
from hltune.pipeline.layout import layout_of, middle, stored
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

_LIMIT_S = 30.0
_EXTENT = 16
"""Of each dimension of an output, so much is computed, unless the pipeline demands all of it."""
_ALIGNMENT = 128
"""Rows start at multiples of so many elements; some pipelines insist."""

Outcome = list[bytes] | str
"""What a run computed, or why it failed."""


@dataclass(frozen=True, slots=True)
class Own:
    """A pipeline of the user's process.

    Attributes:
        inputs: in any order; those that the pipeline does not use may be missing.
    """

    pipeline: hl.Pipeline
    inputs: Sequence[hl.Parameter]


def check_own_output(own: Own, spec: PipelineSpec, *, scheduled: bool, where: str) -> str | None:
    """Compares the pipeline of the user's process with that of the spec; says why that was not possible, if so.

    Args:
        scheduled: whether the user's code has scheduled the first; the other is then `PipelineSpec.manual`.

    Raises:
        InputError: they differ.
    """
    found = _outcomes(own, spec, scheduled)
    if isinstance(found, str):
        return f"not checked against the pipeline in the process of its file: {found}"
    mine, specs = found
    if isinstance(mine, str) and isinstance(specs, str):
        said = f"on random images both fail: {mine.strip()}"
        return f"not checked against the pipeline in the process of its file: {said}"
    if mine != specs:
        raise InputError(
            "the pipeline computes something else after it was serialized, which every measurement relies on",
            where=where,
            expected="what it computes in the process of its file",
            found=_difference(mine, specs),
            todo="keep what the pipeline reads alive and unchanged (arrays behind hl.Buffer), and report this file",
        )
    return None


def _difference(mine: Outcome, specs: Outcome) -> str:
    if isinstance(mine, str) or isinstance(specs, str):
        one, other = (each.strip() if isinstance(each, str) else "it runs" for each in (mine, specs))
        return f"{other}; in the process of its file: {one}"
    number, ours, theirs = next((n, a, b) for n, (a, b) in enumerate(zip(mine, specs, strict=True)) if a != b)
    differ = np.flatnonzero(np.frombuffer(ours, np.uint8) != np.frombuffer(theirs, np.uint8))
    first = int(differ[0])
    there, wanted = theirs[first : first + 8].hex(" "), ours[first : first + 8].hex(" ")
    return (
        f"{len(differ)} of the {len(ours)} bytes of output {number} differ, from byte {first} on: {there}, where the "
        f"process of its file has {wanted}"
    )


def _outcomes(own: Own, spec: PipelineSpec, scheduled: bool) -> tuple[Outcome, Outcome] | str:
    """Of both; a part of the outputs, unless it was scheduled, or updates write to the others as well."""
    found = _in_fork(own, spec, scheduled=scheduled, whole=scheduled)
    if scheduled or isinstance(found, str) or not all(isinstance(each, str) for each in found):
        return found
    again = _in_fork(own, spec, scheduled=scheduled, whole=True)
    return found if isinstance(again, str) else again


def _in_fork(own: Own, spec: PipelineSpec, *, scheduled: bool, whole: bool) -> tuple[Outcome, Outcome] | str:
    images = {argument.name: _random_image(argument, number) for number, argument in enumerate(spec.buffers())}
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_compare, args=(there, own, spec, scheduled, whole, images), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(_LIMIT_S):
            return f"running both takes more than {_LIMIT_S:.0f} s"
        return here.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        return "running it ends the process: " + (signal.Signals(-code).name if code < 0 else f"exit status {code}")
    finally:
        process.kill()
        process.join()
        here.close()


def _compare(
    connection: Connection, own: Own, spec: PipelineSpec, scheduled: bool, whole: bool, images: dict[str, hl.Buffer]
) -> None:
    os.environ["HL_NUM_THREADS"] = "1"  # several would add floats in another order each time
    parameters = {parameter.name(): parameter for parameter in own.inputs}
    used = [argument for argument in spec.inputs if argument.name in parameters]
    outcomes: list[Outcome] = []
    for pipeline, arguments, inputs in (
        (own.pipeline, [parameters[argument.name]._to_argument() for argument in used], used),
        (*_built(spec, scheduled), spec.inputs),
    ):
        if not scheduled:
            _compute_root(pipeline)
        try:
            outcomes.append(_run(pipeline, arguments, inputs, images, spec.outputs, whole=whole))
        except Exception as error:  # whatever it is, the other has to fail likewise
            outcomes.append(str(error))
    connection.send(tuple(outcomes))


def _built(spec: PipelineSpec, scheduled: bool) -> tuple[hl.Pipeline, list[hl.Argument]]:
    built = build(spec, spec.manual_hash if scheduled else None)
    return built.pipeline, built.arguments


def _compute_root(pipeline: hl.Pipeline) -> None:
    """What is inlined everywhere may be computed without end."""
    index = 0
    while True:
        try:
            pipeline.get_func(index).compute_root()
        except hl.HalideError:
            return
        index += 1


def _run(
    pipeline: hl.Pipeline,
    arguments: Sequence[hl.Argument],
    inputs: Sequence[BufferArgument | ScalarArgument],
    images: dict[str, hl.Buffer],
    outputs: Sequence[OutputArgument],
    *,
    whole: bool,
) -> Outcome:
    target = hl.Target("host-strict_float")
    function = pipeline.compile_to_callable(arguments, target)
    regions = [output if whole else middle(output, _EXTENT) for output in outputs]
    results = [_image(region, dtype) for region in regions for dtype in region.dtypes]
    values = [i.estimate if isinstance(i, ScalarArgument) else images[i.name] for i in inputs]
    function(*values, *(buffer for _, buffer in results))
    return [array.tobytes() for array, _ in results]


def _random_image(argument: BufferArgument, seed: int) -> hl.Buffer:
    array, buffer = _image(argument, argument.dtype)
    rng = np.random.default_rng(seed)
    if argument.dtype.startswith("float"):
        array[...] = rng.random(array.shape)
    else:
        array[...] = rng.integers(0, 2 if argument.dtype == "bool" else 128, array.shape)
    return buffer


def _image(argument: BufferArgument | OutputArgument, dtype: str) -> tuple[Array, hl.Buffer]:
    """Zeros."""
    image = stored(layout_of(argument, dtype, row=_ALIGNMENT), name=argument.name, alignment=argument.alignment)
    image.memory.fill(0)
    return image.array, buffer_of(image.array, [minimum for minimum, _ in argument.estimate])
