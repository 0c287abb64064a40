"""What the cost model learns in one round of tuning: better weights, and a scorer that chooses what to measure next.

The schedules of a pipeline are split by their hashes, so that a schedule never changes sides: some are held out, and
neither network nor trees learn from them before they are evaluated; by some others the network's best epoch is chosen.
Whichever scorer orders more of the held-out pairs rightly then learns from all samples and chooses.
"""

from dataclasses import dataclass

import numpy as np

from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.options import TrainingOptions
from hltune.cost_model.adams2019.scorer import NetworkScorer
from hltune.cost_model.adams2019.train import TrainingState, rescaled, train
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.scorer import Predictor, Scorer, Validation, validate
from hltune.cost_model.trees import TreeScorer

LEAST_SAMPLES = 16
"""With fewer, nothing is learned: a handful says more about noise than about schedules."""
_HELD_OUT = 0.15
_EPOCH = 0.15
"""Share of the schedules by which the best epoch is chosen."""
_LEAST_HELD_OUT = 8
_LEAST_EPOCH = 30
"""With fewer, the last epoch is kept: a handful without a fast one chooses an epoch that orders the others badly."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What was learned.

    Attributes:
        state: None if the network was never trained.
        validations: how well each scorer predicts held-out samples; empty if there are too few.
        predictor, selected: those of the better scorer, after it has learned from all samples; and its name.
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
    """Learns from all samples of a pipeline, at least `LEAST_SAMPLES`.

    Weights and state are those of the round before; without a state, the predictions are rescaled first. Without
    options the network stays as it is.
    """
    shares = samples.shares()
    held_out = shares < _HELD_OUT
    enough = int(held_out.sum()) >= _LEAST_HELD_OUT
    if options is not None:
        epoch = ~held_out & (shares < _HELD_OUT + _EPOCH)
        if int(epoch.sum()) < _LEAST_EPOCH:
            epoch = np.zeros_like(epoch)
        training, test = [samples.where(~held_out & ~epoch)], [samples.where(epoch)]
        start = TrainingState.start(weights if state else rescaled(weights, training), state)
        trained = train(start, training, options, initial=start.weights, seed=seed, held_out=test)
        weights, state = trained.weights, trained.optimizer
    scorers: tuple[Scorer, ...] = (NetworkScorer(weights=weights), TreeScorer(weights=weights, seed=seed))
    validations: tuple[Validation, ...] = ()
    chosen = scorers[-1]
    if enough:
        validations = tuple(validate(scorer, samples, [held_out]) for scorer in scorers)
        accuracies = [each.pairs.accuracy or 0.0 for each in validations]
        chosen = scorers[accuracies.index(max(accuracies))]
    return Learned(
        weights=weights,
        state=state,
        validations=validations,
        predictor=chosen.fit(samples),
        selected=chosen.name,
        held_out=int(held_out.sum()) if enough else 0,
    )
