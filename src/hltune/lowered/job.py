"""Lowers a scheduled pipeline, without LLVM, and reads its features. Runs in a worker."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, NamedTuple, TypeVar

from hltune.lowered.evaluate import Sizes
from hltune.lowered.features import features
from hltune.lowered.identity import program_hash
from hltune.lowered.names import as_scheduled
from hltune.lowered.parse import parse_lowered
from hltune.lowered.sites import Walked
from hltune.lowered.tree import Type
from hltune.lowered.walk import walk
from hltune.pipeline.embedded import read_embedded
from hltune.pipeline.layout import Dimension, layout_of
from hltune.pipeline.serialized import plain_name, read_names
from hltune.pipeline.target import TargetInfo, datapath_bytes
from hltune.runtime.halide_wheel import COMPILE_ENVIRONMENT
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError
from hltune.values.pipeline import BufferArgument, OutputArgument, PipelineSpec, ScalarArgument
from hltune.values.program_features import ProgramFeatures

T = TypeVar("T")

REFUSED = "lowering"
"""The stage of what Halide itself refuses."""
_UNREADABLE = (HltuneError, RecursionError, ArithmeticError, TypeError, ValueError, IndexError)
"""Text that is not in the grammar, and numbers or depths that nobody has thought of: then there are no features."""
_DEEPEST = 10_000
"""Of Python's calls: expressions of many terms are nested deeply."""
_WITHOUT = "no_asserts-no_bounds_query"
"""Features of a target that leave out what is not the program itself."""


