"""`hltune export`: a schedule in the forms that other programs use."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from hltune.lowered.readable import Readable, ReadableJob
from hltune.machine.bounds import LeastJob
from hltune.machine.hexagon.target import offload_target
from hltune.machine.inputs import Inputs
from hltune.machine.open import TargetJob, identify, measured_on, resolve
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task
from hltune.pipeline.cpp_build import needed_stubs
from hltune.pipeline.target import HOST
from hltune.runtime.files import check_writable, write_bytes
from hltune.runtime.halide_wheel import COMPILE_ENVIRONMENT
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.schedule.cmake import for_compiled, for_generator
from hltune.schedule.export import CompileJob
from hltune.schedule.source import default_function_name, to_cpp_header, to_python
from hltune.values import schedule_codec
from hltune.values.about import About
from hltune.values.directives import Schedule
from hltune.values.errors import InputError, JobFailed
from hltune.values.pipeline import PipelineSpec, ScalarArgument
from hltune.values.schedule_codec import read_written
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

ExportForm = Literal["json", "python", "cpp", "object", "offload"]
FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
_SOURCE: tuple[ExportForm, ...] = ("python", "cpp")
_COMPILED: tuple[ExportForm, ...] = ("object", "offload")
_FULL = "No space left on device"
_PATIENT_S, _SOON_S = 60.0, 5.0
"""Limits on finding out how to write source, where somebody waits for that alone, and at the end of a tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Which files were written, of which pipeline and schedule by name."""

    pipeline: str
    schedule: str
    files: tuple[Path, ...]


def export(
    pipeline: SubjectOptions,
    *,
    forms: Sequence[ExportForm] | None,
    directory: Path,
    function_name: str | None,
    cmake: bool = False,
    schedule: Path | None,
    workspace: Workspace,
    measure: MeasureOptions,
    progress: Progress,
) -> Exported:
    """Writes a schedule in each form; nothing is written if one of them is impossible.

    Schedules are known by the machine that measured them: the emulated DSP for its own, this one for all others.

    Args:
        forms: what to write; None for all that the target has.
        function_name: C name of the compiled pipeline, if not the pipeline's own.
        cmake: write a file for CMake as well, which builds a C++ generator, or else links what was compiled.
        schedule: its file; None for the best known schedule.

    Raises:
        InputError: the directory cannot be written to, there is no such target, or no such schedule, or it is not for
            this pipeline.
        JobFailed: the compiler failed.
    """
    check_writable(directory)
    progress.phase(f"loading {pipeline.pipeline}")
    target = pipeline.target
    place = measured_on(target)
    subject = _measured_for_target(pipeline, workspace, measure) if target != place else None
    known = target == place or subject is not None
    subject = subject or load_subject(replace(pipeline, target=place), workspace)
    name, directives, cost = choose(subject, schedule, workspace, measure, progress)
    if not known and schedule is None:
        progress.note(f"the schedule was found for this machine; give --schedule FILE for one found for {target}")
    progress.phase(f"exporting the schedule {name} of {subject.spec.name}")
    if forms is None:
        forms = FORMS[:-1] if place == HOST else FORMS
        forms = tuple(form for form in forms if form not in _SOURCE or directives.base is None)
    elif directives.base is not None and (refused := [form for form in forms if form in _SOURCE]):
        raise InputError(
            "this is your own code already",
            where=f"--format {','.join(refused)}",
            expected="json, object or offload, for a schedule that directives cannot say",
            found=f"{name}, the schedule that {subject.spec.name} brings",
            todo="call the pipeline as it is",
        )
    job = CompileJob(
        spec=subject.spec,
        schedule=directives,
        target=target,
        directory=directory.absolute(),
        function_name=function_name or default_function_name(subject.spec),
    )
    if cmake:
        _check_cmake(subject, forms, directives)
    texts: list[tuple[Path, str]] = []
    if cmake or not set(forms) <= set(_COMPILED):
        full = subject.target if target == place else resolve(target)
        about = About.today(subject.spec, identify(subject.target, measure), cost, target=full.name)
        about = replace(about, least=_least(subject, directives, measure, progress))
        texts = _texts([form for form in forms if form not in _COMPILED], about, subject, directives, directory)
        if cmake:
            known_target = target if target == HOST else full.name
            texts.append((directory / f"{job.function_name}.cmake", _cmake(subject, job, known_target, about)))
    compiled: tuple[Path, ...] = ()
    if set(_COMPILED) & set(forms):
        compiled = tuple(directory / path.name for path in _compile(forms, job))
    return Exported(pipeline=subject.spec.name, schedule=name, files=(*_write(texts), *compiled))


def _measured_for_target(pipeline: SubjectOptions, workspace: Workspace, measure: MeasureOptions) -> Subject | None:
    """The pipeline for a target that this computer runs, as ``host-strict_float``, if schedules of it are known."""
    if resolve(pipeline.target).machine is None:
        return None
    subject = load_subject(pipeline, workspace)
    return subject if workspace.records(subject.spec, identify(subject.target, measure)) else None


def _least(
    subject: Subject, schedule: Schedule, measure: MeasureOptions, progress: Progress
) -> dict[str, tuple[int, ...]] | None:
    """How small outputs may be; None where nobody can tell."""
    if subject.target.machine != HOST:
        return None
    task = Task(spec=subject.spec, schedule=schedule, target=subject.target.name, inputs=Inputs())
    try:
        with Worker(environment=measure.environment) as worker:
            return worker.run(LeastJob(task=task, options=measure))
    except JobFailed as failed:
        progress.note(f"{subject.spec.name}: the least size of its outputs is not known. {failed}")
        return None


def export_texts(about: About, subject: Subject, schedule: Schedule, directory: Path) -> tuple[Path, ...]:
    """Writes a schedule in all forms of text and returns the files: no source of what is the author's code already."""
    forms: tuple[ExportForm, ...] = ("json",) if schedule.base is not None else ("json", *_SOURCE)
    return _write(_texts(forms, about, subject, schedule, directory, limit_s=_SOON_S))


