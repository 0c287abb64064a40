from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hltune.cost_model.features import SCHEDULE_FEATURES, features_key, operations
from hltune.values.features import COLUMNS, POINTS_COMPUTED_MINIMUM, SCHEDULE_COLUMNS, Featurization, plausible


def test_where_each_number_goes() -> None:
    featurization = Featurization.from_halide(np.arange(2 * COLUMNS, dtype="<f4").tobytes())
    schedule, pipeline = featurization.schedule_array(), operations(featurization.pipeline_array())
    assert (schedule[0, 0], schedule[1, 38]) == (0, COLUMNS + 38)
    # 39 to 45 are the types in use.
    assert (pipeline[0, 0, 0], pipeline[0, 1, 2]) == (46, 46 + 7 + 2)
    assert pipeline[1, 39, 6] == 2 * COLUMNS - 1


def test_names_are_in_halides_order() -> None:
    known = {
        0: "num_realizations",
        10: "outer_parallelism",
        17: "inlined_calls",
        22: "vector_size",
        29: "bytes_at_task",
        35: "working_set_at_task",
        38: "working_set_at_root",
        POINTS_COMPUTED_MINIMUM: "points_computed_minimum",
    }
    assert {index: SCHEDULE_FEATURES[index] for index in known} == known
    assert len(SCHEDULE_FEATURES) == SCHEDULE_COLUMNS == 39


def test_key_of_a_schedule_is_that_of_its_features() -> None:
    schedule = np.zeros((1, SCHEDULE_COLUMNS), dtype=np.float32)
    # Held-out schedules of earlier runs depend on it: may never change.
    assert features_key(schedule) == hashlib.sha256(b"(1, 39)" + bytes(156)).hexdigest()
    schedule[0, 3] = 1
    assert features_key(schedule) == hashlib.sha256(b"(1, 39)" + schedule.tobytes()).hexdigest()


@pytest.mark.parametrize(("value", "good"), [(0, True), (1e14, True), (-1, False), (2e14, False), (np.nan, False)])
def test_plausible(value: float, good: bool) -> None:
    assert plausible(np.array([1, value], dtype=np.float32)) is good
