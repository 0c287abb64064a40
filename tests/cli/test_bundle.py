"""Bundles from the command line: for this machine, and for another processor, in an emulator."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hltune.bundle.manifest import Manifest
from hltune.bundle.packing import read_manifest
from hltune.bundle.results import checksum, start_of_checks
from hltune.commands import bundle as command
from hltune.machine.options import MeasureOptions
from hltune.runtime.c_compilers import find_zig
from hltune.schedule.repair import repaired
from hltune.values.provenance import REPAIR, Mutated
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.lines import read_lines
from hltune.workspace.tunings import TuningCommand
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
    made = hltune("bundle", "make", *SMALL, "-n", 7, "--seed", 3, "-o", "b.zip", "--json")
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
    (noted,) = (tmp_path / ".hltune").rglob("tunings.jsonl")
    assert [each.seed for each in read_lines(noted, TuningCommand)] == [3]  # by which `reproduce` finds the inputs
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
    assert hltune("bundle", "best", "dilate3x3", "--json").document["devices"] == known
    nobody = hltune("bundle", "best", "sobel")
    assert nobody.code == 2 and "one of dilate3x3" in nobody.err
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
    # The line may be one that does not repeat, or that shows it of another.
    lines_read, all_lines = (each["good"] + each["refuted"] for each in (partly.document, document))
    assert lines_read == all_lines - 1 and partly.document["added"] == partly.document["good"]


def results_on(cpu: str, manifest: Manifest, outcomes: dict[int, str]) -> bytes:
    """What the runner writes on a device: what came of candidates, by their numbers."""
    device = f'"device":{{"cpu":"{cpu}","board":"","cores":2,"threads":2,"libc":"glibc","kernel":"Linux 6"}}'
    start = checksum(manifest.id.encode())
    first = f'{{"format":"hltune bundle results","version":2,"bundle":"{manifest.id}",{device},"started_s":1.5'
    lines = [f'{first},"check":"{checksum(first.encode(), start):016x}"}}']
    start = start_of_checks(lines[0].encode(), manifest.id, version=2)
    for number, outcome in outcomes.items():
        schedule = next(each.short_hash for each in manifest.entries if each.number == number)
        text = f'{{"candidate":{number},"schedule":"{schedule}","pass":1,"at_s":{number + 2.5},{outcome}'
        lines.append(f'{text},"check":"{checksum(text.encode(), start):016x}"}}')
    return "".join(f"{each}\n" for each in lines).encode()


def manifest_of(bundle: Path) -> Manifest:
    return Manifest.decode(read_manifest(bundle), where=str(bundle))


def timed(seconds: float) -> str:
    return f'"turns_s":[[{seconds}]],"best_s":{seconds},"pruned":false'


OUTSIDE = (
    '"failed":{"stage":"run","kind":"error",'
    '"message":"Input buffer b0 is accessed at 130, which is beyond the max (127) in dimension 0"}'
)


def repairs(manifest: Manifest) -> list[str]:
    """Hashes of what candidates are repairs of."""
    origins = [each.candidate.provenance for each in manifest.entries]
    return [each.parent for each in origins if isinstance(each, Mutated) and each.changes == (REPAIR,)]


def test_a_second_device_begins_with_what_is_known(hltune: Run, tmp_path: Path) -> None:
    """Though everything was measured on the first one."""

    def make(file: str, *more: object) -> tuple[Any, Manifest, str]:
        result = hltune("bundle", "make", *SMALL, "-o", file, "--json", *more)
        assert result.code == 0, result.err
        return result.document, manifest_of(tmp_path / file), result.err

    def read(cpu: str, manifest: Manifest, outcomes: dict[int, str]) -> Any:
        (tmp_path / "results.json").write_bytes(results_on(cpu, manifest, outcomes))
        return hltune("bundle", "read", "results.json", "--json").document

    document, manifest, said = make("a.zip", "-n", 12)
    known = set(document["known"])
    assert len(known) > 3 and "learns from" not in said
    fast, *others = (each for each in manifest.entries if each.name is None)
    outside = next(each for each in others if [*repaired(each.candidate.schedule)])
    outcomes = {each.number: timed(0.1 if each is fast else 0.2) for each in manifest.entries}
    read("first", manifest, {**outcomes, outside.number: OUTSIDE})
    document, manifest, said = make("b.zip", "-n", 4)
    assert repairs(manifest) == [schedule_hash(outside.candidate.schedule)]
    assert (document["number"], document["known"]) == (2, [])
    assert "learns from what was measured on first" in said and "--device new" in said
    document, manifest, said = make("c.zip", "-n", 12, "--device", "new")
    assert (document["number"], document["device"], set(document["known"])) == (1, None, known)
    assert fast.candidate.schedule in [each.candidate.schedule for each in manifest.entries]
    assert "learns from" not in said
    (expert,) = [each for each in manifest.entries if each.name == "expert"]
    second = read("second", manifest, {expert.number: timed(0.3)})
    document, manifest, said = make("d.zip", "-n", 12, "--device", second["machine"]["key"])
    assert repairs(manifest) == []  # that failed on the other one
    assert (document["number"], set(document["known"])) == (2, known - {"expert"})
    assert fast.candidate.schedule in [each.candidate.schedule for each in manifest.entries]
    assert "learns from" not in said


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