class Lowered(NamedTuple):
    """A lowered program.

    Attributes:
        text: as Halide prints it.
        funcs: see `hltune.schedule.apply.Scheduled.called_otherwise`.
    """

    text: str
    funcs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerJob:
    """Writes the lowered statement of a schedule."""

    spec: PipelineSpec
    schedule: Schedule
    target: str
    timeout_s: float = 60.0

    def run(self, process: Process) -> Lowered | Failure:
        """The program; a Failure of the stage `REFUSED` if Halide refuses the schedule."""
        import halide as hl

        process.enter("lower", timeout_s=self.timeout_s, one_thread=True)
        try:
            return lower(self.spec, self.schedule, self.target)
        except (HltuneError, hl.HalideError) as error:
            return Failure.of(REFUSED, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowering:
    """How schedules of a pipeline are lowered and read.

    Attributes:
        cores: what their tasks are spread over.
        timeout_s: limit on lowering each, and on reading each.
    """

    spec: PipelineSpec
    target: TargetInfo
    cores: int
    timeout_s: float = 60.0

    def read(self, schedule: Schedule, process: Process, make: Callable[[Walked, str], T]) -> T | Failure:
        """See the function `read`; in a worker."""
        lower = LowerJob(spec=self.spec, schedule=schedule, target=self.target.name, timeout_s=self.timeout_s)
        return read(lower, process, self.target.vector_bytes, make)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesJob:
    """Lowers schedules, one after the other, and reads the features of each."""

    lowering: Lowering
    schedules: tuple[Schedule, ...]

    def run(self, process: Process) -> tuple[ProgramFeatures | Failure, ...]:
        """One outcome each, see `read`."""
        make = partial(features, cores=self.lowering.cores)
        return tuple(self.lowering.read(schedule, process, make) for schedule in self.schedules)


def read(lower: LowerJob, process: Process, vector_bytes: int, make: Callable[[Walked, str], T]) -> T | Failure:
    """What `make` makes of a lowered program, walked, and its hash.

    A Failure of the stage `REFUSED` if Halide refuses the schedule, of ``read`` if we cannot read the program.
    """
    lowered = lower.run(process)
    if isinstance(lowered, Failure):
        return lowered
    process.enter("read", timeout_s=lower.timeout_s, one_thread=True)
    sys.setrecursionlimit(_DEEPEST)
    try:
        program = parse_lowered(lowered.text, _names(lower.spec))
        datapath_bits = 8 * datapath_bytes(lower.target, vector_bytes)
        arguments = arguments_of(lower.spec)
        walked = walk(program, *arguments, vector_bits=8 * vector_bytes, datapath_bits=datapath_bits)
        return make(as_scheduled(walked, lowered.funcs), program_hash(program))
    except _UNREADABLE as error:
        return Failure(stage="read", kind="error", message=_unreadable(error))


def _unreadable(error: Exception) -> str:
    """For people, to whom one of Python's own errors alone says nothing."""
    own = isinstance(error, HltuneError)
    return str(error) if own else f"the lowered program could not be read: {type(error).__name__}, {error}"


def _names(spec: PipelineSpec) -> set[str]:
    """All names that users gave and that a lowered program has."""
    arguments = {each.name for each in (*spec.inputs, *spec.outputs)}
    loops = {var for func in spec.funcs for own in (func.args, *func.updates) for var in own}
    tables = {table.name for table in read_embedded(spec.hlpipe)}
    return arguments | tables | loops | {func.name for func in spec.funcs}


def lower(spec: PipelineSpec, schedule: Schedule, target: str) -> Lowered:
    """What Halide makes of a schedule before it generates code; in a worker.

    Raises:
        InputError: the schedule does not fit the pipeline.
        halide.HalideError: Halide refuses the schedule.
    """
    import halide as hl

    from hltune.schedule.apply import scheduled

    os.environ.update(COMPILE_ENVIRONMENT)  # what is measured is compiled so
    ready = scheduled(spec, schedule)
    built = ready.built
    with _nameless_file() as file:
        outputs = {hl.OutputFileType.conceptual_stmt: f"/proc/self/fd/{file.fileno()}"}
        built.pipeline.compile_to(outputs, built.arguments, "pipeline", hl.Target(f"{target}-{_WITHOUT}"))
        return Lowered(file.read().decode(errors="replace"), ready.called_otherwise)


def _nameless_file() -> IO[bytes]:
    """A file in memory, or on disk where the system has none; however this process ends, nothing is left of it."""
    try:
        return os.fdopen(os.memfd_create("statement"), "r+b")
    except OSError:
        return tempfile.TemporaryFile()


def arguments_of(spec: PipelineSpec) -> tuple[Sizes, Mapping[str, Type]]:
    """Sizes and types of the buffers and scalars that a lowered program does not make itself, by Halide's names.

    Those that it is called with are as large as the estimates say; the others come with the pipeline.
    """
    buffers: dict[str, tuple[Dimension, ...]] = {}
    scalars: dict[str, int | float] = {}
    types: dict[str, Type] = {}
    for each in spec.inputs:
        if isinstance(each, ScalarArgument):
            if math.isfinite(each.estimate):  # else nothing is known of what is computed from it
                scalars[each.name] = each.estimate
            types[each.name] = _type(each.dtype)
        else:
            buffers[each.name] = _dimensions(each, each.dtype)
            types[each.name] = _type(each.dtype)
    full = {plain_name(name): name for name in read_names(spec.hlpipe)}
    for output in spec.outputs:
        called = full.get(output.name, output.name)
        for number, dtype in enumerate(output.dtypes):
            name = called if len(output.dtypes) == 1 else f"{called}.{number}"
            buffers[name] = _dimensions(output, dtype)
            types[name] = _type(dtype)
    for table in read_embedded(spec.hlpipe):
        buffers[table.name] = table.dimensions
        types[table.name] = Type(table.kind, table.bits)
    return Sizes(buffers=buffers, scalars=scalars), types


def _dimensions(argument: BufferArgument | OutputArgument, dtype: str) -> tuple[Dimension, ...]:
    layout = layout_of(argument, dtype)
    return tuple(
        Dimension(minimum=minimum, extent=extent, stride=stride)
        for (minimum, extent), stride in zip(argument.estimate, layout.strides, strict=True)
    )


def _type(dtype: str) -> Type:
    found = Type.named(dtype) if dtype != "bool" else Type("uint", 1)
    if found is None:
        raise HltuneError("no type of Halide's", where="features of the lowered program", found=dtype)
    return found
