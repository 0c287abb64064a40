"""Candidates that were found and not measured yet."""

from dataclasses import replace

import numpy as np

from hltune.cost_model.acquisition import choose
from hltune.cost_model.features import features_key
from hltune.cost_model.scorer import Predictor
from hltune.values.candidate import Candidate
from hltune.values.features import Featurization


class Pool:
    """The newest candidates, by the hash of their schedule. What one round leaves, the next may choose."""

    def __init__(self, size: int = 4000) -> None:
        self._size = size
        self._candidates: dict[str, tuple[Candidate, Featurization]] = {}
        self._pipeline_features: dict[bytes, bytes] = {}
        """As each candidate comes with its own copy, of a hundred kilobytes in a pipeline of a hundred stages."""
        self._stages: int | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._candidates

    def discard(self, key: str) -> None:
        """Removes a candidate, if it is there."""
        self._candidates.pop(key, None)

    def add(self, candidates: dict[str, Candidate]) -> None:
        """Adds candidates that the cost model can score; the oldest ones leave when there are too many."""
        for key, candidate in candidates.items():
            features = candidate.features
            if features is not None and features.stages == (self._stages or features.stages):
                self._stages = features.stages
                if key not in self._candidates:
                    self._candidates[key] = self._shared(candidate, features)
        for key in list(self._candidates)[: -self._size]:
            del self._candidates[key]

    def _shared(self, candidate: Candidate, features: Featurization) -> tuple[Candidate, Featurization]:
        """The same, with the one copy of the pipeline's features."""
        shared = self._pipeline_features.setdefault(features.pipeline_features, features.pipeline_features)
        if shared is features.pipeline_features:
            return candidate, features
        features = replace(features, pipeline_features=shared)
        return replace(candidate, features=features), features

    def take(
        self, count: int, predictor: Predictor | None, *, random_share: float, rng: np.random.Generator
    ) -> dict[str, Candidate]:
        """Removes and returns the ones to measure next; see `hltune.cost_model.acquisition`."""
        if not self._candidates or count < 1:
            return {}
        keys = list(self._candidates)
        schedules = np.stack([features.schedule_array() for _, features in self._candidates.values()])
        scores = None if predictor is None else predictor(schedules)
        alike = [features_key(schedule) for schedule in schedules]
        chosen = choose(scores, alike, count, random_share=random_share, rng=rng)
        return {keys[index]: self._candidates.pop(keys[index])[0] for index in chosen}
