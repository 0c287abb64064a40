"""`hltune samples` end to end."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hltune.cli.main import run_command_line
from hltune.commands.samples import chosen_machine
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.values.errors import Failure, InputError
from hltune.values.machine_id import MachineId
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace
from tests.samples.values import MACHINE, OTHER_MACHINE, PIPELINE, SPEC, featurization, sample
from tests.tuning.conftest import load

CRASH = Failure(stage="compile", kind="crash", message="ended by SIGSEGV")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """With three samples of one pipeline on one machine and one on another."""
    folder = tmp_path / "ws"
    with Store(Workspace(folder).samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PIPELINE)
        store.add_all([sample(1), sample(2), sample(3, CRASH), sample(4, machine=OTHER_MACHINE)])
    return folder


def run(workspace: Path, capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """Runs a command with --json and returns its document."""
    assert run_command_line(["samples", *map(str, arguments), "--workspace", str(workspace), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_stats(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(workspace, capsys, "stats")
    found = {each["machine"]["key"]: each for each in document["pipelines"]}
    first = found[MACHINE.key]
    assert (first["unit"], first["pipeline"], first["hash"]) == ("ms", "blur", PIPELINE.hash)
    assert (first["samples"], first["schedules"], first["failed"]) == (3, 3, {"compile": 1})
    assert (first["best"], first["median"], first["slowest"]) == (2.0, 2.5, 3.0)
    assert (first["first"], first["last"]) == ("1970-01-01T00:16:41Z", "1970-01-01T00:16:43Z")
    assert found.keys() == {MACHINE.key, OTHER_MACHINE.key}


def test_best(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(workspace, capsys, "best", "blur", "--machine", MACHINE.key[:4])
    assert [row["cost"] for row in document["schedules"]] == [2.0, 3.0]
    assert document["schedules"][0]["schedule"] == [{"op": "unroll", "func": "out", "var": "x1"}]
    assert document["schedules"][0]["search"] == {
        "kind": "searched",
        "autoscheduler": "Adams2019",
        "weights": "f" * 64,
        "beam_size": "1",
    }


def test_delete(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(workspace, capsys, "delete", PIPELINE.hash[:8], "--machine", MACHINE.key)
    assert (document["pipeline"], document["samples"], document["schedules"]) == ("blur", 3, 3)
    assert run(workspace, capsys, "delete", "blur")["samples"] == 1
    assert run(workspace, capsys, "stats")["pipelines"] == []


def test_featurize(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was measured gets features, once; what Halide refuses has none, with the reason."""
    blur = load("blur")
    texts = ("", "blurred.parallel(y);", "blurred.vectorize(y);")
    machine = replace(MACHINE, target=blur.target.name)
    with Store(Workspace(tmp_path).samples, progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PipelineRecord.of(blur.spec))
        for text in texts:
            schedule = parse_schedule(text, blur.spec.funcs)
            one = replace(sample(1, machine=machine), pipeline_hash=blur.spec.content_hash)
            store.add(replace(one, schedule=schedule, featurization=None))
    for attempt in range(3):
        if attempt == 2:  # what is damaged is lowered anew
            with sqlite3.connect(Workspace(tmp_path).samples) as connection:
                connection.execute("UPDATE programs SET data = x'00ff'")
        (row,) = run(tmp_path, capsys, "featurize")["pipelines"]
        assert (row["pipeline"], row["programs"]) == (blur.spec.name, 2)
        ((reason, count),) = row["failed"].items()
        assert count == 1 and "vectorize" in reason
    assert run(tmp_path, capsys, "featurize", "blurred", "--machine", "0000", code=2)
    with sqlite3.connect(Workspace(tmp_path).samples) as connection:
        connection.execute("UPDATE pipelines SET hlpipe = x'1234'")
        connection.execute("DELETE FROM programs")
    assert "another algorithm" in run(tmp_path, capsys, "featurize", code=1)["error"]["found"]


def test_what_cannot_be_lowered_keeps_nobody_from_lowering_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blur = load("blur")
    here, unknown = (replace(MACHINE, target=name) for name in (blur.target.name, "x86-99-linux"))
    with Store(Workspace(tmp_path).samples, progress=Silent(), wait_s=0) as store:
        for spec, machine in ((SPEC, here), (blur.spec, unknown), (blur.spec, here)):
            store.add_pipeline(PipelineRecord.of(spec))
            one = replace(sample(1, machine=machine), pipeline_hash=spec.content_hash, featurization=None)
            store.add(replace(one, schedule=parse_schedule("blurred.parallel(y);", blur.spec.funcs)))
    with sqlite3.connect(Workspace(tmp_path).samples) as connection:
        connection.execute("UPDATE pipelines SET hlpipe = x'1234' WHERE hash = ?", (PIPELINE.hash,))
    rows = run(tmp_path, capsys, "featurize")["pipelines"]
    assert sorted((row["pipeline"], row["programs"], [*row["failed"].values()]) for row in rows) == [
        ("blur", 0, [1]),
        (blur.spec.name, 0, [1]),
        (blur.spec.name, 1, []),
    ]


