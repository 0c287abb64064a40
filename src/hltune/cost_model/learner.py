"""What the cost model learns in one round of tuning: better weights, and a scorer that chooses what to measure next.

The schedules of a pipeline are split by their hashes, so that a schedule never changes sides: some are held out, and
neither network nor trees learn from them before they are enough; with some others the network's best epoch is chosen.
Whichever scorer orders more of the held-out pairs rightly then learns from all samples and chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.train import Trained, TrainingOptions, train
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.scorer import NetworkScorer, Predictor, Scorer, Validation, better, validate
from hltune.cost_model.trees import TreeScorer

LEAST_SAMPLES = 16
"""With fewer, nothing is learned: a handful says more about noise than about schedules."""
_HELD_OUT = 0.15
_EPOCH = 0.15
"""Share of the schedules by which the best epoch is chosen."""
_LEAST_HELD_OUT = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """The result.

    Attributes:
        weights: of the network.
        state: of its optimizer; None if it was never trained.
        validations: of each scorer on held-out samples; empty if there are too few.
        predictor: of the scorer that did better, after it has learned from all samples.
        chooser: name of that scorer.
        held_out: samples that the scorers were enough by.
    """

    weights: Weights
    state: OptimizerState | None
    validations: tuple[Validation, ...]
    predictor: Predictor
    selected: str
    held_out: int


def learn(
    weights: Weights, state: OptimizerState | None, samples: Dataset, options: TrainingOptions | None, *, seed: int
) -> Learned:
    """Learns from all samples of a pipeline.

    Args:
        weights: of the round before.
        state: of its optimizer; None for the first round.
        samples: at least `LEAST_SAMPLES`.
        options: of the network's training; None leaves it as it is.
        seed: of everything random.
    """
    shares = samples.shares()
    held_out = shares < _HELD_OUT
    enough = int(held_out.sum()) >= _LEAST_HELD_OUT
    if options is not None:
        trained = _train(weights, state, samples, shares, options, seed)
        weights, state = trained.weights, trained.optimizer_state
    scorers: tuple[Scorer, ...] = (
        NetworkScorer(weights=weights, training=None, seed=seed),
        TreeScorer(weights=weights, training=None, seed=seed),
    )
    validations: tuple[Validation, ...] = ()
    chosen = scorers[-1]
    if enough:
        validations = tuple(validate(scorer, samples, [held_out]) for scorer in scorers)
        chosen = scorers[validations.index(better(validations))]
    return Learned(
        weights=weights,
        state=state,
        validations=validations,
        predictor=chosen.fit(samples),
        selected=chosen.name,
        held_out=int(held_out.sum()) if enough else 0,
    )


def _train(
    weights: Weights,
    state: OptimizerState | None,
    samples: Dataset,
    shares: NDArray[np.float64],
    options: TrainingOptions,
    seed: int,
) -> Trained:
    epoch = (shares >= _HELD_OUT) & (shares < _HELD_OUT + _EPOCH)
    if int(epoch.sum()) < options.least_held_out:
        epoch = np.zeros_like(epoch)
    training = (shares >= _HELD_OUT) & ~epoch
    return train(
        weights,
        [samples.where(training)],
        options,
        seed=seed,
        optimizer_state=state,
        held_out=[samples.where(epoch)],
    )
