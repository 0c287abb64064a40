"""Measured schedules of one pipeline, as the cost model learns from them.

| symbol | shape      | what                                 |
|--------|------------|--------------------------------------|
| N      |            | schedules                            |
| S      |            | stages of the pipeline               |
| P      | [S, 40, 7] | pipeline features                    |
| F      | [N, S, 39] | schedule features                    |
| c      | [N]        | measured costs                       |
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.features import PIPELINE_SHAPE, features_key, operations
from hltune.samples.results import TrainingData
from hltune.values.errors import InputError
from hltune.values.features import SCHEDULE_COLUMNS, Floats, plausible

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples of one pipeline on one machine: P, F and c.

    Costs are in seconds; a machine that counts something else has a nominal rate that makes nominal seconds of it. The
    schedules were searched for as many `cores`.
    """

    pipeline: Floats
    schedules: Floats
    costs: NDArray[np.float64]
    cores: int

    def __post_init__(self) -> None:
        n, s = len(self.costs), len(self.pipeline)
        expected = ((s, *PIPELINE_SHAPE), (n, s, SCHEDULE_COLUMNS), (n,))
        found = (self.pipeline.shape, self.schedules.shape, self.costs.shape)
        if s == 0 or expected != found:
            raise InputError("samples of the wrong shape", expected=str(expected), found=str(found))
        if self.cores < 1:
            raise InputError("cores out of range", expected="1 or more", found=str(self.cores))
        if not (plausible(self.pipeline) and plausible(self.schedules)):
            raise InputError("features that are negative, overflowed or not a number", expected="0 to 1e14")
        if not (np.isfinite(self.costs) & (self.costs > 0)).all():
            raise InputError("costs that are not above 0", expected="seconds")

    def __len__(self) -> int:
        return len(self.costs)

    @property
    def best_cost(self) -> float:
        """The smallest cost; there has to be one."""
        return float(self.costs.min())

    @classmethod
    def stored(cls, data: TrainingData, *, cores: int) -> Dataset:
        """Samples as the sample store holds them."""
        pipeline = operations(data.pipeline_features)
        return cls(pipeline=pipeline, schedules=data.schedule_features, costs=data.costs, cores=cores)

    def where(self, mask: Mask) -> Dataset:
        """The samples that a mask [N] selects."""
        return replace(self, schedules=self.schedules[mask], costs=self.costs[mask])

    def shares(self) -> NDArray[np.float64]:
        """A number in [0, 1) for each schedule [N], given by its features alone.

        What is below a threshold is held out. It stays so when samples are added, so that no sample ever moves from
        the training set of one run to the held-out set of the next.
        """
        return np.array([int(features_key(schedule)[:13], 16) / 16**13 for schedule in self.schedules])
