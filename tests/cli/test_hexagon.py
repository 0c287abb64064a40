"""The commands with `--target hexagon`, end to end, on a small image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.machine.hexagon import pipelines
from tests.machine.opened import needs_hexagon

ON_DSP = ("--target", "hexagon", "--size", "256x64", "--beam-size", 2)


def done(hltune: Run, *arguments: object) -> Any:
    result = hltune(*arguments, "--json")
    assert result.code == 0, result.err
    return result.document


@pytest.mark.long
@needs_hexagon
def test_compare_counts_packets(hltune: Run) -> None:
    document = done(hltune, "compare", "median3x3", *ON_DSP)
    assert document["unit"] == "packets" and "hvx_v66" in document["target"]
    rows = {row["name"]: row for row in document["schedules"]}
    assert rows["expert"]["cost"] < rows["default"]["cost"] / 10
    counters = rows["expert"]["counters"]
    assert counters["packets"] == rows["expert"]["cost"] and counters["hvx_instructions"] > 0
    assert {"instructions", "allocations", "peak_heap_bytes"} <= counters.keys()
    table = hltune("compare", "median3x3", *ON_DSP).out
    assert "packets issued (QEMU)" in table and "time" not in table


@needs_hexagon
@pytest.mark.long
def test_tune_then_export(hltune: Run, tmp_path: Path) -> None:
    tuned = done(hltune, "tune", "sobel", *ON_DSP, "--samples", 30)
    assert tuned["unit"] == "packets" and isinstance(tuned["best"]["cost"], int)
    assert tuned["measured"] >= 30
    found = done(hltune, "samples", "best", "sobel")
    assert found["unit"] == "packets" and found["schedules"][0]["cost"] == tuned["best"]["cost"]
    # On this machine nothing is known of it.
    elsewhere = hltune("export", "sobel", "--size", "256x64", "-o", "out", "--json")
    assert elsewhere.code == 2 and "no schedule is known" in elsewhere.err
    files = done(hltune, "export", "sobel", "--target", "hexagon", "--size", "256x64", "-o", "out")["files"]
    names = {Path(file).name for file in files}
    assert {"sobel.schedule.json", "sobel.o", "sobel.h", "sobel_offload.o", "sobel_offload.h"} <= names
    kinds = {name: elf_machine(tmp_path / "out" / name) for name in ("sobel.o", "sobel_offload.o")}
    assert kinds == {"sobel.o": 164, "sobel_offload.o": 183}  # EM_HEXAGON, EM_AARCH64


def elf_machine(path: Path) -> int:
    header = path.read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    return int.from_bytes(header[18:20], "little")


def test_doctor_names_the_tools(hltune: Run) -> None:
    findings = {finding["name"]: finding for finding in hltune("doctor", "--json").document["findings"]}
    for name in ("Hexagon compiler", "Hexagon emulator", "Hexagon: fixed addresses"):
        assert findings[name]["ok"] or findings[name]["todo"]


def test_without_tools_the_message_says_how_to_get_them(hltune: Run, tmp_path: Path) -> None:
    """An empty `PATH` hides the emulator; everything up to measuring works."""
    result = hltune("compare", "sobel", *ON_DSP, environment={"PATH": str(tmp_path)})
    assert result.code == 2
    assert "apt-get install qemu-user-static" in result.err


@needs_hexagon
@pytest.mark.long
def test_no_schedule_gives_the_dsp_a_function(hltune: Run) -> None:
    """Nor is the default one what is left."""
    pipeline = f"{Path(pipelines.__file__)}:angles"
    result = hltune("schedule", pipeline, "--target", "hexagon", "--autoscheduler", "mullapudi2016", "--json")
    error = result.document["error"]
    assert result.code == 1 and "nor does the default one, which calls the same functions" in error["what"]
    assert "no such function: atan2f" in error["found"] and "compute without these functions" in error["todo"]
