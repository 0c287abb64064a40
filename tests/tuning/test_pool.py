from __future__ import annotations

import numpy as np

from hltune.cost_model.scorer import Scores
from hltune.tuning.pool import Pool
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule, Unroll
from hltune.values.features import Floats
from hltune.values.provenance import Named
from hltune.values.roles import Stage
from tests.samples.values import featurization


def candidate(number: int, *, stages: int = 3, features: bool = True) -> Candidate:
    return Candidate(
        schedule=Schedule((Unroll(Stage("out"), f"x{number}"),)),
        provenance=Named(name=str(number)),
        features=featurization(number, stages=stages) if features else None,
    )


class ByFirstFeature:
    """A predictor that is sure of itself."""

    def __call__(self, schedules: Floats) -> Scores:
        mean = schedules[:, 0, 0].astype(np.float64)
        return Scores(mean=mean, spread=np.zeros(len(mean)))


def numbers(taken: dict[str, Candidate]) -> list[str]:
    return list(taken)


def test_what_is_predicted_to_be_fast_is_taken_once() -> None:
    pool = Pool(100)
    pool.add({str(number): candidate(number) for number in range(20)})
    first_features = {str(number): featurization(number).schedule_array()[0, 0] for number in range(20)}
    order = sorted(first_features, key=lambda name: first_features[name])
    rng = np.random.default_rng(0)
    assert numbers(pool.take(5, ByFirstFeature(), random_share=0.0, rng=rng)) == order[:5]
    assert not any(name in pool for name in order[:5])
    assert numbers(pool.take(3, ByFirstFeature(), random_share=0.0, rng=rng)) == order[5:8]
    assert len(pool.take(100, None, random_share=0.0, rng=rng)) == 12
    assert pool.take(1, None, random_share=0.0, rng=rng) == {}


def test_candidates_share_the_features_of_their_pipeline() -> None:
    pool = Pool(10)
    given = {str(number): candidate(number) for number in range(4)}
    pool.add(given)
    taken = pool.take(4, None, random_share=0.0, rng=np.random.default_rng(0))
    assert taken == given
    assert len({id(each.features and each.features.pipeline_features) for each in taken.values()}) == 1


def test_the_oldest_ones_leave() -> None:
    pool = Pool(3)
    pool.add({str(number): candidate(number) for number in range(3)})
    pool.add({"3": candidate(3)})
    assert [str(number) in pool for number in range(4)] == [False, True, True, True]


def test_only_candidates_that_can_be_scored_stay() -> None:
    pool = Pool(10)
    pool.add({"none": candidate(0, features=False), "three": candidate(1), "four": candidate(2, stages=4)})
    assert ("none" in pool, "three" in pool, "four" in pool) == (False, True, False)
    pool.discard("three")
    pool.discard("never there")
    assert "three" not in pool
