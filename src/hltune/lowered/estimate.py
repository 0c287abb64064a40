"""T0: seconds that a program takes, by a formula, with nothing learned.

Each body costs its instructions, its accesses, and the bytes that come from beyond each cache; a core that waits for
the last task costs as much as one that works. What a program costs is the sum over its bodies, the launches of its
parallel loops, and its allocations. So it is linear in a few terms, whose constants a machine may have fitted; those
here are rounded from what 83 random programs on a server with two cores say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.lowered import operations
from hltune.lowered.access import PATTERNS
from hltune.lowered.features import BODY, WHOLE, idle_share
from hltune.values.program_features import ProgramFeatures

OF_THE_WHOLE = ("launches", "allocations", "heap_bytes", "faults")
"""Terms that are of no body."""
TERMS = ("compute", "access", "scattered", "l1", "l2", "l3", "pages", "chains", *OF_THE_WHOLE)
"""What T0 is the sum of."""

_NS = 1e-9
_CLASS_NS = {
    "add": 0.15,
    "multiply": 0.2,
    "divide": 2.0,
    "minmax": 0.15,
    "select": 0.15,
    "cast": 0.2,
    "math": 8.0,
    "shuffle": 0.3,
    "call": 1.0,
}
_INDEX_NS = 0.1
_PATTERN_NS = {"scalar": 0.1, "broadcast": 0.05, "dense": 0.1, "aligned": 0.1, "reversed": 0.2}
_LANE_NS = 0.45
"""Of a lane of what is strided or gathered: each is taken out of a vector, accessed, and put into another one."""
_RUN_NS = 0.3
"""Of a run: counters, branches."""
_BYTE_NS = {"l1": 0.001, "l2": 0.001, "l3": 0.003}
"""Of a byte from beyond a cache, as far as computing does not hide it."""
_PAGE_NS = {"l1": 1.0, "l2": 10.0}
"""Of finding a page that the first, or the second, table of translations does not have."""
_CHAIN_NS = 1.7
"""From one sum of floats to the next that needs it, which is loaded and stored in a register only, whatever is counted.

What is computed meanwhile costs nothing more.
"""
_TASK_NS = 20.0
"""Of a task that a thread takes from the queue, which only one can do at a time."""
_LAUNCH_NS, _ALLOCATION_NS, _HEAP_BYTE_NS, _FAULT_BYTE_NS = 500.0, 25.0, 0.02, 0.2

_COLUMN = {name: number for number, name in enumerate(BODY)}
_WHOLE = {name: number for number, name in enumerate(WHOLE)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """Seconds by `TERMS` [12], of the whole program; of each body by those that bodies have [K, 8]."""

    terms: NDArray[np.float64]
    parts: NDArray[np.float64]

    @property
    def bodies(self) -> NDArray[np.float64]:
        """Seconds by body [K]."""
        return self.parts.sum(axis=1)

    @property
    def seconds(self) -> float:
        """T0."""
        return float(self.terms.sum())


def estimate(features: ProgramFeatures, *, cores: int) -> Estimate:
    """T0 of a program on so many cores."""
    table = features.bodies
    compute, access, *caches = (table @ weights for weights in _BODY_TERMS)
    scattered = table[:, _COLUMN["lane_by_lane"]] * _LANE_NS
    waits = np.maximum(0.0, table[:, _COLUMN["chained"]] * _CHAIN_NS - compute - access - scattered)
    parts = np.column_stack([compute, access, scattered, *caches, waits]) * _NS
    tasks = table[:, _COLUMN["tasks"]] * table[:, _COLUMN["inner_parallel"]]
    at_once = np.array([1.0 if each <= 1.0 else cores * (1.0 - idle_share(each, cores)) for each in tasks])
    parts /= at_once[:, None] if len(parts) else 1.0
    whole = features.whole
    rest = np.array(
        [
            whole[_WHOLE["launches"]] * _LAUNCH_NS + whole[_WHOLE["task_starts"]] * _TASK_NS,
            whole[_WHOLE["allocations"]] * _ALLOCATION_NS,
            whole[_WHOLE["heap_bytes"]] * _HEAP_BYTE_NS,
            whole[_WHOLE["fault_bytes"]] * _FAULT_BYTE_NS,
        ]
    )
    return Estimate(terms=np.concatenate([parts.sum(axis=0), rest * _NS]), parts=parts)


def _weights(constants: Mapping[str, float]) -> NDArray[np.float64]:
    """A weight per feature of a body, 0 for those that are not named."""
    return np.array([constants.get(name, 0.0) for name in BODY])


_BODY_TERMS = (
    _weights(
        {f"{each} {kind}": ns for each, ns in _CLASS_NS.items() for kind in operations.KINDS}
        | {operations.INDEX: _INDEX_NS, "runs": _RUN_NS}
    ),
    _weights({f"{what} {each}": _PATTERN_NS.get(each, 0.0) for what in ("load", "store") for each in PATTERNS}),
    *(_weights({f"read_beyond_{level}": ns, f"written_beyond_{level}": ns}) for level, ns in _BYTE_NS.items()),
    _weights({f"pages_beyond_{level}": ns for level, ns in _PAGE_NS.items()}),
)
