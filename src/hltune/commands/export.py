"""`hltune export`: a schedule in the forms that other programs use."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from hltune.commands.choice import Choice, choose_one, is_known
from hltune.commands.ours import check_ours, is_of_another_version
from hltune.lowered.readable import Readable, ReadableJob
from hltune.machine.bounds import MarginsJob, OutputSizesJob
from hltune.machine.hexagon.target import offload_target
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify, measured_on, target_job
from hltune.machine.options import MeasureOptions
from hltune.machine.task import Task
from hltune.pipeline.cpp_build import needed_stubs
from hltune.pipeline.source import Source
from hltune.pipeline.target import HOST
from hltune.runtime.files import check_writable, write_bytes
from hltune.runtime.halide_wheel import COMPILE_ENVIRONMENT
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.schedule.cmake import for_compiled, for_generator, found_first, names_header
from hltune.schedule.export import CompileJob
from hltune.schedule.source import HEADER_ENDING, default_function_name, to_cpp_header, to_python
from hltune.values import schedule_codec
from hltune.values.about import About, OutputSizes
from hltune.values.directives import Schedule
from hltune.values.errors import NO_ROOM, InputError, JobFailed, Refused
from hltune.values.pipeline import PipelineSpec, ScalarArgument
from hltune.workspace.records import Workspace
from hltune.workspace.subject import MANUAL, Subject, SubjectOptions, load_subject

ExportForm = Literal["json", "python", "cpp", "object", "offload"]
FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
_SOURCE: tuple[ExportForm, ...] = ("python", "cpp")
_COMPILED: tuple[ExportForm, ...] = ("object", "offload")
_OTHER_TAILS = "`hltune compare --schedule FILE` tries it with tail strategies that stay inside, and keeps what works."
_OF_COMPILED = "It is code for just this processor and its features. No output may share memory with an input."
_OF_ERRORS = (
    "An error, as of an image of another size or type than is allowed, ends the program, unless that has called"
    " halide_set_error_handler(): then the function returns it."
)
_PATIENT_S, _SOON_S = 60.0, 5.0
"""Limits on finding out how to write source, where somebody waits for that alone, and at the end of a tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Which files were written, of which pipeline and schedule by name.

    Attributes:
        notes: what does not work with them, for people.
    """

    pipeline: str
    schedule: str
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


class _Names(NamedTuple):
    """What files of text are called.

    Attributes:
        function_name: as in `export`.
        included: the generator that CMake is to build includes the header by the pipeline's name, which stands in a
            folder of its own then, if it has another function's name.
    """

    directory: Path
    pipeline: str
    function_name: str | None = None
    included: bool = False

    @property
    def of_header(self) -> str:
        """Its name without the ending, and that of its function."""
        return self.pipeline if self.included else self.function_name or self.pipeline

    def text(self, form: ExportForm) -> Path:
        """The file of a form."""
        if form == "cpp":
            apart = f"{self.function_name}.schedule" if self.included and self.function_name else ""
            return self.directory / apart / f"{self.of_header}{HEADER_ENDING}"
        name = self.function_name or self.pipeline
        return self.directory / (name + {"json": ".schedule.json", "python": "_schedule.py"}[form])


def export(
    pipeline: SubjectOptions,
    *,
    forms: Sequence[ExportForm] | None,
    directory: Path,
    function_name: str | None,
    cmake: bool = False,
    schedule: str | None,
    workspace: Workspace,
    measure: MeasureOptions,
    progress: Progress,
) -> Exported:
    """Writes a schedule in each form; nothing is written if one of them is impossible.

    Schedules are known by the machine that measured them: the emulated DSP for its own, this one for all others.

    Args:
        forms: what to write; None for all that the target has.
        function_name: what the files, the functions in source and the compiled one are called, if not as the
            pipeline: several versions of it may then be used side by side. A header for the generator that CMake is
            to build is called as the pipeline, for so the generator includes it, in a folder of its own.
        cmake: write a file for CMake as well, which builds a C++ generator, or links what was compiled: of other
            pipelines, and where that is asked for without a header for the generator.
        schedule: name of a known one, start of an id, or a file; None for the best known one.

    Raises:
        InputError: the directory cannot be written to, there is no such target, or no such schedule, or it is not for
            this pipeline.
        JobFailed: the compiler failed.
    """
    check_writable(directory)
    progress.phase(f"loading {pipeline.pipeline}")
    target = pipeline.target
    place = measured_on(target)
    subject, (name, directives, cost, machine) = _chosen(pipeline, schedule, workspace, measure, progress)
    progress.phase(f"exporting the schedule {name} of {subject.spec.name}")
    generator = _generator(subject, forms) if cmake else None
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
        timeout_s=measure.compile_timeout_s,
    )
    if cmake:
        _check_cmake(generator, forms, directives)
    names = _Names(directory, subject.spec.name, function_name, included=generator is not None)
    planned = [path for form in forms for path in _paths(form, job, names)] + ([_cmake_file(job)] if cmake else [])
    check_ours(planned, sources=_sources(subject), todo="give another -o, or another --function-name")
    if others := [path.name for path in planned if is_of_another_version(path, subject.spec.content_hash)]:
        said = f"{', '.join(others)} of another version, or other sizes, will be replaced"
        progress.note(f"{subject.spec.name}: {said}; --function-name NAME keeps both")
    about = About.today(subject.spec, machine, cost, target=subject.target.name)
    about = replace(about, runs_on=_output_sizes(subject, directives, measure, progress))
    notes = [f"{text} {_OTHER_TAILS}"] if (text := about.refused()) is not None else []
    for note in notes:
        progress.note(f"{subject.spec.name}: {note}")
    written: list[ExportForm] = [form for form in forms if form not in _COMPILED]
    texts = _texts(written, about, subject, directives, names)
    if cmake:
        known_target = target if target == HOST else subject.target.name
        texts.append((_cmake_file(job), _cmake(generator, subject.spec, job, known_target, about, names)))
    compiled: tuple[Path, ...] = ()
    if set(_COMPILED) & set(forms):
        checks = about.runs_on is None or about.runs_on.checked
        job = replace(job, about=(*about.lines(), _OF_COMPILED, *[_OF_ERRORS] * checks))
        compiled = tuple(directory / path.name for path in _compile(forms, job))
    if generator is not None and directives.base is None:
        _warn_of_another_schedule(generator, names.text("cpp"), progress)
    files = (*_write(texts), *compiled)
    return Exported(pipeline=subject.spec.name, schedule=name, files=files, notes=tuple(notes))


def _chosen(
    pipeline: SubjectOptions, asked: str | None, workspace: Workspace, measure: MeasureOptions, progress: Progress
) -> tuple[Subject, Choice]:
    """The pipeline as it is for the target, and the schedule that is asked for, or else the best one on record.

    What is not known for the target itself is looked for among what is known for this computer.
    """
    subject, target = load_subject(pipeline, workspace), pipeline.target
    place, machine = measured_on(target), identify(subject.target, measure)
    if asked is not None:
        known = is_known(subject, asked, workspace, machine)
    else:
        known = subject.target.machine is not None and bool(workspace.records(subject.spec, machine))
    if target == place or known:
        return subject, choose_one(subject, asked, workspace, machine, progress)
    here = load_subject(replace(pipeline, target=place), workspace)
    choice = choose_one(here, asked, workspace, identify(here.target, measure), progress)
    progress.note(f"the schedule was found for this machine; give --schedule FILE for one found for {target}")
    if here.spec.content_hash != subject.spec.content_hash:
        progress.note(f"{subject.spec.name} is another algorithm for {target} than for this machine")
        choice = choice._replace(cost=None)
    own = subject.known_by_name().get(MANUAL)
    if own is not None and choice.schedule.base is not None and not subject.spec.has_base(choice.schedule.base):
        progress.note(f"the schedule that {subject.spec.name} brings is another one for {target}, not measured here")
        choice = choice._replace(name=MANUAL, schedule=own.schedule, cost=None)
    return subject, choice


def _output_sizes(
    subject: Subject, schedule: Schedule, measure: MeasureOptions, progress: Progress
) -> OutputSizes | None:
    """How large outputs may be; None where nobody can tell."""
    if subject.target.machine not in (HOST, None):
        return None
    target = subject.target.name if subject.target.machine else HOST  # the same bounds, and this computer can ask
    task = Task(spec=subject.spec, schedule=schedule, target=target, inputs=Inputs())
    try:
        with Worker(environment=measure.environment) as worker:
            sizes = worker.run(OutputSizesJob(task=task, options=measure))
            sizes = sizes._replace(checked="no_asserts" not in subject.target.name.split("-"))
            with contextlib.suppress(JobFailed, Refused):  # then nobody knows what is read on other sizes
                sizes = sizes._replace(beyond=worker.run(MarginsJob(task=task, options=measure)))
            return sizes
    except (JobFailed, Refused) as failed:
        progress.note(f"{subject.spec.name}: which sizes its outputs may have is not known. {failed}")
        return None


def check_texts(subject: Subject, directory: Path) -> None:
    """Raises an `InputError` if `export_texts` would replace files that are not ours."""
    names = _Names(directory, subject.spec.name)
    check_ours([names.text(form) for form in ("json", *_SOURCE)], sources=_sources(subject))


def _sources(subject: Subject) -> tuple[str, ...]:
    return subject.source.files if subject.source else ()


def export_texts(about: About, subject: Subject, schedule: Schedule, directory: Path) -> tuple[Path, ...]:
    """Writes a schedule in all forms of text and returns the files: no source of what is the author's code already."""
    forms: tuple[ExportForm, ...] = ("json",) if schedule.base is not None else ("json", *_SOURCE)
    names = _Names(directory, subject.spec.name)
    return _write(_texts(forms, about, subject, schedule, names, limit_s=_SOON_S))


