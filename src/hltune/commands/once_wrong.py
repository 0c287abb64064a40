"""Which schedules of a pipeline were ever wrong on such a processor, whatever the conditions: none of them wins."""

from collections.abc import Mapping

from hltune.machine.given import has_tolerances
from hltune.runtime.progress import Progress
from hltune.samples.reader import Reader
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement, repair_of
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.records import Workspace
from hltune.workspace.refuted import read_refuted


def once_wrong(
    spec: PipelineSpec, machine: MachineId, workspace: Workspace, reader: Reader | None
) -> dict[str, Failure]:
    """How outputs were wrong, the last time, by the hashes of the schedules.

    With another number of threads, other features of the processor or other data, a schedule is no more to be trusted.
    What is wrong by one tolerance may be right by another one, so that where people gave any, theirs alone count, but
    for what no tolerance makes right; and where right schedules are wrong on some data, that says nothing of others.

    Args:
        reader: the sample store; None if there is none.
    """
    found: dict[str, Failure] = {}
    usual = not has_tolerances(machine.given)
    for file in workspace.refuted_anywhere(spec):
        for schedule, failure in read_refuted(file, machine.cpu):
            if usual or failure.is_wrong_by_any:
                found[schedule_hash(schedule)] = failure
    for key, where, failure in reader.wrong(spec.content_hash) if reader else ():
        comparable = failure.is_wrong_by_any or (usual and not has_tolerances(where.given))
        alike = where.cpu == machine.cpu and comparable and not failure.is_disputed
        if where.key == machine.key or alike:
            found[key] = failure
    return found


def known_wrong(spec: PipelineSpec, machine: MachineId, workspace: Workspace, progress: Progress) -> dict[str, Failure]:
    """The same, for commands that do without a store: where that cannot be read, it says nothing, and a note does."""
    if workspace.samples.exists():
        try:
            with Reader(workspace.samples) as reader:
                return once_wrong(spec, machine, workspace, reader)
        except InputError as error:
            progress.note(f"{spec.name}: which schedules were wrong in earlier measurements is not known. {error}")
    return once_wrong(spec, machine, workspace, None)


def working(
    candidates: Mapping[str, Candidate], wrong: Mapping[str, Failure]
) -> tuple[dict[str, Candidate], dict[str, Failure]]:
    """Candidates apart from those that were ever wrong, and how these were, by the same names."""
    failures = {name: failure for name, each in candidates.items() if (failure := refutation(wrong, each)) is not None}
    return {name: each for name, each in candidates.items() if name not in failures}, failures


def refutation(wrong: Mapping[str, Failure], candidate: Candidate) -> Failure | None:
    """How a candidate was wrong, if ever."""
    failure = wrong.get(schedule_hash(candidate.schedule))
    return failure and failure.earlier


def judged(schedule: Schedule, measurement: Measurement, wrong: Mapping[str, Failure]) -> Measurement:
    """What came of a schedule, unless what it was repaired to was ever wrong."""
    failure = wrong.get(schedule_hash(repair_of(measurement) or schedule))
    return measurement if failure is None else failure.earlier
