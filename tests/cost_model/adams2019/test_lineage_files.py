from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.cost_model.adams2019.lineage import (
    PipelineUse,
    WeightsOrigin,
    decode_sidecar,
    read_stored,
    sidecar_path,
    write_stored,
)
from hltune.cost_model.adams2019.optimizer import OptimizerState, decode_state, encode_state
from hltune.cost_model.adams2019.weights import Weights, random_weights, weights_hash
from hltune.values.errors import InputError

ORIGIN = WeightsOrigin(
    parent_hash="ab" * 32,
    pipelines=(PipelineUse(name="sobel", pipeline_hash="cd" * 32, samples=90),),
    machine="0123456789ab",
    options={"epochs": 200, "learning_rate": 2e-3},
    metrics={"pair_accuracy": 0.75, "r2": None},
)
STATE = OptimizerState(
    count=7,
    mean=random_weights(np.random.default_rng(1)),
    square={name: np.abs(values) for name, values in random_weights(np.random.default_rng(2)).items()},
)


@pytest.fixture
def path(tmp_path: Path, builtin: Weights) -> Path:
    path = tmp_path / "round-1.weights"
    write_stored(path, builtin, ORIGIN, STATE)
    return path


def test_everything_is_read_back(path: Path, builtin: Weights) -> None:
    stored = read_stored(path)
    document = json.loads(sidecar_path(path).read_text())
    assert weights_hash(stored.weights) == weights_hash(builtin) == document["weights_hash"]
    assert stored.origin == ORIGIN
    assert stored.optimizer_state is not None
    assert encode_state(stored.optimizer_state) == encode_state(STATE)


def test_without_state(tmp_path: Path, builtin: Weights) -> None:
    path = tmp_path / "mine.weights"
    write_stored(path, builtin, ORIGIN, None)
    assert read_stored(path).optimizer_state is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("format", "other", "found: ValueError: format"),
        ("version", 0, "found: ValueError: format"),
        ("version", 2, "written by a newer version of hltune"),
        ("weights_hash", "00", "belongs to other weights"),
        ("weights_hash", 5, "`$.weights_hash`"),
        ("state_hash", "00", "damaged state"),
        ("state_file", "../elsewhere.npz", "not beside the weights"),
        ("state_file", "none.npz", "No such file"),
        ("origin", {}, "damaged sidecar"),
        ("extra", 1, "unknown keys extra"),
    ],
)
def test_damaged_sidecar(path: Path, key: str, value: object, text: str) -> None:
    document = json.loads(sidecar_path(path).read_text())
    document[key] = value
    sidecar_path(path).write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        read_stored(path)
    assert text in str(caught.value) and str(path.parent) in str(caught.value) and "to do" in str(caught.value)


def test_missing_sidecar(path: Path) -> None:
    sidecar_path(path).unlink()
    with pytest.raises(InputError, match="No such file"):
        read_stored(path)


def test_damaged_state_file(path: Path) -> None:
    state = path.with_name(path.name + ".npz")
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged state of the optimizer"):
        read_stored(path)


@given(st.binary(max_size=100))
def test_junk(data: bytes) -> None:
    with pytest.raises(InputError):
        decode_sidecar(data, where="file")
    with pytest.raises(InputError):
        decode_state(data, where="file")


@pytest.mark.parametrize(
    "change",
    [
        {"count": -1},
        {"mean": {**STATE.mean, "trunk_bias": np.zeros(3, "f4")}},
        {"square": {**STATE.square, "trunk_bias": -np.ones(32, "f4")}},
    ],
)
def test_state_of_something_else(change: dict) -> None:
    values = {"count": STATE.count, "mean": STATE.mean, "square": STATE.square, **change}
    with pytest.raises(InputError):
        decode_state(encode_state(OptimizerState(**values)), where="file")
