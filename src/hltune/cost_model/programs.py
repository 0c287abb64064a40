"""Lowered programs as models see them.

| symbol | shape   | what                                                                                       |
|--------|---------|--------------------------------------------------------------------------------------------|
| x      | [N, D]  | totals, largest and heaviest bodies of each program, as logarithms; then, where it is known, |
|        |         | the same minus that of the program which computes every Func at root                       |
| T      | [N, 12] | the terms of T0 in seconds, see `hltune.lowered.estimate`                                  |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.lowered.estimate import TERMS, Estimate, estimate
from hltune.lowered.features import BODY, MEANS, VERSION
from hltune.values.program_features import ProgramFeatures

_HEAVIEST = 2
"""Bodies that are described one by one; all are in the sums."""
_LEAST_S = 1e-9
COLUMNS = f"{VERSION}.1"
"""Version of the columns of x: that of the features, and of what is made of them here."""
_TOTALS = np.array([name not in MEANS for name in BODY])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programs:
    """Programs of one pipeline: x and T."""

    x: NDArray[np.float64]
    terms: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.terms)

    def log_t0(self, scales: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """The logarithm of T0 [N], each of whose terms may be scaled [12]."""
        return np.log((self.terms if scales is None else self.terms * scales).sum(axis=1) + _LEAST_S)

    def where(self, mask: NDArray[np.bool_]) -> Programs:
        """Those of a mask [N]."""
        return Programs(x=self.x[mask], terms=self.terms[mask])

    @classmethod
    def of(cls, features: Sequence[ProgramFeatures], *, cores: int, root: ProgramFeatures | None = None) -> Programs:
        """In the order of the features.

        Args:
            root: of the program that computes every Func at root: what the algorithm needs, whatever the schedule.
        """
        if not features:
            return NO_PROGRAMS
        estimates = [estimate(each, cores=cores) for each in features]
        x = np.stack([_row(each, about) for each, about in zip(features, estimates, strict=True)])
        if root is not None:
            x = np.hstack([x, x - _row(root, estimate(root, cores=cores))])
        return cls(x=x, terms=np.stack([each.terms for each in estimates]))


NO_PROGRAMS = Programs(x=np.empty((0, 0)), terms=np.empty((0, len(TERMS))))


def _row(features: ProgramFeatures, about: Estimate) -> NDArray[np.float64]:
    """One row of x, without a root."""
    bodies = features.bodies
    if len(bodies) == 0:
        bodies = np.zeros((1, len(BODY)))
    heaviest = np.argsort(-about.bodies)[:_HEAVIEST] if len(about.bodies) else np.zeros(1, np.intp)
    single = np.zeros((_HEAVIEST, bodies.shape[1]))
    single[: len(heaviest)] = bodies[heaviest]
    total = about.seconds + _LEAST_S
    shares = np.concatenate([about.terms, np.sort(about.bodies)[::-1][:_HEAVIEST]]) / total
    padded = np.zeros(len(about.terms) + _HEAVIEST)
    padded[: len(shares)] = shares
    counts = np.concatenate([bodies[:, _TOTALS].sum(axis=0), bodies.max(axis=0), single.ravel(), features.whole])
    return np.concatenate([np.log1p(np.maximum(counts, 0.0)), padded, [np.log(total)]])
