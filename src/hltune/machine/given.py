"""What people gave in place of the usual data and tolerances: times and verdicts under others do not compare."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec, ScalarArgument


def on_given(machine: MachineId, spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> MachineId:
    """The machine with what was given as a part of its conditions; itself if nothing was.

    Raises:
        InputError: the inputs do not fit.
    """
    return machine.with_given(", ".join(_given(spec, inputs, options)))


def _given(spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> Iterator[str]:
    for name, path in sorted(inputs.assign(spec).items()):
        yield f"{name}={_digest(path)}"
    for each in spec.inputs:
        if isinstance(each, ScalarArgument) and (value := inputs.scalar(each)) != each.estimate:
            yield f"{each.name}={value}"
    if options.tolerance is not None:
        yield f"--tolerance={options.tolerance:g}"
    if options.integer_tolerance is not None:
        yield f"--integer-tolerance={options.integer_tolerance}"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    except OSError:
        return "unread"  # who reads it as an image says what is wrong, before anything is measured
