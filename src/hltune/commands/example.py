"""A schedule of the store by its id, and under which conditions it was measured: what is to be seen again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from hltune.bundle.results import CONDITIONS
from hltune.commands.samples import ID_DIGITS, START, chosen_machine, chosen_pipeline, pipeline_list
from hltune.machine.given import as_given, given_text
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.programs.program import INTEGER_TOLERANCE, TOLERANCE, is_program_name
from hltune.samples.reader import Reader
from hltune.samples.results import Found
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.workspace.lines import read_lines
from hltune.workspace.records import Workspace
from hltune.workspace.tunings import TuningCommand

_SHOWN = 10
_WHERE_IDS_ARE = "`hltune samples best` and `samples failures` show ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A schedule in the store, and what came of it on a machine.

    Attributes:
        outcome: seconds, or why it failed.
        measured_at_s: when, in seconds since 1970.
    """

    spec: PipelineSpec
    schedule_hash: str
    schedule: Schedule
    machine: MachineId
    outcome: float | Failure
    measured_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How to measure an example again.

    Attributes:
        notes: what differs from how it was measured, for people.
    """

    inputs: Inputs
    options: MeasureOptions
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which schedule the user means.

    Attributes:
        start: of its id, or a name that ends with one.
        pipeline: name or start of the id of its pipeline; None for the only one that has such a schedule.
        machine: start of the key of the machine that counts; None for the only one.
    """

    start: str
    pipeline: str | None = None
    machine: str | None = None


def find(store: Path, wanted: Wanted, *, failed: bool = False) -> Example:
    """The schedule that the user means, as it was measured last.

    Args:
        failed: as it failed last, whatever came of it since.

    Raises:
        InputError: there is none, there are several, its algorithm or directives are not known, or it is not clear
            which pipeline or machine counts.
    """
    identifier = start_of_id(wanted.start)
    if not identifier:
        raise InputError("the start of a schedule's id is missing", found="no text at all", todo=_WHERE_IDS_ARE)
    what = f"{'failures' if failed else 'samples'} of this schedule"
    with Reader(store) as reader:
        known = reader.find(identifier) if identifier.isascii() else ()
        if not known:
            raise InputError("no schedule in the store has this id", where=identifier, todo=_WHERE_IDS_ARE)
        found = reader.find(identifier, failed=True) if failed else known
        if not found:
            todo = "`hltune samples failures` has the ids of some that fail"
            raise InputError("this schedule works", where=identifier, todo=todo)
        found = _of_one_pipeline(found, reader.pipelines(), wanted, what)
        chosen = chosen_machine([each.machine for each in found], wanted.machine, what=what, where=identifier)
        (last,) = (each for each in found if each.machine == chosen)
        spec = reader.spec(last.pipeline_hash)
    if spec is None or last.schedule is None:
        raise InputError("an imported sample has neither algorithm nor directives", where=identifier)
    if last.schedule.base is not None:
        raise InputError("this is the schedule of the pipeline's author, in the author's own file", where=identifier)
    return Example(
        spec=spec,
        schedule_hash=last.schedule_hash,
        schedule=last.schedule,
        machine=last.machine,
        outcome=last.outcome,
        measured_at_s=last.measured_at_s,
    )


def start_of_id(text: str) -> str:
    """What is behind the last dash, as in names such as ``tuned-986a3601``, if an id may begin so; else all of it."""
    end = text.rpartition("-")[2]
    return end if START.fullmatch(end) else text


def _of_one_pipeline(found: Sequence[Found], names: Mapping[str, str], wanted: Wanted, what: str) -> list[Found]:
    """The measurements of one schedule of one pipeline: the same directives, or none, may be those of several."""
    known = {each.pipeline_hash: names[each.pipeline_hash] for each in found}
    if wanted.pipeline is not None:
        key = chosen_pipeline(known, wanted.pipeline, what=f"{what} of this pipeline", where=wanted.start)
        known = {key: known[key]}
    found = [each for each in found if each.pipeline_hash in known]
    if len(ids := dict.fromkeys(each.schedule_hash for each in found)) > 1:
        raise several(wanted.start, ids)
    if len(known) > 1:
        raise InputError(
            "several pipelines have this schedule",
            where=wanted.start,
            expected=f"--pipeline with {pipeline_list(known)}",
            todo="say which one: --pipeline with its name, or with the start of its id",
        )
    return found


def several(identifier: str, ids: Iterable[str]) -> InputError:
    """The error of a start of an id that is not of one schedule alone."""
    return InputError(
        "several schedules have ids that begin so",
        where=identifier,
        found=", ".join(each[:ID_DIGITS] for each in islice(ids, _SHOWN)),
        todo=_WHERE_IDS_ARE,
    )


def repetition(
    example: Example, workspace: Workspace, inputs: Callable[[int], Inputs], options: MeasureOptions
) -> Repetition:
    """Inputs and limits as the example had them, as far as they are known, with what the user gives now.

    Args:
        inputs: makes them of the seed that counts unless the user gives one.

    Raises:
        InputError: the inputs do not fit.
    """
    spec, given = example.spec, example.machine.given
    portable = example.machine.conditions.startswith(CONDITIONS)
    seed = _seed(example, workspace)
    found = replace(inputs(0 if seed is None else seed), portable=portable)
    found, options = as_given(given, spec, found, options)
    now = given_text(spec, found, options)
    if _is_random(example, workspace):
        options = _as_pretrained(options)
    notes: list[str] = []
    if now != given:
        notes.append(
            f"it was measured with {given or 'the usual data and tolerances'}, and this has {now or 'the usual ones'}"
            f"{_same_images(example, now)}"
        )
    if seed is None and portable and len(found.assign(spec)) < len([*spec.buffers()]):
        notes.append("random inputs are those of `hltune bundle make`; if that had a --seed, give it here, too")
    return Repetition(inputs=found, options=options, notes=tuple(notes))


def _is_random(example: Example, workspace: Workspace) -> bool:
    """It is a random program, and nobody's pipeline of such a name."""
    if not is_program_name(example.spec.name):
        return False
    with Reader(workspace.samples) as reader:
        return example.spec.content_hash not in reader.tuned()


def _as_pretrained(options: MeasureOptions) -> MeasureOptions:
    """With the tolerances by which pre-training judges, unless others are given."""
    tolerance, integer = options.tolerance, options.integer_tolerance
    return replace(
        options,
        tolerance=TOLERANCE if tolerance is None else tolerance,
        integer_tolerance=INTEGER_TOLERANCE if integer is None else integer,
    )


def _seed(example: Example, workspace: Workspace) -> int | None:
    """Of the run, or the bundle, that measured it; None if nobody has noted one: most had the usual one."""
    runs = read_lines(workspace.tunings(example.spec, example.machine), TuningCommand)
    before = [each for each in runs if each.began_s <= example.measured_at_s]
    return max(before, key=lambda each: each.began_s).seed if before else None


def _same_images(example: Example, now: str) -> str:
    """Which flags make it run on the same images; what stands there of each is the beginning of its SHA-256."""
    given = example.machine.given.split(", ")
    missing = {each.partition("=")[0] for each in given if each not in now.split(", ")}
    flags = [f"-i {each.name}=FILE" for each in example.spec.buffers() if each.name in missing]
    return f"; give the same images, by the beginning of their SHA-256: {' '.join(flags)}" if flags else ""
