"""What outputs are checked against, and how long what is hardly a good schedule may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hltune.machine.options import MeasureOptions
from hltune.machine.tolerance import Tolerance

_RUN_RATIO, COMPILE_RATIO = 10.0, 5.0
_LEAST_RUN_S, _LEAST_COMPILE_S = 2.0, 10.0
"""What runs or compiles so many times longer than another one, and longer than this, is stopped."""
_SLOWER_RATIO, _SLOWER_S = 2.0, 5.0
"""So is what runs so many times longer and so many seconds more, for it would be run several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What outputs are checked against, and how exactly.

    Attributes:
        reference: the schedule that computed what is expected, by name.
        confirmed_by: what computed the same: another schedule, or NumPy; None if nothing did.
        outputs: one per expected output.
        notes: what people should know before they trust it.
        compile_s: how long compiling the reference took.
        run_s: how long the first run of the fastest schedule took that may compute what is expected.
    """

    reference: str
    confirmed_by: str | None
    outputs: tuple[Tolerance, ...]
    notes: tuple[str, ...] = ()
    compile_s: float = math.inf
    run_s: float = math.inf

    def limited(self, options: MeasureOptions) -> MeasureOptions:
        """The options for a schedule that is hardly a good one: it may take some times as long as others."""
        return limited_by(options, self.compile_s, self.run_s, COMPILE_RATIO)


def limited_by(options: MeasureOptions, compile_s: float, run_s: float, compile_ratio: float) -> MeasureOptions:
    """The options for what may take some times as long as this to compile and to run."""
    longest_s = min(_RUN_RATIO * run_s, _SLOWER_RATIO * run_s + _SLOWER_S)
    return replace(
        options,
        run_timeout_s=min(options.run_timeout_s, max(_LEAST_RUN_S, longest_s)),
        compile_timeout_s=min(options.compile_timeout_s, max(_LEAST_COMPILE_S, compile_ratio * compile_s)),
    )
