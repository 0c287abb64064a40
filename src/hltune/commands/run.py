"""`hltune run`: the best known schedule on a real image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.machine.run_image import RunImageJob, check_format
from hltune.runtime.files import check_writable
from hltune.runtime.worker import Worker
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.workspace.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What was written.

    Attributes:
        sizes: WxH per file.
    """

    files: tuple[Path, ...]
    sizes: tuple[str, ...]


def run(
    subject: Subject,
    schedule: Schedule,
    *,
    inputs: Inputs,
    outputs: tuple[Path, ...],
    output_sizes: Mapping[str, tuple[int, ...]],
    measure: MeasureOptions,
) -> Ran:
    """Applies a schedule to images.

    Args:
        output_sizes: extents of outputs for which they do not follow from the images.

    Raises:
        InputError: images or outputs do not fit.
        JobFailed: the schedule does not compile or run.
    """
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
    job = RunImageJob(
        spec=subject.spec,
        schedule=schedule,
        target=subject.target.name,
        inputs=inputs,
        outputs=outputs,
        output_sizes=tuple(output_sizes.items()),
        options=measure,
    )
    with Worker(environment=measure.environment) as worker:
        return Ran(files=outputs, sizes=worker.run(job))
