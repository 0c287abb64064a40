from __future__ import annotations

from pathlib import Path

import pytest

from hltune.cost_model.adams2019.lineage import Lineage, WeightsOrigin, sidecar_path
from hltune.cost_model.adams2019.train import TrainingState
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.values.errors import InputError
from tests.cost_model.conftest import perturbed


def origin(initial: Weights) -> WeightsOrigin:
    return WeightsOrigin(
        parent_hash=weights_hash(initial), pipelines=(), machine="m", options={}, metrics={"beam_s": 1e-3}
    )


def test_the_newest_version_counts_and_the_others_go(tmp_path: Path, builtin: Weights) -> None:
    lineage = Lineage(tmp_path / "weights")
    assert lineage.read("latest", builtin) is None and lineage.path("best") is None
    state = TrainingState.start(builtin).optimizer
    for number in (1, 2, 11):
        lineage.write("latest", number, perturbed(builtin, seed=number), origin(builtin), state)
    lineage.write("best", 2, perturbed(builtin, seed=2), origin(builtin), None)
    stored = lineage.read("latest", builtin)
    assert stored is not None and weights_hash(stored.weights) == weights_hash(perturbed(builtin, seed=11))
    assert stored.optimizer_state is not None
    assert sorted(path.name for path in lineage.directory.iterdir()) == [
        "best-00002.weights",
        "best-00002.weights.json",
        "latest-00011.weights",
        "latest-00011.weights.json",
        "latest-00011.weights.npz",
    ]
    lineage.clear()
    assert not list(lineage.directory.iterdir())


def test_a_kill_between_two_versions_leaves_one(tmp_path: Path, builtin: Weights) -> None:
    lineage = Lineage(tmp_path)
    state = TrainingState.start(builtin).optimizer
    lineage.write("latest", 1, perturbed(builtin, seed=1), origin(builtin), state)
    # The new sidecar and state are there, the new weights are not yet.
    for suffix in (".json", ".npz"):
        (tmp_path / f"latest-00002.weights{suffix}").write_bytes(b"half")
    stored = lineage.read("latest", builtin)
    assert stored is not None and weights_hash(stored.weights) == weights_hash(perturbed(builtin, seed=1))


def test_weights_of_another_start_are_refused(tmp_path: Path, builtin: Weights) -> None:
    lineage = Lineage(tmp_path)
    lineage.write("best", 1, builtin, origin(builtin), None)
    with pytest.raises(InputError, match="trained from other initial ones") as raised:
        lineage.read("best", perturbed(builtin, seed=1))
    todo = raised.value.todo or ""  # they may have come with another version, and nobody ever gave them
    assert todo.startswith("start over with --fresh") and weights_hash(builtin) in todo


@pytest.mark.parametrize("ending", ["", ".json", ".npz"])
def test_who_goes_on_from_damaged_ones_starts_over(tmp_path: Path, builtin: Weights, ending: str) -> None:
    lineage = Lineage(tmp_path)
    path = lineage.write("latest", 1, builtin, origin(builtin), TrainingState.start(builtin).optimizer)
    part = path.with_name(path.name + ending)
    part.write_bytes(part.read_bytes()[:-9])
    for read in (lineage.parent, lambda: lineage.read("latest", builtin)):
        with pytest.raises(InputError, match=part.name) as raised:
            read()
        assert raised.value.todo == f"start over with --fresh, or delete {tmp_path}: all samples are kept"


def test_a_missing_sidecar_is_named(tmp_path: Path, builtin: Weights) -> None:
    lineage = Lineage(tmp_path)
    path = lineage.write("best", 1, builtin, origin(builtin), None)
    sidecar_path(path).unlink()
    with pytest.raises(InputError, match="best-00001"):
        lineage.read("best", builtin)