class Choice(NamedTuple):
    """A schedule with its name and, if that is on record, what it costs here, in seconds."""

    name: str
    schedule: Schedule
    cost: float | None


def choose(
    subject: Subject, file: Path | None, workspace: Workspace, measure: MeasureOptions, progress: Progress
) -> Choice:
    """The schedule in a file, or else the best one on record."""
    machine = identify(subject.target, measure)
    if file is None:
        record = workspace.best(subject.spec, machine)
        for note in record.notes:
            progress.note(f"{subject.spec.name}: {note}")
        return Choice(record.name, record.schedule, record.cost)
    schedule, made_for = read_written(file)
    if made_for not in (None, subject.spec.content_hash):
        other = f"was written for another version, or other sizes, of a pipeline ({made_for[:12]})"
        progress.note(f"{subject.spec.name}: {file} {other}; `hltune compare --schedule` verifies and measures it")
    known = (each.cost for each in workspace.records(subject.spec, machine) if each.schedule == schedule)
    return Choice(file.name, schedule, min((cost for cost in known if cost is not None), default=None))


def parse_forms(text: str) -> tuple[ExportForm, ...]:
    """Reads a comma-separated list."""
    known: dict[str, ExportForm] = {form: form for form in FORMS}
    words = text.split(",")
    for word in words:
        if word not in known:
            raise InputError("unknown form", where="--format", expected=", ".join(FORMS), found=repr(word))
    return tuple(known[word] for word in words)


def _write(texts: Sequence[tuple[Path, str]]) -> tuple[Path, ...]:
    for path, text in texts:
        write_bytes(path, text.encode(errors="backslashreplace"))
    return tuple(path for path, _ in texts)


