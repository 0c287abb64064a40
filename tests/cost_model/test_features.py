from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hltune.cost_model.features import SCHEDULE_FEATURES, STAGE_BYTES, STAGE_FLOATS, Features, plausible
from hltune.errors import InputError


@given(st.integers(1, 4).flatmap(lambda stages: arrays(np.uint8, stages * STAGE_BYTES)))
def test_any_bytes_survive(data: np.ndarray) -> None:
    features = Features.from_bytes(data.tobytes())
    assert features.to_bytes() == data.tobytes()
    assert features == Features.from_bytes(data.tobytes())
    assert features.stages == len(data) // STAGE_BYTES


def test_where_each_number_goes() -> None:
    features = Features.from_bytes(np.arange(2 * STAGE_FLOATS, dtype="<f4").tobytes())
    assert (features.schedule[0, 0], features.schedule[1, 38]) == (0, STAGE_FLOATS + 38)
    assert (features.type_masks[0, 0], features.type_masks[0, 6]) == (39, 45)
    assert (features.pipeline[0, 0, 0], features.pipeline[0, 1, 2]) == (46, 46 + 7 + 2)
    assert features.pipeline[1, 39, 6] == 2 * STAGE_FLOATS - 1


def test_names_are_in_halides_order() -> None:
    known = {0: "num_realizations", 10: "outer_parallelism", 17: "inlined_calls", 22: "vector_size",
             29: "bytes_at_task", 35: "working_set_at_task", 38: "working_set_at_root"}  # fmt: skip
    assert {index: SCHEDULE_FEATURES[index] for index in known} == known
    assert len(SCHEDULE_FEATURES) == 39


@pytest.mark.parametrize("size", [0, 1, STAGE_BYTES - 4, STAGE_BYTES + 1, 2 * STAGE_BYTES + 12])
def test_wrong_sizes(size: int) -> None:
    with pytest.raises(InputError, match="multiple of 1304 bytes"):
        Features.from_bytes(bytes(size), where="file")


def test_wrong_shapes() -> None:
    good = Features.from_bytes(bytes(2 * STAGE_BYTES))
    with pytest.raises(InputError, match="wrong shape"):
        Features(pipeline=good.pipeline[:1], type_masks=good.type_masks, schedule=good.schedule)


def test_hashes_tell_pipeline_from_schedule() -> None:
    data = np.zeros(STAGE_FLOATS, dtype="<f4")
    first = Features.from_bytes(data.tobytes())
    data[3] = 1
    other_schedule = Features.from_bytes(data.tobytes())
    data[60] = 1
    other_pipeline = Features.from_bytes(data.tobytes())
    assert first.pipeline_hash == other_schedule.pipeline_hash != other_pipeline.pipeline_hash
    assert first.schedule_hash != other_schedule.schedule_hash == other_pipeline.schedule_hash
    # Stored in files: may never change.
    assert first.pipeline_hash == hashlib.sha256(b"(1, 40, 7)" + bytes(1120)).hexdigest()


@pytest.mark.parametrize(("value", "good"), [(0, True), (1e14, True), (-1, False), (2e14, False), (np.nan, False)])
def test_plausible(value: float, good: bool) -> None:
    assert plausible(np.array([1, value], dtype=np.float32)) is good
