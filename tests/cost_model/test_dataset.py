from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.cost_model.dataset import Dataset
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.errors import InputError
from tests.cost_model.conftest import make_dataset
from tests.samples.values import MACHINE, PIPELINE, featurization, sample


def test_from_the_store(tmp_path: Path) -> None:
    with Store(tmp_path / "samples.sqlite", progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PIPELINE)
        store.add_all([sample(number) for number in range(5)])
        [data] = store.training_data(PIPELINE.hash, MACHINE.key)
    stored = Dataset.stored(data, cores=2)
    order = np.argsort(stored.costs)
    np.testing.assert_array_equal(stored.costs[order], [1e-3 * (number + 1) for number in range(5)])
    np.testing.assert_array_equal(stored.pipeline.reshape(3, -1), featurization(0).pipeline_array()[:, 7:])
    schedules = [featurization(number).schedule_array() for number in range(5)]
    np.testing.assert_array_equal(stored.schedules[order], schedules)
    assert (len(stored), stored.cores, stored.best_cost) == (5, 2, 1e-3)


def test_held_out_schedules_stay_held_out() -> None:
    large = make_dataset(8, 100)
    small = large.where(np.arange(100) < 50)
    np.testing.assert_array_equal(small.shares(), large.shares()[:50])
    assert 5 < (large.shares() < 0.25).sum() < 50 and large.shares().min() >= 0 and large.shares().max() < 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"costs": np.zeros(4)}, "costs that are not above 0"),
        ({"costs": np.full(4, np.inf)}, "costs that are not above 0"),
        ({"costs": np.ones(3)}, "wrong shape"),
        ({"schedules": np.full((4, 3, 39), -1, dtype=np.float32)}, "overflowed"),
        ({"cores": 0}, "cores out of range"),
    ],
)
def test_samples_are_checked(change: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        replace(make_dataset(1, 4), **change)
