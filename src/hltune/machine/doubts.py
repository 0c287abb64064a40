"""What people should know before they trust what outputs are compared with."""

from collections.abc import Iterator, Sequence

import numpy as np

from hltune.machine.inputs import real_data
from hltune.machine.tolerance import Tolerance, value_range
from hltune.pipeline.images import Array
from hltune.values.errors import DISPUTED
from hltune.values.pipeline import PipelineSpec

_FEW, _MANY = 3, 256
"""Values of so many integers that show little."""
_TIMES = 10
"""Floats that differ by less than so many times what each may be off by show little as well."""


def unconfirmed(spec: PipelineSpec, reference: str, differ: Sequence[str]) -> str:
    """About a reference that nothing agrees with: other schedules differ, or there is none."""
    if not differ:
        return f"what is expected is unconfirmed: only one schedule could be run ({reference})"
    return (
        f"the outputs of different schedules differ ({reference}; {', '.join(differ)}), so what is expected is "
        "uncertain: integers overflow, values are read that nobody wrote, or rounding decides; give "
        f"{real_data(spec)}, or a --target with strict_float"
    )


def disputed(spec: PipelineSpec) -> str:
    """About integers alone that schedules compute differently."""
    return f"{DISPUTED}: some overflow, or are shifted too far; give {real_data(spec)}"


def _few_values(output: Array) -> str:
    """The values if they are so few that wrong ones may be among them; empty if not."""
    if output.size > 1 and (output == output.flat[0]).all():
        return str(output.flat[0])
    if output.dtype.kind not in "iu" or output.itemsize == 1 or output.size <= _MANY:  # masks are often bytes
        return ""
    if len(set(map(int, output.flat[:_MANY]))) > _FEW or len(values := np.unique(output)) > _FEW:
        return ""
    return " or ".join(map(str, values))


def _alike(tolerance: Tolerance, output: Array) -> Iterator[str]:
    """About floats that may be off by much of what they differ by among each other."""
    if output.dtype.kind != "f" or tolerance.chaotic:
        return
    least, most = value_range(output)
    off = tolerance.of_all(output.size) * max(abs(least), abs(most))
    if 0 < most - least < _TIMES * off:
        yield (
            f"output {tolerance.output}: all expected values lie between {least:.7g} and {most:.7g}, each may be off "
            f"by {off:.2g}, and wrong ones may not show; give a smaller --tolerance, or add what they have in common "
            "elsewhere"
        )


def little_shown(spec: PipelineSpec, tolerance: Tolerance, output: Array) -> Iterator[str]:
    """About expected values that wrong ones may not differ from, or right ones do."""
    name = tolerance.output
    if tolerance.disputed:
        yield f"output {name}: {tolerance.advice}"
    yield from _alike(tolerance, output)
    strange = output.size - int(np.isfinite(output).sum()) if output.dtype.kind == "f" else 0
    if values := _few_values(output):
        yield f"output {name}: all expected values are {values}, and wrong ones may not show; give {real_data(spec)}"
    if strange:
        yield (
            f"output {name}: {strange} of the {output.size} expected values are NaN or infinite, and nothing "
            f"shows there; give {real_data(spec)}"
        )
