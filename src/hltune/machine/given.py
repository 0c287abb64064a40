"""What people gave in place of the usual data and tolerances: times and verdicts under others do not compare."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hltune.machine.inputs import Inputs, file_digest
from hltune.machine.options import MeasureOptions
from hltune.pipeline.source import parse_number
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import PipelineSpec, ScalarArgument

_TOLERANCE, _INTEGER_TOLERANCE = "--tolerance", "--integer-tolerance"


def on_given(machine: MachineId, spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> MachineId:
    """The machine with what was given as a part of its conditions; itself if nothing was.

    Raises:
        InputError: the inputs do not fit.
    """
    return machine.with_given(given_text(spec, inputs, options))


def given_text(spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> str:
    """What was given, as `MachineId.given` has it: images by the beginnings of their SHA-256, all else in full.

    Raises:
        InputError: the inputs do not fit.
    """
    return ", ".join(_given(spec, inputs, options))


def has_tolerances(given: str) -> bool:
    """People gave tolerances of their own, and not only scalars that are called so."""
    flags = f"{_TOLERANCE}=", f"{_INTEGER_TOLERANCE}="
    return any(each.startswith(flags) for each in given.split(", "))


def as_given(given: str, spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> tuple[Inputs, MeasureOptions]:
    """Inputs and options with what was given earlier, as far as `given_text` has it in full, and is not given now."""
    pairs = (each.rpartition("=") for each in given.split(", "))
    earlier = {name: parse_number(value.lower()) for name, _, value in pairs}  # Python writes True
    known = dict(inputs.scalars)
    for each in spec.inputs:
        if isinstance(each, ScalarArgument) and (value := earlier.get(each.name)) is not None:
            known.setdefault(each.name, value)
    tolerance, integer = options.tolerance, options.integer_tolerance
    if tolerance is None:
        tolerance = earlier.get(_TOLERANCE)
    if integer is None and (value := earlier.get(_INTEGER_TOLERANCE)) is not None:
        integer = int(value)
    return (
        replace(inputs, scalars=tuple(known.items())),
        replace(options, tolerance=tolerance, integer_tolerance=integer),
    )


def _given(spec: PipelineSpec, inputs: Inputs, options: MeasureOptions) -> Iterator[str]:
    for name, path in sorted(inputs.assign(spec).items()):
        yield f"{name}={file_digest(path)}"
    for each in spec.inputs:
        if isinstance(each, ScalarArgument):
            value = np.dtype(each.dtype).type(inputs.scalar(each))  # rounded, as estimates are
            if value.item() != each.estimate:
                yield f"{each.name}={value!s}"  # the shortest text of its type
    dtypes = {dtype for each in spec.outputs for dtype in each.dtypes}
    floats = {each for each in dtypes if each.startswith("float")}
    if options.tolerance is not None and floats:  # else it has no say
        yield f"{_TOLERANCE}={options.tolerance:g}"
    if options.integer_tolerance is not None and dtypes - floats - {"bool"}:
        yield f"{_INTEGER_TOLERANCE}={options.integer_tolerance}"
