from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hltune.cost_model.dataset import Dataset
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.errors import InputError
from tests.samples.values import MACHINE, PIPELINE, featurization, sample


def test_from_featurizations() -> None:
    first, second = featurization(1), featurization(2)
    dataset = Dataset.of([(first, 2e-3), (second, 1e-3)], cores=4)
    assert (len(dataset), dataset.cores, dataset.costs.tolist()) == (2, 4, [2e-3, 1e-3])
    np.testing.assert_array_equal(dataset.pipeline.reshape(3, -1), first.pipeline_array()[:, 7:])
    np.testing.assert_array_equal(dataset.schedules[1], second.schedule_array())


def test_pipelines_are_not_mixed() -> None:
    with pytest.raises(InputError, match="one pipeline"):
        Dataset.of([(featurization(1), 1.0), (featurization(1, pipeline_seed=1), 1.0)], cores=2)
    with pytest.raises(InputError, match="one pipeline"):
        Dataset.of([], cores=2)


def test_from_the_store(tmp_path: Path) -> None:
    with Store(tmp_path / "samples.sqlite", progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PIPELINE)
        store.add_all([sample(number) for number in range(5)])
        [data] = store.training_data(PIPELINE.hash, MACHINE.key)
    stored = Dataset.stored(data, cores=2)
    expected = Dataset.of([(featurization(number), 1e-3 * (number + 1)) for number in range(5)], cores=2)
    order = np.argsort(stored.costs)
    np.testing.assert_array_equal(stored.pipeline, expected.pipeline)
    np.testing.assert_array_equal(stored.costs[order], expected.costs)
    np.testing.assert_array_equal(stored.schedules[order], expected.schedules)
