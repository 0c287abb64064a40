"""What people should know before they trust what outputs are compared with."""

from collections.abc import Iterator, Sequence

import numpy as np

from hltune.machine.inputs import real_data
from hltune.pipeline.images import Array
from hltune.values.pipeline import PipelineSpec


def unconfirmed(spec: PipelineSpec, reference: str, differ: Sequence[str]) -> str:
    """About a reference that nothing agrees with: other schedules differ, or there is none."""
    if not differ:
        return f"what is expected is unconfirmed: only one schedule could be run ({reference})"
    return (
        f"the outputs of different schedules differ ({reference}; {', '.join(differ)}), so what is expected is "
        "uncertain: integers overflow, values are read that nobody wrote, or rounding decides; give "
        f"{real_data(spec)}, or a --target with strict_float"
    )


def little_shown(spec: PipelineSpec, name: str, output: Array) -> Iterator[str]:
    """About expected values that wrong ones may not differ from."""
    strange = output.size - int(np.isfinite(output).sum()) if output.dtype.kind == "f" else 0
    if output.size > 1 and (output == output.flat[0]).all():
        yield (
            f"output {name}: all expected values are {output.flat[0]}, and wrong ones may not show; give "
            f"{real_data(spec)}"
        )
    if strange:
        yield (
            f"output {name}: {strange} of the {output.size} expected values are NaN or infinite, and nothing "
            f"shows there; give {real_data(spec)}"
        )
