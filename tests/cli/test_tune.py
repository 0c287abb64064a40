"""`hltune tune` end to end, on a small pipeline."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from hltune.cost_model.adams2019.weights import builtin_weights, read_weights, write_weights
from hltune.samples.reader import Reader
from hltune.samples.schema import VERSION
from tests.cli.conftest import PIPELINES, Run
from tests.cli.stored import WORKS, store
from tests.samples.test_damage import mounted

BLUR = PIPELINES / "blur_function.py"
QUICK = ("--beam-size", 2, "--max-parallelism", 2)
SAMPLES = 60


def tune(hltune: Run, *arguments: object, pipeline: object = BLUR) -> Any:
    result = hltune("tune", pipeline, *QUICK, *arguments, "--json")
    assert result.code == 0, result.err
    return result.document


@pytest.mark.long
def test_a_second_run_continues_and_another_pipeline_starts_clean(hltune: Run, tmp_path: Path) -> None:
    start = tmp_path / "start.weights"
    write_weights(start, builtin_weights())
    before = start.read_bytes()
    first = tune(hltune, "--samples", 30, "--weights", start)
    assert {
        "pipeline",
        "best",
        "baseline",
        "speedup",
        "measured",
        "distinct",
        "reused",
        "failed",
        "rounds",
        "weights",
        "samples_per_minute",
        "seconds",
        "store",
    } <= first.keys()
    assert first["baseline"]["name"] == "adams2019"
    costs = [row["cost"] for row in first["finalists"] if row["cost"] is not None]
    assert first["best"]["cost"] == min(costs) and len(costs) > 4
    second = tune(hltune, "--samples", 10, "--weights", start)
    rounds = [done["round"] for each in (first, second) for done in each["rounds"]]
    assert first["rounds"] and second["rounds"] and rounds == [*range(1, len(rounds) + 1)]
    # What is repaired may turn out to be known.
    assert first["distinct"] < second["distinct"] <= first["distinct"] + second["measured"]
    other = tune(hltune, "--samples", 5, "--weights", start, pipeline=PIPELINES / "sums_function.py")
    assert all(done["round"] == 1 for done in other["rounds"])
    # The weights that it began with are what they were, and those it made are as good as any.
    assert start.read_bytes() == before
    assert read_weights(tmp_path / second["weights"])
    store = Path(second["store"])
    assert len(hltune("samples", "stats", "--json").document["pipelines"]) == 2
    with Reader(tmp_path / store) as reader:
        counts = {row.pipeline_name: row.schedules for row in reader.statistics()}
    assert counts["blur_function"] == second["distinct"]


@pytest.mark.long
def test_compare_run_and_export_use_what_it_found(hltune: Run, tmp_path: Path) -> None:
    size = ("--size", "256x192", "--max-parallelism", 2)
    result = hltune("tune", "dilate3x3", *size, "--beam-size", 2, "--samples", 20)
    assert result.code == 0, result.err
    assert "the final comparison" in result.out and "95% interval" in result.out
    assert re.search(
        r"^dilate3x3 round 1: best/ms [\d.]+, beam/ms (?:[\d.]+|-), drafts \d+, samples \d+", result.err, re.MULTILINE
    )
    files = [tmp_path / line for line in result.out.splitlines() if line.startswith(".hltune")]
    assert {path.suffix for path in files} == {".svg", ".png", ".json", ".py", ".h"}
    picture = iio.imread(next(path for path in files if path.suffix == ".png"))
    assert picture.shape[0] > 300 and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 4
    assert "minutes of tuning" in next(path for path in files if path.suffix == ".svg").read_text()
    compared = hltune("compare", "dilate3x3", *size, "--beam-size", 2, "--rounds", 2, "--json").document
    names = {row["name"]: row for row in compared["schedules"]}
    assert names["tuned"]["verified"]
    assert (
        names["tuned"]["schedule"]
        == json.loads(next(path for path in files if path.name.endswith(".schedule.json")).read_text())["directives"]
    )
    pixels = np.random.default_rng(0).integers(0, 256, (192, 256), dtype=np.uint8)
    iio.imwrite(tmp_path / "in.png", pixels)
    ran = hltune("run", "dilate3x3", *size, "-i", "in.png", "-o", "out.png", "--json")
    assert ran.document["name"] == "tuned"
    padded = np.pad(pixels, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    np.testing.assert_array_equal(iio.imread(tmp_path / "out.png"), windows.max(axis=(2, 3)))
    exported = hltune("export", "dilate3x3", *size, "-o", "there", "--format", "json", "--json")
    assert exported.document["name"] == "tuned"


@pytest.mark.long
def test_fresh_starts_over_and_discard_forgets(hltune: Run, used: Path) -> None:
    assert list(used.rglob("*.weights"))
    kept = tune(hltune, "--rounds", 0, "--fresh")
    with Reader(used / "samples.sqlite") as reader:
        (row,) = reader.statistics()
    assert kept["distinct"] == row.schedules > SAMPLES / 2 and kept["weights"] is None and kept["rounds"] == []
    assert not list(used.rglob("*.weights"))
    forgotten = tune(hltune, "--rounds", 0, "--fresh", "--discard")
    assert 0 < forgotten["distinct"] <= forgotten["measured"] < row.schedules


@pytest.mark.long
def test_two_pipelines_share_the_samples(hltune: Run) -> None:
    result = hltune("tune", BLUR, PIPELINES / "sums_function.py", *QUICK, "--samples", 50, "--json")
    assert result.code == 0, result.err
    documents = result.document["pipelines"]
    assert [document["pipeline"] for document in documents] == ["blur_function", "sums_function"]
    assert sum(document["measured"] for document in documents) == 50
    assert all(document["rounds"] for document in documents)


@pytest.mark.long
def test_a_second_run_in_the_same_workspace_is_refused(hltune: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hltune", "tune", str(BLUR), "--minutes", "20", "--max-parallelism", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("tuning"):
            assert line, "it ended before it tuned"
        result = hltune("tune", PIPELINES / "sums_function.py", "--rounds", 1)
        assert result.code == 2
        assert "another run writes to this workspace" in result.err and str(process.pid) in result.err
        assert result.err.count("error: ") == 1
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert "interrupted" in err and "kept" in err


@pytest.fixture(scope="module")
def tuned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    command = [sys.executable, "-m", "hltune", "tune", BLUR, *QUICK, "--samples", SAMPLES]
    subprocess.run([str(word) for word in command], cwd=folder, check=True, capture_output=True, timeout=1200)
    return folder / ".hltune"


@pytest.fixture
def used(tuned_once: Path, tmp_path: Path) -> Path:
    """A workspace that was tuned in, with a round's weights."""
    return shutil.copytree(tuned_once, tmp_path / ".hltune")


