"""The first check of a pipeline: as the user's process has it, it computes what it computes after serialization.

Both are compiled here with the same schedule and without liberties in arithmetic, and run on one thread on the same
small random images: equal means equal. Each runs in a fork, for the user's code may do anything when it runs. Where
values may be read that nobody wrote, which are other ones each time, both run on memory that is full of the same byte;
and the first once more with another byte, which must not matter.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import halide as hl
import numpy as np

from hltune.pipeline.build import all_funcs, buffer_of, build
from hltune.pipeline.images import Array, pieces
from hltune.pipeline.jit_handlers import filled_buffers
from hltune.pipeline.layout import layout_of, middle, stored
from hltune.pipeline.operations import has_undefined
from hltune.runtime.rlimits import limit
from hltune.runtime.worker.child import die_with_parent
from hltune.values.errors import InputError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument

_CPU_S = 30
"""Of the processor's time each may take so much: a busy computer gives it in several times as long."""
_PATIENCE_S = 90.0
"""So long is waited for each way, whatever it does."""
CHECK_S = 330.0
"""What all of it takes at most."""
_TOO_LONG = "running both takes more than {cpu_s} s of processor time"
_EXTENT = 16
"""Of each dimension of an output, so much is computed, unless the pipeline demands all of it."""
_WAYS = ((False, 128), (True, 128), (True, 1))
"""Whether all of the outputs is computed, which updates that write elsewhere need, and at which multiples rows start.

Some pipelines insist on such multiples, and others on rows without anything between them.
"""

_BYTE, _OTHER_BYTE = 0x7F, 0x80
"""What memory is full of that nobody wrote to."""

Outcome = list[bytes] | str
"""What a run computed, or why it failed."""
Prepare = Callable[[], Callable[[], Outcome]]
"""Makes ready what is to run."""


class _Outcomes(NamedTuple):
    """What was computed.

    Attributes:
        mine: by the pipeline of the user's process.
        specs: by that of the spec.
        refilled: by the first on memory that is full of another byte; the same as `mine` where nothing can read that.
    """

    mine: Outcome
    specs: Outcome
    refilled: Outcome

    @property
    def failed(self) -> bool:
        """Nothing could be run."""
        return all(isinstance(each, str) for each in self)


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
        InputError: they differ, or read what nobody wrote.
    """
    try:
        found = _outcomes(own, spec, scheduled)
    except MemoryError as error:
        found = f"there is not enough memory to run both: {error}"
    if isinstance(found, str):
        return f"not checked against the pipeline in the process of its file: {found}"
    mine, specs, refilled = found
    if isinstance(mine, str) and found.failed:
        said = f"on random images it fails both in that process and as it was serialized: {mine.strip()}"
        return f"not checked against the pipeline in the process of its file: {said}"
    if mine != refilled:
        raise InputError(
            "the pipeline reads values that nobody wrote, and so computes something else with each call",
            where=where,
            expected="outputs that follow from the inputs",
            found="an hl.undef whose elements are read before all of them are written",
            todo="write every element that is read: give the Func a value, such as 0, in place of hl.undef, or let its "
            "updates reach all of it",
        )
    if mine != specs:
        raise InputError(
            "the pipeline computes something else after it was serialized, which every measurement relies on",
            where=where,
            expected="what it computes in the process of its file",
            found=_difference(mine, specs),
            todo="keep what the pipeline reads alive and unchanged (arrays behind hl.Buffer), and report this file",
        )
    return None


def is_lasting(note: str) -> bool:
    """Whether `check_own_output` would say the same again."""
    return note.endswith(_TOO_LONG.format(cpu_s=_CPU_S))


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


def _outcomes(own: Own, spec: PipelineSpec, scheduled: bool) -> _Outcomes | str:
    """Of both, in the first way in which one of them runs; all of the outputs, if it was scheduled."""
    found: _Outcomes | str = ""
    for whole, row in _WAYS:
        if scheduled and not whole:
            continue
        again = _in_forks(own, spec, scheduled=scheduled, whole=whole, row=row)
        if isinstance(again, str):
            return found or again
        found = again
        if not found.failed:
            break
    return found


def _in_forks(own: Own, spec: PipelineSpec, *, scheduled: bool, whole: bool, row: int) -> _Outcomes | str:
    """What both compute, side by side, for compiling them takes long."""
    images = {argument.name: _random_image(argument, number, row) for number, argument in enumerate(spec.buffers())}
    mine = partial(_own_run, own, spec, scheduled, whole, row, images)
    specs = partial(_spec_run, spec, scheduled, whole, row, images)
    undefined = has_undefined(spec)
    if undefined:
        prepared = [partial(mine, _BYTE), partial(specs, _BYTE), partial(mine, _OTHER_BYTE)]
    else:
        prepared = [partial(mine, None), partial(specs, None)]
    outcomes = outcomes_of(prepared)
    if isinstance(outcomes, str):
        return outcomes
    return _Outcomes(*outcomes[:2], refilled=outcomes[2 if undefined else 0])


def outcomes_of(
    prepared: Sequence[Prepare], *, cpu_s: int = _CPU_S, patience_s: float = _PATIENCE_S
) -> list[Outcome] | str:
    """What came of each, in a fork of its own; why nothing is known of one of them, if so.

    Args:
        cpu_s: what each may take of the processor's time.
        patience_s: how long is waited for all.
    """
    end_s = time.monotonic() + patience_s
    with contextlib.ExitStack() as stack:
        forks = [stack.enter_context(_fork(each, cpu_s)) for each in prepared]
        try:
            found: list[Outcome] = []
            for connection, process in forks:
                if not connection.poll(max(0.0, end_s - time.monotonic())):
                    return (
                        f"running both takes more than {patience_s:g} s, for the machine is busy or one of them waits"
                    )
                found.append(_received(connection, process, cpu_s))
            return found
        except _NoOutcomeError as error:
            return str(error)


class _NoOutcomeError(Exception):
    """A fork has not said what came of its run; the message says why."""


@contextlib.contextmanager
def _fork(prepare: Prepare, cpu_s: int) -> Generator[tuple[Connection, BaseProcess]]:
    """A process that prepares a run and sends what came of it; it ends with the context."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_send, args=(there, prepare, cpu_s, os.getpid()), daemon=True)
    process.start()
    there.close()
    try:
        yield here, process
    finally:
        process.kill()
        process.join()
        here.close()