def test_a_store_without_samples_says_so(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(workspace, capsys, "delete", PIPELINE.hash)
    for command in ("stats", "featurize"):
        assert run_command_line(["samples", command, "--workspace", str(workspace)]) == 0
        assert "no samples yet" in capsys.readouterr().out


def test_a_machine_that_is_not_there_is_asked_for_without_a_hole() -> None:
    with pytest.raises(InputError, match="there are no samples") as raised:
        chosen_machine([], None, what="samples of this pipeline", where="there")
    assert raised.value.expected is None and raised.value.todo == "tune it here first"


def test_export_and_import(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(workspace, capsys, "export", "blur", "--machine", MACHINE.key, "-o", tmp_path / "out")
    assert document["files"] == len(list((tmp_path / "out").glob("*.sample"))) == 2
    (tmp_path / "out" / "bad.sample").write_bytes(b"x")
    document = run(tmp_path / "other", capsys, "import", tmp_path / "out", "--max-parallelism", 3)
    assert (document["added"], document["known"], document["machine"]["threads"]) == (2, 0, 3)
    assert document["skipped"] == [
        {
            "file": str(tmp_path / "out" / "bad.sample"),
            "reason": "wrong size; expected 1304 bytes per stage and 12 more; found 1 bytes",
        }
    ]
    [pipeline] = document["pipelines"]
    assert (pipeline["hash"], pipeline["files"]) == (featurization(1).pipeline_hash, 2)
    assert run(tmp_path / "other", capsys, "best", pipeline["hash"][:6])["schedules"][0]["schedule"] is None


def test_nothing_usable_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.sample").write_bytes(b"x")
    document = run(tmp_path / "ws", capsys, "import", tmp_path / "bad.sample", code=2)
    assert document["error"]["what"] == "no file could be used"
    assert document["error"]["found"].startswith(f"{tmp_path / 'bad.sample'}: wrong size")
    assert run(tmp_path / "ws", capsys, "stats")["pipelines"] == []


def test_people_see_tables(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--workspace", str(workspace)]
    texts = {
        ("stats",): [f"machine {MACHINE.key}: some CPU, 2 threads", "blur", "2.500", "failed: 1 in compile"],
        ("best", "blur", "--machine", MACHINE.key): ["time/ms", "2.000", "beam_size 1"],
        ("export", "blur", "--machine", MACHINE.key, "-o", str(tmp_path / "out")): ["2 .sample files of blur"],
        ("import", str(tmp_path / "out")): ["2 added, 0 known already, 0 files skipped"],
        ("delete", "blur"): ["deleted 4 samples of 4 schedules of blur"],
    }
    for arguments, expected in texts.items():
        assert run_command_line(["samples", *arguments, *place]) == 0
        printed = capsys.readouterr().out
        for text in expected:
            assert text in printed


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("best", "sobel"), ["there are no samples of this pipeline", "one of blur", "sobel"]),
        (("best", ""), ["there are no samples of this pipeline"]),
        (("best", "blur"), ["which machine is not clear", MACHINE.key, OTHER_MACHINE.key]),
        (("best", "blur", "--machine", "ffff"), ["no samples of this pipeline on this machine", MACHINE.key]),
        (("export", "blur", "--machine", MACHINE.key, "-o", "/proc/hltune"), ["cannot write here"]),
        (("delete", "sobel"), ["there are no samples of this pipeline"]),
        (("import", "nowhere"), ["no samples here", "no such path"]),
    ],
)
def test_bad_input(
    workspace: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], texts: list[str]
) -> None:
    assert run_command_line(["samples", *arguments, "--workspace", str(workspace)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("error: ") == 1
    for text in texts:
        assert text in printed.err


@pytest.mark.parametrize("arguments", [("stats",), ("best", "blur"), ("delete", "blur"), ("import", "nowhere")])
def test_nothing_is_made_where_nothing_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run_command_line(["samples", *arguments, "--workspace", str(tmp_path / "ws")]) == 2
    assert "samples here" in capsys.readouterr().err
    assert not (tmp_path / "ws").exists()


def test_a_fingerprint_becomes_a_machine() -> None:
    machine = MachineId(cpu="a", target="b", threads=3, halide="21.0.0")
    info = machine
    assert (info.key, info.cpu, info.target, info.threads, info.halide) == (machine.key, "a", "b", 3, "21.0.0")


def test_failures_are_counted_by_their_reason(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = [replace(CRASH, kind="timeout", message=f"took longer than its limit of {limit} s") for limit in (4.5, 20)]
    with Store(Workspace(workspace).samples, progress=Silent(), wait_s=0) as store:
        store.add_all([sample(number, failure) for number, failure in enumerate(late, start=5)])
    asked = ("failures", "blur", "--machine", MACHINE.key)
    failures = run(workspace, capsys, *asked)["failures"]
    found = [(each["count"], each["stage"], each["message"]) for each in failures]
    # The newest of each reason.
    assert failures[0]["hash"] == sample(6, late[1]).schedule_hash
    ids = [each["hash"][:12] for each in failures]
    text = "took longer than its limit of N s (--compile-timeout)"
    assert found == [(2, "compile", text), (1, "compile", "ended by SIGSEGV")]
    assert run_command_line(["samples", *asked, "--workspace", str(workspace)]) == 0
    lines = capsys.readouterr().out.splitlines()
    newest = text.replace(" N ", " 20 ")
    assert lines == [
        f"2 in compile, the newest (schedule {ids[0]}): {newest}",
        f"1 in compile (schedule {ids[1]}): ended by SIGSEGV",
    ]
    elsewhere = ["samples", "failures", "blur", "--machine", OTHER_MACHINE.key, "--workspace", str(workspace)]
    assert run_command_line(elsewhere) == 0
    assert capsys.readouterr().out == "no schedule of blur has failed\n"
