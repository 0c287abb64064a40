"""The cost model of one pipeline on one machine while it is tuned: weights that search, a predictor that chooses."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.lineage import BEAM_COST, Lineage, PipelineUse, WeightsOrigin
from hltune.cost_model.adams2019.options import TUNING, TrainingOptions
from hltune.cost_model.adams2019.scorer import NetworkScorer
from hltune.cost_model.adams2019.weights import Weights, builtin_weights, weights_hash
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.learner import LEAST_SAMPLES, Learned, learn
from hltune.cost_model.scorer import Predictor
from hltune.values.pipeline import PipelineSpec


class Model:
    """Weights and what was learned with them; new versions go to the lineage at once.

    Attributes:
        initial: weights that tuning starts from; they stay as they are.
        weights: result of the last training.
        best: the ones whose beam search found the fastest schedule.
        predictor: predictor of the better scorer; None before there is enough to learn from, unless the initial weights
            are trained ones.

    Raises:
        InputError: weights of earlier runs are damaged, or come from other initial ones.
    """

    def __init__(
        self, spec: PipelineSpec, machine_key: str, initial: Weights, lineage: Lineage, *, freeze: bool
    ) -> None:
        latest, best = (lineage.read(kind, initial) for kind in ("latest", "best"))
        self.initial = initial
        self.weights = latest.weights if latest else initial
        self.best = best.weights if best else self.weights
        self.predictor: Predictor | None = None
        self._state = latest.optimizer_state if latest else None
        self._beam_cost = (best.origin.metrics.get(BEAM_COST) if best else None) or math.inf
        self._spec = spec
        self._machine_key = machine_key
        self._lineage = lineage
        self._freeze = freeze
        self._last: tuple[NDArray[np.float64], Learned] | None = None  # costs of the samples, and what was learned

    def prepare(self, samples: Dataset | None) -> None:
        """Fits the predictor to samples of earlier runs; the weights stay as they are.

        Where there are too few, weights that somebody trained choose as they are; the built-in ones order the
        schedules of another machine, and a choice at random is no worse.
        """
        learned = self._fit(samples, None, 0)
        trained = weights_hash(self.weights) != weights_hash(builtin_weights())
        if learned is None and trained and samples is not None:
            self.predictor = NetworkScorer(weights=self.weights).fit(samples)

    def learn(self, samples: Dataset | None, round_number: int) -> Learned | None:
        """Trains and evaluates; returns None, and changes nothing, if there are too few samples.

        Where no sample is new, as after rounds without searches, it returns what it has learned.
        """
        if samples is None:
            return None
        if self._last is not None and np.array_equal(samples.costs, self._last[0]):
            return self._last[1]
        learned = self._fit(samples, None if self._freeze else TUNING, round_number)
        if learned is None:
            return None
        self._last = samples.costs, learned
        if not self._freeze:
            self.weights, self._state = learned.weights, learned.state
            metrics = {f"{each.name}_pair_accuracy": each.pairs.accuracy for each in learned.validations}
            origin = self._origin(len(samples), metrics)
            self._lineage.write("latest", round_number, self.weights, origin, self._state)
        return learned

    def _fit(self, samples: Dataset | None, training: TrainingOptions | None, seed: int) -> Learned | None:
        if samples is None or len(samples) < LEAST_SAMPLES:
            return None
        learned = learn(self.weights, self._state, samples, training, seed=seed)
        self.predictor = learned.predictor
        return learned

    def rank(self, beams: Sequence[tuple[Weights, float | None]], samples: int, round_number: int) -> None:
        """Keeps the best of the weights by the costs of what beam search found with them; None if it failed."""
        for weights, cost in beams:
            if cost is not None and cost < self._beam_cost:
                self._beam_cost, self.best = cost, weights
                if not self._freeze:
                    origin = self._origin(samples, {BEAM_COST: cost})
                    self._lineage.write("best", round_number, weights, origin, None)

    def _origin(self, samples: int, metrics: dict[str, float | None]) -> WeightsOrigin:
        use = PipelineUse(name=self._spec.name, pipeline_hash=self._spec.content_hash, samples=samples)
        return WeightsOrigin(
            parent_hash=weights_hash(self.initial),
            pipelines=(use,),
            machine=self._machine_key,
            options=TUNING.numbers(),
            metrics=metrics,
        )
