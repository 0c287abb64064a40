"""`hltune run`: the best known schedule on a real image."""

from dataclasses import dataclass
from pathlib import Path

from hltune.commands.export import Exported, choose
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.run_image import RunImageJob, check_format
from hltune.runtime.files import check_writable
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.values.errors import InputError
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran(Exported):
    """What was written, and WxH per file."""

    sizes: tuple[str, ...]


def run(
    pipeline: SubjectOptions,
    *,
    schedule: Path | None,
    outputs: tuple[Path, ...],
    output_sizes: tuple[tuple[str, tuple[int, ...]], ...],
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Ran:
    """Applies a schedule to images.

    Args:
        schedule: its file; None for the best known schedule.
        outputs: files to write, one per output.
        output_sizes: extents of outputs for which they do not follow from the images.

    Raises:
        InputError: no schedule is known, or images or outputs do not fit.
        JobFailed: the schedule does not compile or run.
    """
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    name, directives = choose(subject, schedule, workspace, measure)
    progress.phase(f"compiling and running {subject.spec.name}")
    _check(subject, outputs)
    job = RunImageJob(
        spec=subject.spec,
        schedule=directives,
        target=subject.target.name,
        inputs=inputs,
        outputs=outputs,
        output_sizes=output_sizes,
        options=measure,
    )
    with Worker(environment=measure.environment) as worker:
        sizes = worker.run(job)
    return Ran(pipeline=subject.spec.name, schedule=name, files=outputs, sizes=sizes)


def _check(subject: Subject, outputs: tuple[Path, ...]) -> None:
    if subject.target.machine != "host":
        raise InputError(
            "code for this target does not run on this machine",
            where=subject.target.name,
            todo="run with --target host",
        )
    count = sum(len(output.dtypes) for output in subject.spec.outputs)
    if len(outputs) != count:
        raise InputError(
            "wrong number of output files",
            where=subject.spec.name,
            expected=f"{count} times -o FILE",
            found=str(len(outputs)),
        )
    for path in outputs:
        check_format(path)
        check_writable(path.parent)
