"""`hltune pretrain` and `hltune programs` as people call them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hltune.cost_model.adams2019.lineage import sidecar_path
from hltune.cost_model.adams2019.weights import builtin_weights, weights_hash
from hltune.machine.open import resolve
from hltune.search.autoschedulers import BUILTIN
from hltune.workspace.default_weights import initial_weights
from tests.cli.conftest import PIPELINES, Run

QUICK = ("--schedules", 4, "--beam-size", 2, "--max-parallelism", 2, "--no-benchmarks")
BLUR = PIPELINES / "blur_function.py"


def pretrain(hltune: Run, *arguments: object) -> Any:
    result = hltune("pretrain", *QUICK, *arguments, "--json")
    assert result.code == 0, result.err
    return result.document


@pytest.mark.long
def test_what_scripts_rely_on_and_what_commands_use_then(hltune: Run, tmp_path: Path) -> None:
    first = pretrain(hltune, "--batches", 1)
    assert first["default"] is None
    document = pretrain(hltune, "--batches", 2, "--use")
    assert document["batches"] == document["programs"] == 2
    assert document["samples"] + document["failed"] >= 4 and document["samples_per_minute"] > 0
    assert {"pair_accuracy", "regret_at_1", "regret_at_8", "r2"} <= document["held_out"].keys()
    assert Path(tmp_path / document["weights"]).exists()
    compared = hltune("compare", BLUR, "--max-parallelism", 2, "--beam-size", 2, "--json")
    assert compared.code == 0, compared.err
    names = {row["name"] for row in compared.document["schedules"]}
    assert {"adams2019", "adams2019+weights"} <= names
    # What another machine learned is not used, unless it is asked for.
    (default,) = (tmp_path / ".hltune" / "default").glob("*/*.weights")
    elsewhere(default)
    silent = hltune("schedule", BLUR, "--beam-size", 2, "--max-parallelism", 2)
    assert silent.code == 0 and "is not used: it was trained on another machine" in silent.err
    asked = hltune("schedule", BLUR, "--beam-size", 2, "--max-parallelism", 2, "--weights", default)
    assert asked.code == 0 and "was trained on another machine" in asked.err and "is not used" not in asked.err


def elsewhere(weights: Path) -> None:
    sidecar = sidecar_path(weights)
    document = json.loads(sidecar.read_text())
    document["origin"]["machine"] = "of-somebody-else"
    sidecar.write_text(json.dumps(document))


@pytest.mark.long
def test_from_scratch_begins_with_other_weights(hltune: Run, tmp_path: Path) -> None:
    document = pretrain(hltune, "--batches", 1, "--from-scratch")
    sidecar = json.loads(sidecar_path(tmp_path / document["weights"]).read_text())
    known = [initial_weights(each, None, resolve("host"), parent=None) for each in (None, BUILTIN)]
    assert sidecar["origin"]["parent_hash"] not in map(weights_hash, known)
    result = hltune("pretrain", *QUICK, "--batches", 1)
    assert result.code == 2 and "pre-training began with other settings" in result.err


@pytest.mark.long
def test_a_plan_needs_samples(hltune: Run) -> None:
    nothing = hltune("pretrain", "--plan", "--pipelines", 10, "--hours", 1)
    assert nothing.code == 2 and "there are no samples here" in nothing.err
    pretrain(hltune, "--batches", 1)
    result = hltune("pretrain", "--plan", "--pipelines", 10, "--hours", 1, "--max-parallelism", 2)
    assert result.code == 0, result.err
    assert "none yet: run `hltune tune PIPELINE" in result.out and "fewer than 40 random programs" in result.out
    document = hltune("pretrain", "--plan", "--pipelines", 10, "--hours", 1, "--max-parallelism", 2, "--json").document
    assert document["advice"] is None and document["minutes_each"] == 6.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--batches", 0), "--batches"),
        (("--schedules", 1), "--schedules"),
        (("--minutes", -1), "--minutes"),
        (("--plan",), "belong together"),
        (("--hours", 1), "belong together"),
        (("--plan", "--pipelines", 3, "--hours", 0), "--hours"),
        (("--plan", "--pipelines", 3, "--hours", 1, "--batches", 9, "--use"), "found: --batches, --use"),
        (("--plan", "--pipelines", 3, "--hours", 1, "--no-benchmarks", "--cluster", "auto"), "--no-benchmarks, --cl"),
        (("--weights", "nothing.weights"), "nothing.weights"),
        (("--from-scratch", "--weights", "start.weights"), "two starts"),
        (("--target", "arm-64-linux"), "does not run on this machine"),
    ],
)
def test_bad_input(arguments: tuple[object, ...], message: str, hltune: Run, tmp_path: Path) -> None:
    from hltune.cost_model.adams2019.weights import write_weights

    write_weights(tmp_path / "start.weights", builtin_weights())
    result = hltune("pretrain", *arguments)
    assert result.code == 2 and message in result.err and "Traceback" not in result.err
    assert not (tmp_path / ".hltune" / "samples.sqlite").exists()


@pytest.mark.long
def test_damage_is_named_and_nothing_is_lost(hltune: Run, tmp_path: Path) -> None:
    document = pretrain(hltune, "--batches", 1)
    journal = next((tmp_path / ".hltune" / "pretrained").glob("*/pretraining.json"))
    text = journal.read_text()
    journal.write_text(text[:-20])
    result = hltune("pretrain", *QUICK, "--batches", 2)
    assert result.code == 2 and "damaged record of pre-training" in result.err
    journal.write_text(text)
    weights = tmp_path / document["weights"]
    shutil.copy(weights, tmp_path / "kept")
    weights.write_bytes(b"not weights")
    result = hltune("pretrain", *QUICK, "--batches", 2)
    assert result.code == 2 and str(weights.name) in result.err
    shutil.copy(tmp_path / "kept", weights)
    assert pretrain(hltune, "--batches", 2)["batches"] == 2


def test_programs_are_shown_and_drawn(hltune: Run, tmp_path: Path) -> None:
    result = hltune("programs", "show", 7, "-o", "graph.svg")
    assert result.code == 0 and "input_0" in result.out
    assert (tmp_path / "graph.svg").read_text().startswith("<?xml")
    document = hltune("programs", "show", 7, "--json").document
    assert document["name"] == "program-7" and document["nodes"] and document["text"]
    assert document == hltune("programs", "show", 7, "--json").document
    assert hltune("programs", "show", 7, "-o", "graph.bmp").code == 2
    assert hltune("programs", "show", "--", -1).code == 2