def _texts(
    forms: Sequence[ExportForm],
    about: About,
    subject: Subject,
    schedule: Schedule,
    directory: Path,
    *,
    limit_s: float = _PATIENT_S,
) -> list[tuple[Path, str]]:
    """The files that are texts; source is written for people, if it is known in so many seconds how."""
    spec = about.spec
    texts: list[tuple[Path, str]] = []
    if "json" in forms:
        document = {**schedule_codec.to_json(schedule), "about": about.document()}
        texts.append((directory / f"{spec.name}.schedule.json", json.dumps(document, indent=1) + "\n"))
    if not set(forms) & set(_SOURCE):
        return texts
    source = _for_people(subject, schedule, limit_s)
    if "python" in forms:
        text = to_python(source.schedule, spec, about.lines(), source.loops)
        texts.append((directory / f"{spec.name}_schedule.py", text))
    if "cpp" in forms:
        texts.append(
            (directory / _header_name(spec), to_cpp_header(source.schedule, spec, about.lines(), source.loops))
        )
    return texts


def _for_people(subject: Subject, schedule: Schedule, limit_s: float) -> Readable:
    """The schedule as a person would write it; as it is, if nobody can tell in so many seconds that it is the same."""
    job = ReadableJob(spec=subject.spec, schedule=schedule, target=subject.target, limit_s=limit_s)
    try:
        with Worker(environment=COMPILE_ENVIRONMENT) as worker:
            return worker.run(job)
    except JobFailed:
        return Readable(schedule=schedule, loops={})


def _header_name(spec: PipelineSpec) -> str:
    return f"{spec.name}_schedule.h"


def _check_cmake(subject: Subject, forms: Sequence[ExportForm], schedule: Schedule) -> None:
    """Raises an `InputError` if the file for CMake would need what is not written."""
    cpp = subject.source if subject.source is not None and subject.source.kind == "cpp" else None
    if cpp is not None and (stubs := needed_stubs(cpp)):
        raise InputError(
            "another generator has to write a header first",
            where="--cmake",
            expected="a generator that can be compiled at once",
            found=f"{Path(cpp.location).name} with #include of {', '.join(stubs)}",
            todo="leave --cmake out, and see to the stub in your own CMakeLists.txt",
        )
    if cpp is None:
        needed, why, what = "object", "compiled code to link", "nothing to link"
    elif schedule.base is None:
        needed, why, what = "cpp", "the header that the generator applies", "no schedule for the generator"
    else:
        return
    if needed not in forms:
        found = f"--format {','.join(forms)}"
        todo = f"give --format {needed} as well"
        raise InputError(what, where="--cmake", expected=why, found=found, todo=todo)


def _cmake(subject: Subject, job: CompileJob, target: str, about: About) -> str:
    source, spec = subject.source, subject.spec
    if source is None or source.kind != "cpp":
        return for_compiled(name=job.function_name, target=target, directory=job.directory, about=about.lines())
    return for_generator(
        source,
        scalars={each.name for each in spec.inputs if isinstance(each, ScalarArgument)},
        name=job.function_name,
        entry=spec.name,
        header=None if job.schedule.base is not None else _header_name(spec),
        target=target,
        directory=job.directory,
        about=about.lines(),
    )


def _compile(forms: Sequence[ExportForm], job: CompileJob) -> list[Path]:
    with Worker(environment=COMPILE_ENVIRONMENT) as worker:
        target = worker.run(TargetJob(job.target))
        jobs = [replace(job, target=target.name)] if "object" in forms else []
        if "offload" in forms:
            name = f"{job.function_name}_offload"
            jobs.append(replace(job, target=offload_target(target), function_name=name, offload=True))
        try:
            return [path for each in jobs for path in worker.run(each)]
        except JobFailed as failed:
            if _FULL not in f"{failed.failure.message}{failed.failure.log}":
                raise
            raise InputError(
                "cannot write here",
                where=str(job.directory),
                found=_FULL,
                todo="make room on this disk, or give another -o",
            ) from None
