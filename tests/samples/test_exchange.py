"""Files of Halide's own tools, read and written."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hltune.cost_model.adams2019.weights import read_weights
from hltune.runtime import halide_wheel
from hltune.samples.exchange import export_samples, import_samples, sample_files
from hltune.samples.sample_file import SampleFile
from hltune.samples.writer import Store
from hltune.values.cost import Cost
from hltune.values.errors import Failure, InputError
from hltune.values.features import Featurization
from hltune.values.sample import PipelineRecord
from tests.samples import stored
from tests.samples.values import MACHINE, OTHER_MACHINE, PIPELINE, SPEC, cost, featurization, sample

KEYS = (PIPELINE.hash, MACHINE.key)


def stock_tool(name: str, *arguments: object, given: str = "") -> str:
    """Runs a tool of the wheel; returns what it printed."""
    tool = halide_wheel.wheel_directory() / "bin" / name
    environment = os.environ | {"LD_LIBRARY_PATH": str(halide_wheel.library_directory())}
    done = subprocess.run(
        [tool, *map(str, arguments)],
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


def write(path: Path, value: Featurization, runtime_s: float = 1e-3, *, pipeline_id: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stock = SampleFile(featurization=value, runtime_s=runtime_s, pipeline_id=pipeline_id, schedule_id=1)
    path.write_bytes(stock.encode())
    return path


def test_a_file_of_the_stock_tool(tmp_path: Path) -> None:
    value = featurization(1, stages=4)
    (tmp_path / "in").write_bytes(value.to_halide())
    stock_tool("featurization_to_sample", tmp_path / "in", "0.00125", 7, 10023, tmp_path / "out.sample")
    stock = SampleFile.decode((tmp_path / "out.sample").read_bytes())
    assert stock.featurization == value
    assert stock.runtime_s == pytest.approx(0.00125)
    assert (stock.pipeline_id, stock.schedule_id) == (7, 10023)
    assert stock.encode() == (tmp_path / "out.sample").read_bytes()


def test_the_stock_tool_learns_from_our_files(store: Store, tmp_path: Path) -> None:
    other = PipelineRecord.of(replace(SPEC, hlpipe=b"another"))
    store.add_pipeline(other)
    for number in range(16):
        store.add(sample(number))
        changed = featurization(number, stages=5, pipeline_seed=1)
        store.add(replace(sample(number, pipeline=other), featurization=changed))
    for pipeline in (PIPELINE, other):
        assert export_samples(store, pipeline.hash, MACHINE.key, tmp_path / "out") == 16
    files = sorted((tmp_path / "out").iterdir())
    printed = stock_tool(
        "adams2019_retrain_cost_model",
        "--epochs=2",
        "--rates=0.0001",
        "--num_cores=2",
        "--randomize_weights=1",
        f"--weights_out={tmp_path / 'out.weights'}",
        f"--best_benchmark={tmp_path / 'benchmark'}",
        f"--best_schedule={tmp_path / 'schedule'}",
        given="".join(f"{file}\n" for file in files),
    )
    assert "Distinct pipelines: 2" in printed
    assert "Best runtime is 1 msec" in printed
    losses = [float(text) for text in re.findall(r"Loss: (\S+)", printed)]
    assert len(losses) == 2 and np.isfinite(losses).all()
    read_weights(tmp_path / "out.weights")


def test_export_and_import(store: Store, tmp_path: Path) -> None:
    store.add_all([sample(1), sample(1, cost(5e-4), when=9), sample(2)])
    store.add_all([replace(sample(3), featurization=None), sample(4, Failure(stage="run", kind="crash", message=""))])
    store.add(sample(5, machine=OTHER_MACHINE))
    assert export_samples(store, *KEYS, tmp_path / "out") == 2
    files = sample_files([tmp_path / "out"])
    result = import_samples(store, files, MACHINE)
    imported = featurization(1).pipeline_hash
    assert (result.pipelines, result.added, result.known, result.skipped) == ({imported: 2}, 2, 0, ())
    assert stored.pipeline(store, imported).spec is None
    back = {one.schedule_hash: one for one in stored.samples(store, imported, MACHINE.key)}
    assert set(back) == {featurization(1).schedule_hash, featurization(2).schedule_hash}
    assert all(one.schedule is None for one in back.values())
    again = back[featurization(1).schedule_hash]
    assert again.featurization == featurization(1)
    assert isinstance(again.measurement, Cost)
    assert again.measurement.repeats == (pytest.approx(5e-4),)
    assert again.measured_at_s == files[0].stat().st_mtime or again.measured_at_s == files[1].stat().st_mtime
    [best, _] = store.best(imported, MACHINE.key, 10)
    assert best.schedule is None


def test_importing_again_adds_nothing(store: Store, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.sample", featurization(n)) for n in range(3)]
    assert import_samples(store, files, MACHINE).added == 3
    result = import_samples(store, files, MACHINE)
    assert (result.added, result.known, store.count()) == (0, 3, 3)


def test_different_pipelines_under_one_id_are_told_apart(store: Store, tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"batch_1_0/{number}/a.sample", featurization(number, pipeline_seed=number % 2))
    result = import_samples(store, sample_files([tmp_path]), MACHINE)
    assert sorted(result.pipelines.values()) == [2, 2]
    for key in result.pipelines:
        [data] = store.training_data(key, MACHINE.key)
        assert len(data.costs) == 2


def test_damaged_files_are_named_and_skipped(store: Store, tmp_path: Path) -> None:
    good = write(tmp_path / "loop/good.sample", featurization(1))
    content = good.read_bytes()
    nan = np.full(326, np.nan, dtype="<f4").tobytes() + struct.pack("<fii", 1, 0, 0)
    bad = {
        "empty": (b"", "wrong size"),
        "tail": (content[-12:], "wrong size"),
        "short": (content[:-1], "1304 bytes per stage and 12 more; found 3923 bytes"),
        "long": (content + b"x", "wrong size"),
        "zero": (content[:-12] + struct.pack("<fii", 0, 1, 1), "bad running time"),
        "infinite": (content[:-12] + struct.pack("<fii", float("inf"), 1, 1), "bad running time"),
        "nan": (nan, "not finite"),
    }
    for name, (data, _) in bad.items():
        (tmp_path / f"loop/{name}.sample").write_bytes(data)
    (tmp_path / "loop/folder.sample").mkdir()
    result = import_samples(store, sample_files([tmp_path / "loop"]), MACHINE)
    assert result.added == 1
    reasons = {path.stem: reason for path, reason in result.skipped}
    assert set(reasons) == {*bad, "folder"}
    for name, (_, text) in bad.items():
        assert text in reasons[name]


def test_nothing_there(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, found in ((tmp_path / "empty", "none"), (tmp_path / "missing", "no such path")):
        with pytest.raises(InputError, match=f"no samples here(.|\n)*{found}"):
            sample_files([path])
    with pytest.raises(InputError, match="nothing to export"):
        export_samples(store, *KEYS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    store.add(sample(1))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write here"):
        export_samples(store, *KEYS, tmp_path / "file" / "below")
