"""How weights are trained on many pipelines; `docs/pretraining.md` says what was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hltune.values.errors import InputError

LossName = Literal["throughput", "log", "rank", "log+rank", "throughput+rank"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Of one training.

    Attributes:
        loss: what is minimised; see `hltune.cost_model.adams2019.losses`.
        learning_rate: of Adam.
        pipelines_per_step: whose schedules make one step.
        feature_noise: standard deviation of what is added to the logarithms of schedule features in training.
        ema_decay: share of the old average in the average of the weights, at each step; 0 keeps the last weights.
        l2_to_init: weight in the loss of the squared distance from the initial weights.
    """

    loss: LossName = "log+rank"
    learning_rate: float = 2e-3
    pipelines_per_step: int = 16
    feature_noise: float = 0.3
    ema_decay: float = 0.998
    l2_to_init: float = 0.0

    def __post_init__(self) -> None:
        for name, valid, expected in (
            ("learning rate", 0 < self.learning_rate < 1, "above 0 and below 1"),
            ("pipelines per step", self.pipelines_per_step >= 1, "1 or more"),
            ("noise", self.feature_noise >= 0, "0 or more"),
            ("averaging", 0 <= self.ema_decay < 1, "0 or more and below 1"),
            ("L2 to the initial weights", self.l2_to_init >= 0, "0 or more"),
        ):
            if not valid:
                raise InputError("option out of range", where=name, expected=expected, found=str(self))
