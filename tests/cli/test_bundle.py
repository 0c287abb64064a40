"""Bundles from the command line: for this machine, and for another processor, in an emulator."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hltune.commands import bundle as command
from hltune.machine.hexagon.toolchain import find_zig
from hltune.machine.options import MeasureOptions
from tests.cli.conftest import PIPELINES, Run

QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
SMALL = ("dilate3x3", "--size", "128x96", "--beam-size", 1, "--search-timeout", 20, "--max-parallelism", 2)


def unpack(folder: Path, file: str) -> Path:
    shutil.unpack_archive(folder / file, folder / "device")
    return folder / "device"


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a schedule is repeated for on the device; no flag says it."""
    make = command.make

    def quick(*arguments: Any, measure: MeasureOptions, **others: Any) -> command.Made:
        return make(*arguments, measure=replace(measure, turn_s=0.02), **others)

    monkeypatch.setattr(command, "make", quick)


@pytest.mark.usefixtures("short_turns")
def test_rounds_of_bundles(hltune: Run, tmp_path: Path) -> None:
    made = hltune("bundle", "make", *SMALL, "-n", 7, "-o", "b.zip", "--json")
    assert made.code == 0, made.err
    first = made.document
    assert (first["number"], first["candidates"], first["device"]) == (1, 7, None)
    assert {"simple", "expert", "adams2019", "mullapudi2016", "default"} <= set(first["known"])
    device = unpack(tmp_path, "b.zip")
    subprocess.run(["sh", "run.sh"], cwd=device, check=True, timeout=120, stdout=subprocess.DEVNULL)
    read = hltune("bundle", "read", "device/results.json", "--json")
    assert read.code == 0, read.err
    document = read.document
    assert (document["missing"], document["problems"], document["measured"]) == (0, [], 7)
    assert document["added"] == document["good"] > 7
    assert "bundle runner" in document["machine"]["conditions"]
    schedule = next(path for path in document["files"] if path.endswith(".json"))
    again = hltune("bundle", "read", "device/results.json", "--json").document
    assert (again["added"], again["measured"]) == (0, 7)
    exported = hltune(
        "export", *SMALL[:3], "--max-parallelism", 2, "--schedule", schedule, "-o", "out", "--format", "cpp"
    )
    assert exported.code == 0, exported.err

    second = hltune("bundle", "make", *SMALL, "-n", 4, "-o", "c.zip", "--json").document
    assert (second["number"], second["known"], second["measured"]) == (2, [], 7)
    assert second["device"]["key"] == document["machine"]["key"]
    known = hltune("bundle", "best", "--json").document["devices"]
    assert [each["pipeline"] for each in known] == ["dilate3x3"]
    assert known[0]["best"][0]["ms"] == document["best"][0]["ms"]
    text = hltune("bundle", "best").out
    assert schedule in text and "hltune export" in text

    refused = hltune("bundle", "read", "device/results.json", "--workspace", "other")
    assert refused.code == 2 and "--bundle FILE" in refused.err
    found = hltune("bundle", "read", "device/results.json", "--workspace", "other", "--bundle", "b.zip", "--json")
    assert found.code == 0 and found.document["added"] == document["good"]
    wrong = hltune("bundle", "read", "device/results.json", "--bundle", "c.zip")
    assert wrong.code == 2 and "another bundle" in wrong.err
    lines = (device / "results.json").read_text().splitlines(keepends=True)
    (tmp_path / "bad.json").write_text("".join([*lines[:3], lines[3].replace("best_s", "best_5"), *lines[4:]]))
    partly = hltune("bundle", "read", "bad.json", "--workspace", "third", "--bundle", "b.zip", "--json")
    assert partly.code == 1 and "line 4: the line was changed" in partly.err
    assert partly.document["added"] == document["good"] - 1


@pytest.mark.long
@pytest.mark.skipif(QEMU is None, reason="needs QEMU's user mode: apt-get install qemu-user-static")
@pytest.mark.skipif(find_zig() is None, reason="needs a C compiler for the target: pip install ziglang")
def test_a_bundle_for_another_processor(hltune: Run, tmp_path: Path) -> None:
    """Of integers and floats, with inputs of every type."""
    assert QEMU is not None
    pipeline = f"{PIPELINES / 'many_types.py'}:many_types"
    flags = (
        "-p",
        "width=400",
        "--target",
        "arm-64-linux",
        "-n",
        4,
        "--beam-size",
        1,
        "--max-parallelism",
        2,
        "--search-timeout",
        20,
    )
    made = hltune("bundle", "make", pipeline, *flags, "-n", 4, "-o", "b.zip", "--json")
    assert made.code == 0, made.err
    assert (made.document["compiler"], made.document["candidates"]) == ("zig", 4)
    device = unpack(tmp_path, "b.zip")
    (device / "run").chmod(0o755)
    done = subprocess.run([QEMU, "./run"], cwd=device, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    read = hltune("bundle", "read", "device/results.json", "--json")
    assert read.code == 0, read.err
    document = read.document
    assert (document["missing"], document["failures"], document["measured"]) == (0, [], 4)
    assert document["machine"]["target"] == "arm-64-linux"
    assert "C library: other" in document["machine"]["conditions"]


def test_bad_input(hltune: Run, tmp_path: Path) -> None:
    for words, text in (
        (("make", "median3x3", "-n", 0, "-o", "b.zip"), "-n: option out of range"),
        (("make", "median3x3", "-o", "b.zip", "--target", "hexagon"), "there are no bundles for this target"),
        (("make", "median3x3", "-o", "b.zip", "--device", "k"), "no results of such a device"),
        (("read", "nothing.json"), "cannot read the results"),
    ):
        result = hltune("bundle", *words)
        assert result.code == 2 and text in result.err, result.err
    (tmp_path / "results.json").write_text("no\n")
    result = hltune("bundle", "read", "results.json")
    assert result.code == 2 and "this is no file of results" in result.err
