"""Schedules that were verified once and are wrong now: nobody is handed them any more."""

from collections.abc import Iterable

from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Progress
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.workspace.records import Workspace


def drop_refuted(
    measured: Iterable[tuple[Schedule, Measurement]],
    spec: PipelineSpec,
    machine: MachineId,
    measure: MeasureOptions,
    workspace: Workspace,
    progress: Progress,
) -> frozenset[Schedule]:
    """Drops the records of those whose outputs were wrong, and says so; returns all whose outputs were wrong.

    Who gives tolerances of their own may ask for more than the records promise: then these stay, and say so wherever
    they are used.
    """
    refuted = {schedule: each for schedule, each in measured if isinstance(each, Failure) and each.is_wrong}
    for schedule, failure in refuted.items():
        if measure.usual_tolerances:
            names, so = workspace.drop(schedule, spec, machine), "is off the record"
        else:
            names, so = workspace.doubt(schedule, spec, machine), "stays on record for the usual tolerances only"
        if names:
            known = " and ".join(sorted(names))
            progress.note(f"{spec.name}: {known} was verified before, is wrong now, and {so}. {failure}")
    return frozenset(refuted)