def parse_forms(text: str) -> tuple[ExportForm, ...]:
    """Reads a comma-separated list."""
    known: dict[str, ExportForm] = {form: form for form in FORMS}
    words = text.split(",")
    for word in words:
        if word not in known:
            raise InputError("unknown form", where="--format", expected=", ".join(FORMS), found=repr(word))
    if len(set(words)) < len(words):
        raise InputError("a form is given twice", where="--format", expected="each form once", found=text)
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
    names: _Names,
    *,
    limit_s: float = _PATIENT_S,
) -> list[tuple[Path, str]]:
    """The files that are texts; source is written for people, if it is known in so many seconds how."""
    spec = about.spec
    texts: list[tuple[Path, str]] = []
    if "json" in forms:
        document = {**schedule_codec.to_json(schedule), "about": about.document()}
        texts.append((names.text("json"), json.dumps(document, indent=1) + "\n"))
    if not set(forms) & set(_SOURCE):
        return texts
    source = _for_people(subject, schedule, limit_s)
    for form in _SOURCE:
        if form in forms:
            arguments = source.schedule, spec, about.lines(), source.loops
            if form == "python":
                text = to_python(*arguments)
            else:
                text = to_cpp_header(*arguments, name=names.of_header, made_for=about.target)
            texts.append((names.text(form), text))
    return texts