def refused(hltune: Run, *texts: str, options: tuple[object, ...] = ()) -> None:
    result = hltune("tune", BLUR, *QUICK, "--rounds", 0, *options)
    assert result.code == 2, result.err
    assert result.err.count("error: ") == 1 and "Traceback" not in result.err
    for text in texts:
        assert text in result.err


@pytest.mark.long
def test_what_earlier_runs_left_is_damaged(hltune: Run, used: Path) -> None:
    store, good = used / "samples.sqlite", (used / "samples.sqlite").read_bytes()
    store.write_bytes(good[: len(good) // 2])
    refused(hltune, "the sample store is damaged", "samples.sqlite")
    assert store.read_bytes() == good[: len(good) // 2]
    store.write_bytes(good)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    refused(hltune, "newer hltune")
    store.write_bytes(good)
    (latest,) = used.rglob("latest-*.weights")
    content = latest.read_bytes()
    latest.write_bytes(content[:100])
    refused(hltune, "not usable as weights", str(latest.name))
    latest.write_bytes(content)
    (sidecar,) = used.rglob("latest-*.weights.json")
    sidecar.write_text("{}")
    refused(hltune, "damaged sidecar")
    assert tune(hltune, "--samples", 12, "--fresh")["rounds"][0]["round"] > 1


@pytest.mark.long
def test_other_initial_weights(hltune: Run, used: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.weights"
    write_weights(other, {name: values * np.float32(1.1) for name, values in builtin_weights().items()})
    refused(hltune, "trained from other initial ones", "--fresh", options=("--weights", other))
    other.write_bytes(other.read_bytes()[:-10])
    refused(hltune, "the file ends within", options=("--weights", other))
    assert list(used.rglob("latest-*.weights"))


@pytest.mark.long
def test_a_full_disk_loses_nothing(hltune: Run, tmp_path: Path) -> None:
    place = tmp_path / "small"
    with mounted(place, "size=400k"):
        result = hltune("tune", BLUR, *QUICK, "--samples", 20_000, "--workspace", place / "ws")
        assert result.code == 2
        assert "full" in result.err or "No space left" in result.err
        assert result.err.count("error: ") == 1
        reported = sum(int(count) for count in re.findall(r"samples (\d+)", result.err))
        with Reader(place / "ws" / "samples.sqlite") as reader:
            count = reader.count()
        assert count >= reported
        subprocess.run(["mount", "-o", "remount,size=16m", place], check=True)
        document = tune(hltune, "--samples", 5, "--workspace", place / "ws")
        assert document["distinct"] >= count


def test_a_read_only_workspace(hltune: Run, tmp_path: Path) -> None:
    store(tmp_path, str(BLUR), "output.parallel(y);", WORKS)
    place = tmp_path / "fixed"
    with mounted(place, "size=16m"):
        shutil.copytree(tmp_path / ".hltune", place / "ws")
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        refused(hltune, "cannot write here", options=("--workspace", place / "ws"))
        assert hltune("samples", "stats", "--workspace", place / "ws").code == 0


@pytest.mark.alone
def test_minutes_are_kept(hltune: Run) -> None:
    # A run that forgot its limit would not end by itself; the final comparison is part of it. What else the machine
    # does makes it longer, though not each time.
    documents = (tune(hltune, "--minutes", 0.2) for _ in range(3))
    assert any(each["seconds"] < 1.5 * 0.2 * 60 and each["measured"] and each["finalists"][1:] for each in documents)


@pytest.mark.long
def test_what_was_tuned_on_an_image_is_run_and_exported_without_its_time(hltune: Run, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8))
    dilate, image = ("dilate3x3", "--size", "128x96"), ("-i", "in.png")
    assert hltune("schedule", *dilate, "--beam-size", "1").code == 0
    assert hltune("tune", *dilate, *image, "--samples", "4", "--rounds", "1").code == 0
    ran = hltune("run", *dilate, *image, "-o", "out.png", "--json")
    exported = hltune("export", *dilate, "-o", "out", "--format", "json", "--json")
    for done in (ran, exported):
        assert done.code == 0, done.err
        assert done.document["name"] == "tuned" and "measured under other conditions (input=" in done.err
    about = json.loads((tmp_path / "out" / "dilate3x3.schedule.json").read_text())["about"]
    assert about["cost"] is None
