"""From what the user typed to a pipeline on a target: the first step of every command."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hltune.machine.open import target_job
from hltune.machine.task import NumPyReference
from hltune.pipeline.load import LoadJob
from hltune.pipeline.source import Estimates, Examples, Parameters, Source, check_unique, parse_source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.worker import Worker
from hltune.schedule.parse import parse_schedule
from hltune.schedule.recover import Recovered, RecoverJob
from hltune.suite import catalog
from hltune.suite.benchmark import Benchmark, HandWrittenJob
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import InputError, JobFailed
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Named
from hltune.workspace.records import Workspace

DEFAULT = "default"
"""Name of the schedule without directives."""
EXPERT = "expert"
"""Name of the schedule that a built-in benchmark brings."""
MANUAL = "manual"
"""Name of the schedule that the pipeline's author wrote."""
MANUAL_PART = "manual-part"
"""Name of what directives can say of it, where they cannot say all."""
_PATIENCE = "try again, for files are read faster the second time; or have Halide serialize it, and give the .hlpipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOptions:
    """What names a pipeline.

    Attributes:
        pipeline: a built-in name, ``file.py[:name]``, ``file.cpp[+other.cpp][:name]`` or ``file.hlpipe``.
        target: host, or a Halide target string.
        host: target of the computers that are to run the code; None for this one.
        size: width and height of a built-in benchmark.
        cxxflags: what the compiler is told about C++ files.
    """

    pipeline: str
    target: str
    host: str | None = None
    size: tuple[int, int] | None = None
    parameters: Parameters = ()
    estimates: Estimates = ()
    examples: Examples = ()
    cxxflags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_unique("-p", self.parameters)
        check_unique("--estimate", self.estimates)
        check_unique("--example", self.examples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pipeline on a target.

    Attributes:
        hand_written: schedules by name: those of a built-in benchmark, or `MANUAL`, and `MANUAL_PART`.
        recovered: what became of the schedule that the pipeline's author wrote; None if there is none.
        source: where it was loaded from; None if from nowhere.
    """

    spec: PipelineSpec
    target: TargetInfo
    benchmark: Benchmark | None
    hand_written: Mapping[str, Schedule]
    recovered: Recovered | None = None
    source: Source | None = None

    def known_by_name(self) -> dict[str, Candidate]:
        """The default schedule and those written by hand."""
        schedules = {DEFAULT: Schedule(), **self.hand_written}
        return {name: Candidate(schedule=schedule, provenance=Named(name=name)) for name, schedule in schedules.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the pipeline, and of what directives leave out of their own schedule."""
        found = self.recovered
        return self.spec.notes if found is None else (*self.spec.notes, *_what_is_missing(found))

    @property
    def numpy_reference(self) -> NumPyReference | None:
        """The independent version that a built-in benchmark brings."""
        if self.benchmark is None or not self.benchmark.has_reference:
            return None
        return NumPyReference(module=self.benchmark.module, function="reference")


def load_subject(options: SubjectOptions, workspace: Workspace) -> Subject:
    """Loads a pipeline in a worker of its own."""
    benchmark, source = source_of(options)
    with Worker(preload=("halide",)) as worker:
        try:
            target = worker.run(target_job(options.target, options.host))
            spec = worker.run(LoadJob(source=source, target=target.name, cache=workspace.cache.absolute()))
            recovered = _recover(worker, spec)
            texts = worker.run(HandWrittenJob(benchmark, target)) if benchmark else {}
        except JobFailed as failed:
            if failed.failure.kind == "error":
                raise
            raise InputError(
                f"loading failed in step {failed.failure.stage}: {failed.failure.message}",
                where=options.pipeline,
                found=failed.failure.log.strip()[-1000:] or None,
                todo=_PATIENCE if failed.failure.kind == "timeout" else None,
            ) from None
    if (former := workspace.left_behind(spec)) is not None:
        note = (
            f"schedules and samples of before, in {former}, are not used: strides, bounds and ranges that the file "
            "promises are now a part of the pipeline's identity. Give one by --schedule FILE to compare with it"
        )
        spec = replace(spec, notes=(*spec.notes, note))
    hand_written = {name: parse_schedule(text, spec.funcs) for name, text in texts.items()}
    if recovered is not None:
        hand_written |= _manual(spec, recovered)
    return Subject(
        spec=spec, target=target, benchmark=benchmark, hand_written=hand_written, recovered=recovered, source=source
    )


def _recover(worker: Worker, spec: PipelineSpec) -> Recovered | None:
    """Whatever goes wrong, the author's schedule can still be measured."""
    try:
        return worker.run(RecoverJob(spec)) if spec.manual else None
    except JobFailed as failed:
        return Recovered(reason=str(failed.failure))


def _what_is_missing(found: Recovered) -> Iterator[str]:
    if found.dropped:
        yield f"{MANUAL} is your own schedule without prefetches of {', '.join(found.dropped)}, which we cannot call"
    if found.schedule is None:
        yield f"your own schedule is measured, but cannot be changed: {found.reason}"
    elif found.lost:
        yield f"{MANUAL_PART} is your own schedule without " + ", ".join(found.lost)


def _manual(spec: PipelineSpec, recovered: Recovered) -> dict[str, Schedule]:
    """The author's own schedule, and what directives say of it if that is not all."""
    own = Schedule(base=spec.manual_hash)
    if recovered.schedule is None:
        return {MANUAL: own}
    return {MANUAL: own, MANUAL_PART: recovered.schedule} if recovered.lost else {MANUAL: recovered.schedule}


def source_of(options: SubjectOptions) -> tuple[Benchmark | None, Source]:
    """Where a pipeline is; an `InputError` if there is none of this name, or a flag is not for such pipelines."""
    name, parameters, estimates, examples = options.pipeline, options.parameters, options.estimates, options.examples
    if any(mark in name for mark in "./:"):
        if options.size is not None:
            todo = "give --estimate NAME=WxH instead"
            raise InputError("--size is for built-in benchmarks", where=name, todo=todo)
        source = parse_source(
            name, parameters=parameters, estimates=estimates, examples=examples, cxxflags=options.cxxflags
        )
        return None, source
    benchmark = catalog.find(name)
    if options.cxxflags:
        raise InputError("-I, -D and --cxxflags are for C++ generators", where=name, found=" ".join(options.cxxflags))
    if parameters or estimates:
        todo = "give --size WxH, or --example IMAGE"
        raise InputError("a built-in benchmark has no parameters but its size", where=name, todo=todo)
    if options.size is not None and examples:
        raise InputError(
            "two sizes of one benchmark",
            where=name,
            expected="--size, or --example",
            found=f"--size {'x'.join(map(str, options.size))} and --example {', '.join(path for _, path in examples)}",
            todo="leave one of them out",
        )
    source = benchmark.source(*(options.size or (benchmark.width, benchmark.height)))
    return benchmark, replace(source, examples=examples)
