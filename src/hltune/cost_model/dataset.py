"""Measured schedules of one pipeline, as the cost model learns from them.

| symbol | shape      | what                                 |
|--------|------------|--------------------------------------|
| N      |            | schedules                            |
| S      |            | stages of the pipeline               |
| P      | [S, 40, 7] | pipeline features                    |
| F      | [N, S, 39] | schedule features                    |
| r      | [N]        | measured running times, in seconds   |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.features import PIPELINE_SHAPE, features_key, operations, pipeline_key, plausible
from hltune.samples.reader import TrainingData
from hltune.values.errors import InputError
from hltune.values.features import SCHEDULE_COLUMNS, Featurization, Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples of one pipeline on one machine.

    Attributes:
        pipeline: P.
        schedules: F.
        runtimes_s: r.
        cores: the parallelism that the schedules were searched for.
    """

    pipeline: Floats
    schedules: Floats
    runtimes_s: NDArray[np.float64]
    cores: int

    def __post_init__(self) -> None:
        n, s = len(self.runtimes_s), len(self.pipeline)
        expected = ((s, *PIPELINE_SHAPE), (n, s, SCHEDULE_COLUMNS), (n,))
        found = (self.pipeline.shape, self.schedules.shape, self.runtimes_s.shape)
        if s == 0 or expected != found:
            raise InputError("samples of the wrong shape", expected=str(expected), found=str(found))
        if self.cores < 1:
            raise InputError("cores out of range", expected="1 or more", found=str(self.cores))
        if not (plausible(self.pipeline) and plausible(self.schedules)):
            raise InputError("features that are negative, overflowed or not a number", expected="0 to 1e14")
        if not (np.isfinite(self.runtimes_s) & (self.runtimes_s > 0)).all():
            raise InputError("running times that are not above 0", expected="seconds")

    def __len__(self) -> int:
        return len(self.runtimes_s)

    @classmethod
    def of(cls, samples: Sequence[tuple[Featurization, float]], *, cores: int) -> Dataset:
        """From featurizations and running times in seconds.

        Raises:
            InputError: there are none, or they belong to different pipelines.
        """
        pipelines = [operations(featurization.pipeline_array()) for featurization, _ in samples]
        if (found := len(set(map(pipeline_key, pipelines)))) != 1:
            raise InputError("samples of one pipeline are needed", expected="1 pipeline", found=str(found))
        return cls(
            pipeline=pipelines[0],
            schedules=np.stack([featurization.schedule_array() for featurization, _ in samples]),
            runtimes_s=np.array([runtime_s for _, runtime_s in samples]),
            cores=cores,
        )

    @classmethod
    def stored(cls, data: TrainingData, *, cores: int) -> Dataset:
        """From what the sample store holds."""
        return cls(
            pipeline=operations(data.pipeline_features),
            schedules=data.schedule_features,
            runtimes_s=data.costs,
            cores=cores,
        )

    def where(self, mask: Mask) -> Dataset:
        """The samples that a mask [N] selects."""
        return Dataset(
            pipeline=self.pipeline,
            schedules=self.schedules[mask],
            runtimes_s=self.runtimes_s[mask],
            cores=self.cores,
        )

    def shares(self) -> NDArray[np.float64]:
        """A number in [0, 1) for each schedule [N], given by its hash alone.

        What is below a threshold is held out. It stays so when samples are added, so that no sample ever moves from
        the training set of one run to the held-out set of the next.
        """
        return np.array([int(features_key(schedule)[:13], 16) / 16**13 for schedule in self.schedules])