def _send(connection: Connection, prepare: Prepare, cpu_s: int, parent: int) -> None:
    die_with_parent(parent)
    limit(resource.RLIMIT_CPU, cpu_s)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["HL_NUM_THREADS"] = "1"  # several would add floats in another order each time
    try:
        outcome = _outcome(prepare())
    except MemoryError as error:
        outcome = MemoryError(str(error))
    connection.send(outcome)


def _outcome(run: Callable[[], Outcome]) -> Outcome:
    try:
        return run()
    except MemoryError:
        raise  # the other may find enough
    except Exception as error:  # whatever it is, the other has to fail likewise
        return str(error)


def _received(connection: Connection, process: BaseProcess, cpu_s: int) -> Outcome:
    try:
        outcome = connection.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        if code == -signal.SIGXCPU:
            raise _NoOutcomeError(_TOO_LONG.format(cpu_s=cpu_s)) from None
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise _NoOutcomeError(f"running it ends the process: {how}") from None
    if isinstance(outcome, MemoryError):
        raise outcome
    return outcome


def _own_run(
    own: Own, spec: PipelineSpec, scheduled: bool, whole: bool, row: int, images: dict[str, hl.Buffer], byte: int | None
) -> Callable[[], Outcome]:
    parameters = {parameter.name(): parameter for parameter in own.inputs}
    used = [argument for argument in spec.inputs if argument.name in parameters]
    arguments = [parameters[argument.name]._to_argument() for argument in used]
    if not scheduled:
        _compute_all_at_root(own.pipeline)
    return partial(_run, own.pipeline, arguments, used, images, spec.outputs, whole=whole, row=row, byte=byte)


def _spec_run(
    spec: PipelineSpec, scheduled: bool, whole: bool, row: int, images: dict[str, hl.Buffer], byte: int | None
) -> Callable[[], Outcome]:
    built = build(spec, spec.manual_hash if scheduled else None)
    if not scheduled:
        _compute_all_at_root(built.pipeline)
    run = partial(_run, built.pipeline, built.arguments, spec.inputs, images, spec.outputs)
    return partial(run, whole=whole, row=row, byte=byte)


def _compute_all_at_root(pipeline: hl.Pipeline) -> None:
    """What is inlined everywhere may be computed without end."""
    for func in all_funcs(pipeline):
        func.compute_root()


def _run(
    pipeline: hl.Pipeline,
    arguments: Sequence[hl.Argument],
    inputs: Sequence[BufferArgument | ScalarArgument],
    images: dict[str, hl.Buffer],
    outputs: Sequence[OutputArgument],
    *,
    whole: bool,
    row: int,
    byte: int | None,
) -> Outcome:
    """Runs a pipeline on memory that is full of a byte, or as it is without one."""
    target = hl.Target("host-strict_float")
    function = pipeline.compile_to_callable(arguments, target)
    regions = [output if whole else middle(output, _EXTENT) for output in outputs]
    results = [_image(region, dtype, row) for region in regions for dtype in region.dtypes]
    values = [i.estimate if isinstance(i, ScalarArgument) else images[i.name] for i in inputs]
    with contextlib.nullcontext() if byte is None else filled_buffers(byte):
        function(*values, *(buffer for _, buffer in results))
    return [array.tobytes() for array, _ in results]


def _random_image(argument: BufferArgument, seed: int, row: int) -> hl.Buffer:
    array, buffer = _image(argument, argument.dtype, row)
    rng = np.random.default_rng(seed)
    for piece in pieces(array):
        if argument.dtype.startswith("float"):
            piece[...] = rng.random(piece.shape)
        else:
            piece[...] = rng.integers(0, 2 if argument.dtype == "bool" else 128, piece.shape)
    return buffer


def _image(argument: BufferArgument | OutputArgument, dtype: str, row: int) -> tuple[Array, hl.Buffer]:
    """Zeros."""
    image = stored(layout_of(argument, dtype, row=row), name=argument.name, alignment=argument.alignment)
    image.memory.fill(0)
    return image.array, buffer_of(image.array, [minimum for minimum, _ in argument.estimate])
