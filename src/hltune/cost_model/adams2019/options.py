"""How the network is trained in tuning and in pre-training; `docs/pretraining.md` says what was tried."""

from dataclasses import asdict, dataclass
from typing import Literal

LossName = Literal["throughput", "log", "rank", "log+rank"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Options of one training.

    Attributes:
        loss: what is minimized; see `hltune.cost_model.adams2019.losses`.
        summed: minimize the sum over the schedules of a pipeline, and not their mean.
        learning_rate: step size of Adam.
        epsilon: what Adam adds to the root of the mean squared gradient.
        steps: steps of an epoch, each with pipelines drawn at random and all of their schedules, rounded up to a
            multiple of 20; None passes once over the schedules of all pipelines, one pipeline in a step.
        pipelines_per_step: pipelines that are drawn.
        batch_size: most schedules in one step of a pass.
        epochs: most epochs.
        time_limit_s: seconds after which no step begins; None sets no limit.
        feature_noise: standard deviation of what is added to the logarithms of schedule features.
        ema_decay: share of the old average in the average of the weights, at each step; 0 keeps the last weights.
        l2_to_init: factor of the squared distance from the initial weights in what is minimized.
    """

    loss: LossName = "throughput"
    summed: bool = False
    learning_rate: float = 2e-3
    epsilon: float = 1e-8
    steps: int | None = None
    pipelines_per_step: int = 16
    batch_size: int = 1024
    epochs: int = 1
    time_limit_s: float | None = None
    feature_noise: float = 0.0
    ema_decay: float = 0.0
    l2_to_init: float = 0.0

    def numbers(self) -> dict[str, float]:
        """The options that are numbers, by name."""
        return {name: float(value) for name, value in asdict(self).items() if isinstance(value, (int, float))}


TUNING = TrainingOptions(summed=True, epsilon=1e-5, epochs=100, time_limit_s=2.0, l2_to_init=1e-3)
"""One round on the schedules of one pipeline. Loss and Adam are those of the stock tool."""


def pretraining(steps: int) -> TrainingOptions:
    """So many steps on many pipelines with few schedules each."""
    return TrainingOptions(loss="log+rank", steps=steps, feature_noise=0.3, ema_decay=0.998)