def _for_people(subject: Subject, schedule: Schedule, limit_s: float) -> Readable:
    """The schedule as a person would write it; as it is, if nobody can tell in so many seconds that it is the same."""
    job = ReadableJob(spec=subject.spec, schedule=schedule, target=subject.target, limit_s=limit_s)
    try:
        with Worker(environment=COMPILE_ENVIRONMENT) as worker:
            return worker.run(job)
    except (JobFailed, Refused):
        return Readable(schedule=schedule, loops={})


def _paths(form: ExportForm, job: CompileJob, names: _Names) -> list[Path]:
    """The files of a form."""
    if form not in _COMPILED:
        return [names.text(form)]
    return [job.directory / name for name in replace(job, function_name=_function(form, job)).names]


def _function(form: ExportForm, job: CompileJob) -> str:
    return f"{job.function_name}_offload" if form == "offload" else job.function_name


def _cmake_file(job: CompileJob) -> Path:
    return job.directory / f"{job.function_name}.cmake"


def _generator(subject: Subject, asked: Sequence[ExportForm] | None) -> Source | None:
    """The C++ generator that the file for CMake is to build; None if it links compiled code."""
    source = subject.source
    if source is None or source.kind != "cpp":
        return None
    return None if asked is not None and "object" in asked and "cpp" not in asked else source


