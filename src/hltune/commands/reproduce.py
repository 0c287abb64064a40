"""`hltune reproduce`: a schedule of the store as files that need Halide and NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hltune.commands.samples import ID_DIGITS
from hltune.runtime.files import check_writable, write_bytes
from hltune.samples.reader import Reader
from hltune.schedule.script import to_script
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A schedule in the store, and what came of it.

    Attributes:
        outcome: seconds, or why it failed the last time.
    """

    spec: PipelineSpec
    schedule_hash: str
    schedule: Schedule
    machine: MachineId
    outcome: float | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """Which files were written."""

    example: Example
    files: tuple[Path, ...]


def reproduce(store: Path, identifier: str, directory: Path) -> Reproduced:
    """Writes the pipeline and a Python file that schedules, compiles, runs, checks and times it.

    Raises:
        InputError: there is no such schedule, or the directory cannot be written to.
    """
    example = find(store, identifier)
    failure = example.outcome if isinstance(example.outcome, Failure) else None
    return Reproduced(example=example, files=write_example(example, example.schedule, failure, directory))


def find(store: Path, identifier: str) -> Example:
    """The schedule that the user means, by the start of its id, as it was measured last.

    Raises:
        InputError: there is none, there are several, or its algorithm or directives are not known.
    """
    with Reader(store) as reader:
        found = reader.find(identifier)
        if len({(each.pipeline_hash, each.schedule_hash) for each in found}) != 1:
            shown = ", ".join(each.schedule_hash[:ID_DIGITS] for each in found[:_SHOWN])
            raise InputError(
                "several schedules have ids that begin so" if found else "no schedule in the store has this id",
                where=identifier,
                found=shown or None,
                todo="`hltune samples best` and `samples failures` show ids",
            )
        last = found[0]
        spec = reader.spec(last.pipeline_hash)
    if spec is None or last.schedule is None:
        raise InputError("an imported sample has neither algorithm nor directives", where=identifier)
    if last.schedule.base is not None:
        raise InputError("this is the schedule of the pipeline's author, in the author's own file", where=identifier)
    return Example(
        spec=spec, schedule_hash=last.schedule_hash, schedule=last.schedule, machine=last.machine, outcome=last.outcome
    )


def write_example(example: Example, schedule: Schedule, failure: Failure | None, directory: Path) -> tuple[Path, ...]:
    """Writes a schedule of the example's pipeline, and what came of it, and returns the files."""
    check_writable(directory)
    pipeline, script = directory / "pipeline.hlpipe", directory / "reproduce.py"
    about = f"{example.spec.name}, schedule {example.schedule_hash[:ID_DIGITS]}"
    about += f": {failure}" if failure is not None else ""
    text = to_script(example.spec, schedule, about=about, target=example.machine.target, halide=example.machine.halide)
    write_bytes(pipeline, example.spec.hlpipe)
    write_bytes(script, text.encode())
    return pipeline, script
