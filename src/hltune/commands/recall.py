"""The tolerances that a measurement was verified with, as far as they are remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from hltune.commands.example import Repetition
from hltune.machine.inputs import arrays_of
from hltune.machine.remembered import Known, Remembered
from hltune.machine.sensitivity import STRICT
from hltune.machine.task import NumPyReference, Task, checked
from hltune.machine.tolerance import Tolerance
from hltune.machine.verify import Verification
from hltune.samples.reader import Reader
from hltune.suite.catalog import ALL
from hltune.values.directives import Schedule
from hltune.values.documents import convert
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec
from hltune.workspace.records import Workspace


def remembered(
    workspace: Workspace, machine: MachineId, target: str, specs: Iterable[PipelineSpec], again: Repetition
) -> tuple[Tolerance, ...] | None:
    """One per output; None if an earlier command left none for this pipeline, machine, data and given tolerances.

    Args:
        target: by which expected outputs were computed: the machine's own, or `REFERENCE_TARGET`.
        specs: the pipeline with inputs that may be as large as they were then, the likeliest first.
    """
    for spec in dict.fromkeys(specs):
        for file in _files(workspace, machine, target, spec, again):
            known = file.read()
            if known is not None and (found := _tolerances(known)) is not None:
                return found
    return None


def _files(
    workspace: Workspace, machine: MachineId, target: str, spec: PipelineSpec, again: Repetition
) -> Iterator[Remembered]:
    """Where it may be: neither the author's schedule nor the benchmark of a pipeline is in the store."""
    task = Task(spec=spec, schedule=Schedule(), target=checked(target), inputs=again.inputs)
    strict = STRICT in machine.target.split("-")
    arrays = arrays_of(spec, again.inputs)
    for reference, own in product(_references(spec), _own(workspace, machine, spec)):
        yield Remembered.of(workspace.cache, task, arrays, again.options, reference, strict=strict, own=own)


def _references(spec: PipelineSpec) -> list[NumPyReference | None]:
    """None, and that of the built-in benchmark of this name, which it may be."""
    found = [each for each in ALL if each.name == spec.name and each.has_reference]
    return [None, *(NumPyReference(module=each.module, function="reference") for each in found)]


def _own(workspace: Workspace, machine: MachineId, spec: PipelineSpec) -> list[str | None]:
    """None, and the author's schedules that were measured."""
    with Reader(workspace.samples) as reader:
        named = reader.named(spec.content_hash, machine.key)
    return [None, *dict.fromkeys(each.base for each in named.values() if each.base is not None)]


def _tolerances(known: Known) -> tuple[Tolerance, ...] | None:
    try:
        return convert(known.fields, Verification).outputs
    except InputError:  # of another version, or damaged
        return None
