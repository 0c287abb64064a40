"""What the cost model learns in one round of tuning: better weights, and a scorer that chooses what to measure next.

The schedules of a pipeline are split by their hashes: a fifth is held out. The network trains on the others and is
judged, like the trees, on the held-out ones. Whichever orders more of their pairs rightly then learns from all samples
and chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

from hltune.cost_model.dataset import Dataset
from hltune.cost_model.optimizer import OptimizerState
from hltune.cost_model.scorer import NetworkScorer, Predictor, Scorer, Validation, better, validate
from hltune.cost_model.train import TrainingOptions, train
from hltune.cost_model.trees import TreeScorer
from hltune.cost_model.weights import Weights

LEAST_SAMPLES = 16
"""With fewer, nothing is learned: a handful says more about noise than about schedules."""
_LEAST_HELD_OUT = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """The result.

    Attributes:
        weights: of the network.
        state: of its optimizer; None if it was never trained.
        samples: that it learned from.
        validations: of each scorer on held-out samples; empty if there are too few.
        predictor: of the scorer that did better, after it has learned from all samples.
        chooser: name of that scorer.
        held_out: samples that the scorers were judged by.
    """

    weights: Weights
    state: OptimizerState | None
    samples: int
    validations: tuple[Validation, ...]
    predictor: Predictor
    chooser: str
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
    held_out = samples.shares() < (options or TrainingOptions()).held_out
    judged = int(held_out.sum()) >= _LEAST_HELD_OUT
    if options is not None:
        trained = train(weights, [samples], options, seed=seed, optimizer_state=state)
        weights, state = trained.weights, trained.optimizer_state
    scorers: tuple[Scorer, ...] = (
        NetworkScorer(weights=weights, training=None, seed=seed),
        TreeScorer(weights=weights, training=None, seed=seed),
    )
    validations: tuple[Validation, ...] = ()
    chosen = scorers[-1]
    if judged:
        validations = tuple(validate(scorer, samples, [held_out]) for scorer in scorers)
        chosen = scorers[validations.index(better(validations))]
    return Learned(
        weights=weights,
        state=state,
        samples=len(samples),
        validations=validations,
        predictor=chosen.fit(samples),
        chooser=chosen.name,
        held_out=int(held_out.sum()) if judged else 0,
    )
