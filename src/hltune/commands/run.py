"""`hltune run`: the best known schedule on a real image."""

from dataclasses import dataclass
from pathlib import Path

from hltune.commands.choice import choose_one
from hltune.commands.export import Exported
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.run_image import RunImageJob, check_format, image_part
from hltune.runtime.files import check_file
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.values.errors import InputError
from hltune.values.pipeline import ScalarArgument
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran(Exported):
    """What was written, and WxH per file."""

    sizes: tuple[str, ...]


def run(
    pipeline: SubjectOptions,
    *,
    schedule: str | None,
    outputs: tuple[tuple[str | None, Path], ...],
    output_sizes: tuple[tuple[str, tuple[int, ...]], ...],
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Ran:
    """Applies a schedule to images.

    Args:
        schedule: name of a known one, start of an id, or a file; None for the best known one.
        outputs: files to write: pairs of an output's name, or None for the next one, and a file. Where all are named,
            others are not written.
        output_sizes: extents of outputs for which they do not follow from the images.

    Raises:
        InputError: no schedule is known or it does not compile, or images or outputs do not fit.
        JobFailed: compiling or running takes too long, or ends the process.
    """
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    if schedule is None:
        _check_scalars(pipeline, subject, workspace, measure)
    files = _files(subject, outputs)
    name, directives, *_ = choose_one(subject, schedule, workspace, identify(subject.target, measure), progress)
    progress.phase(f"compiling and running {subject.spec.name}")
    parts = tuple(image_part(path) for path in files if path)
    job = RunImageJob(
        spec=subject.spec,
        schedule=directives,
        target=subject.target.name,
        inputs=inputs,
        outputs=files,
        parts=parts,
        output_sizes=output_sizes,
        options=measure,
    )
    try:
        with Worker(environment=measure.environment) as worker:
            sizes = worker.run(job)
    finally:
        for part in parts:  # of a process that was killed
            part.unlink(missing_ok=True)
    return Ran(pipeline=subject.spec.name, schedule=name, files=tuple(filter(None, files)), sizes=sizes)


def _check_scalars(pipeline: SubjectOptions, subject: Subject, workspace: Workspace, measure: MeasureOptions) -> None:
    """Raises an `InputError` if -p gives what code is run with: to tuning, another value is another pipeline."""
    scalars = {argument.name for argument in subject.spec.inputs if isinstance(argument, ScalarArgument)}
    given = [f"{name}={value}" for name, value in pipeline.parameters if name in scalars]
    if not given or workspace.records(subject.spec, identify(subject.target, measure)):
        return
    first, instead = (" ".join(f"{flag} {each}" for each in given) for flag in ("-p", "-i"))
    raise InputError(
        "no schedule was found with these values, which the pipeline takes when it runs",
        where=first,
        expected=instead,
        todo=f"give {instead} in place of {first}; a schedule is for any value",
    )


def _files(subject: Subject, outputs: tuple[tuple[str | None, Path], ...]) -> tuple[Path | None, ...]:
    """The files in the order of the outputs, None for what is not asked for; checks that they can be written."""
    if subject.target.machine != "host":
        raise InputError(
            "code for this target does not run on this machine",
            where=subject.target.name,
            todo="run with --target host",
        )
    names = subject.spec.output_names
    paths: dict[str, Path] = {}
    for name, path in sorted(outputs, key=lambda output: output[0] is None):
        free = [each for each in names if each not in paths]
        if (chosen := name or next(iter(free), None)) not in free:
            raise InputError(
                "no output is left for this file" if name is None else f"no output {name!r}",
                where=f"-o {path}" if name is None else f"-o {name}={path}",
                expected=f"one file for each of: {', '.join(names)}",
            )
        paths[chosen] = path
    places = [path.resolve() for path in paths.values()]
    if same := next((path for path in places if places.count(path) > 1), None):
        raise InputError("two outputs in one file", where=f"-o {same}", expected="a file for each output")
    missing = [name for name in names if name not in paths]
    if missing and not (outputs and all(name for name, _ in outputs)):
        raise InputError(
            "outputs without a file: " + ", ".join(missing),
            where=subject.spec.name,
            expected=f"{len(names)} times -o FILE",
            found=str(len(outputs)),
            todo=f"give {' '.join(f'-o {name}=FILE' for name in missing)} as well, or name all files: -o NAME=FILE"
            " writes these outputs alone",
        )
    for path in paths.values():
        check_format(path)
        check_file(path)
    return tuple(map(paths.get, names))