def _warn_of_another_schedule(generator: Source, header: Path, progress: Progress) -> None:
    """Says which schedule the generator would be built with in place of the exported one."""
    name = Path(generator.location).name
    if (found := found_first(generator, header)) is not None:
        progress.note(
            f'{name} finds {found} first, by #include "...": CMake builds the schedule in'
            f" there and not that in {header}; remove that file, or include {header.name} by its name alone"
        )
    elif not names_header(generator, header):
        progress.note(
            f"{name} does not name {header.name}: unless another header includes it, CMake builds the generator's own"
            f" schedule; include it, and call its function in schedule(), or give --format object"
        )


def _check_cmake(generator: Source | None, forms: Sequence[ExportForm], schedule: Schedule) -> None:
    """Raises an `InputError` if the file for CMake would need what is not written."""
    if generator is not None and (stubs := needed_stubs(generator)):
        raise InputError(
            "another generator has to write a header first",
            where="--cmake",
            expected="a generator that can be compiled at once",
            found=f"{Path(generator.location).name} with #include of {', '.join(stubs)}",
            todo="give --format object to link compiled code, or leave --cmake out and see to the stub yourself",
        )
    found = f"--format {','.join(forms)}"
    if generator is None and "object" not in forms:
        expected, todo = "compiled code to link", "give --format object as well"
        raise InputError("nothing to link", where="--cmake", expected=expected, found=found, todo=todo)
    if generator is not None and schedule.base is None and "cpp" not in forms:
        expected = "the header that the generator applies, or compiled code to link"
        todo = "give --format cpp as well to build the generator, or --format object to link what was compiled"
        raise InputError("no schedule for the generator", where="--cmake", expected=expected, found=found, todo=todo)


def _cmake(
    generator: Source | None, spec: PipelineSpec, job: CompileJob, target: str, about: About, names: _Names
) -> str:
    if generator is None:
        return for_compiled(name=job.function_name, target=target, directory=job.directory, about=about.lines())
    return for_generator(
        generator,
        scalars={each.name for each in spec.inputs if isinstance(each, ScalarArgument)},
        name=job.function_name,
        entry=spec.name,
        header=None if job.schedule.base is not None else names.text("cpp").relative_to(names.directory),
        target=target,
        directory=job.directory,
        about=about.lines(),
    )


def _compile(forms: Sequence[ExportForm], job: CompileJob) -> list[Path]:
    with Worker(environment=COMPILE_ENVIRONMENT) as worker:
        target = worker.run(target_job(job.target))
        jobs = [replace(job, target=target.name)] if "object" in forms else []
        if "offload" in forms:
            name = _function("offload", job)
            jobs.append(replace(job, target=offload_target(target), function_name=name, offload=True))
        try:
            return [path for each in jobs for path in worker.run(each)]
        except Refused as refused:
            if NO_ROOM not in (refused.found or ""):
                raise
            raise InputError(
                "cannot write here",
                where=str(job.directory),
                found=refused.found,
                todo="make room on this disk and for temporary files (TMPDIR), or give another -o",
            ) from None
