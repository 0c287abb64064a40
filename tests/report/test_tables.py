"""What people and scripts see of benchmarks, schedules, comparisons, runs and errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from hltune.cli.main import run_command_line
from hltune.commands.compare import Comparison
from hltune.commands.export import Exported
from hltune.commands.run import Ran
from hltune.commands.schedule import Scheduled
from hltune.commands.tune import Tuning
from hltune.machine.protocol import Finding
from hltune.machine.tolerance import Tolerance, exact
from hltune.machine.verify import Verification
from hltune.report import documents, tables
from hltune.report.layout import print_lines
from hltune.report.tune import document as tune_document
from hltune.report.tune import print_tuned
from hltune.suite.benchmark import Benchmark, Group
from hltune.values.cost import Prediction
from hltune.values.errors import HltuneError
from tests.report.conftest import dumped, shown
from tests.report.values import (
    CANDIDATE,
    CRASH,
    PACKETS,
    SUBJECT,
    TIMEOUT,
    TUNED,
    compared,
    cost,
    counted,
    packets,
    row,
    scheduled,
)

SUITE = (
    Benchmark(name="blur", summary="3 x 3 means", module="m", group=Group.HEXAGON, width=1536, height=2560),
    Benchmark(name="sobel", summary="edges", module="m", group=Group.HEXAGON, width=64, height=48),
    Benchmark(name="hist", summary="a histogram", module="m", group=Group.APPS, width=64, height=48),
)
FINDINGS = [
    Finding(name="Halide", ok=True, required=True, found="21.0.0"),
    Finding(name="QEMU", ok=False, required=False, found="no qemu-hexagon", todo="install qemu-user"),
    Finding(name="compiler", ok=False, required=True, found="none", todo="install g++"),
]
RAN = Ran(pipeline="blur", schedule="tuned", files=(Path("a.png"), Path("b.npy")), sizes=("64x48", "3x64x48"))
EXPORTED = Exported(pipeline="blur", schedule="expert", files=(Path("out/blur.o"), Path("out/blur.h")))


def test_benchmarks(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: tables.print_benchmarks(console, SUITE)) == snapshot(name="text")
    assert dumped(documents.benchmarks(SUITE)) == snapshot(name="json")


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(scheduled(), id="timed"),
        pytest.param(scheduled(packets(1_200_000)), id="counted"),
        pytest.param(scheduled(packets(1_200_000, line_misses=777)), id="counted with misses"),
        pytest.param(scheduled(None), id="not measured"),
        pytest.param(replace(scheduled(None), unit=PACKETS), id="not counted"),
        pytest.param(replace(scheduled(None), predicted=Prediction(seconds=1.5e-3, factor=1.4)), id="ranked"),
        pytest.param(scheduled(candidate=replace(CANDIDATE, search_s=None, predicted_ms=None)), id="not searched"),
    ],
)
def test_scheduled(outcome: Scheduled, snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: tables.print_scheduled(console, outcome)) == snapshot(name="text")
    assert dumped(documents.scheduled(outcome)) == snapshot(name="json")


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(compared(), id="timed"),
        pytest.param(compared(bound=None), id="no bound"),
        pytest.param(counted(), id="counted"),
        pytest.param(counted(line_misses=777), id="counted with misses"),
        pytest.param(replace(compared(), rows=(row("default", CRASH),)), id="nothing works"),
    ],
)
def test_compared(result: Comparison, snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: tables.print_comparison(console, result)) == snapshot(name="text")
    assert dumped(documents.comparisons([result], {})) == snapshot(name="json")


def test_several_comparisons(snapshot: SnapshotAssertion) -> None:
    failed = {"broken": HltuneError("it does not compile")}
    assert dumped(documents.comparisons([compared(), compared(bound=None)], failed)) == snapshot


def test_findings(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: tables.print_findings(console, FINDINGS)) == snapshot(name="text")
    assert dumped(documents.findings(FINDINGS)) == snapshot(name="json")
    assert documents.findings(FINDINGS[:2])["usable"]


def test_ran(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: tables.print_ran(console, RAN)) == snapshot(name="text")
    assert dumped(documents.ran(RAN)) == snapshot(name="json")


def test_exported(snapshot: SnapshotAssertion) -> None:
    assert shown(lambda console: print_lines(console, *EXPORTED.files)) == snapshot(name="text")
    assert dumped(documents.exported(EXPORTED)) == snapshot(name="json")


def test_an_error(snapshot: SnapshotAssertion, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["benchmark", "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.err == snapshot(name="text")
    assert printed.out == snapshot(name="json")


ROUNDED = Tolerance(
    output="out",
    levels=(1.0,),
    allowed=((0, 0, 0),),
    text="equal, but 0.3% of the elements may be off by up to 1",
    reason="floats take part; the reference differs from itself by up to 1 in 0.1% (every Func at root)",
)
VERIFIED = Verification(
    reference="everything inlined",
    confirmed_by="every Func at root",
    outputs=(ROUNDED, exact("counts", np.zeros((3, 4), np.uint8))),
)


def test_documents_name_the_ties_that_the_terminal_names() -> None:
    fast, slow = cost(*[1e-3] * 5), cost(*[2e-3] * 5)
    rows = (row("tuned", fast), row("close", fast), row("slow", slow), row("mine", CRASH))
    compare, tune = replace(compared(), rows=rows), replace(TUNED, finals=replace(TUNED.finals, rows=rows))
    assert documents.comparisons([compare], {})["ties"] == ["close"]
    assert tune_document(Tuning(results=(tune,), failed={}), Path("store"))["ties"] == ["close"]
    for text in (
        shown(lambda console: tables.print_comparison(console, compare)),
        shown(lambda console: print_tuned(console, tune, ())),
    ):
        assert "a tie with the first one, as far as these turns can tell: close" in text


@pytest.mark.parametrize("command", ["schedule", "compare", "tune"])
def test_the_tolerance_is_printed_with_its_reason(command: str) -> None:
    if command == "schedule":
        text = shown(lambda console: tables.print_scheduled(console, replace(scheduled(), verification=VERIFIED)))
    elif command == "compare":
        text = shown(lambda console: tables.print_comparison(console, replace(compared(), verification=VERIFIED)))
    else:
        text = shown(lambda console: print_tuned(console, replace(TUNED, verification=VERIFIED), ()))
    printed = [line for line in text.splitlines() if line.startswith("tolerance")]
    assert printed == [f"tolerance of out: {ROUNDED.text} ({ROUNDED.reason})"]


@pytest.mark.parametrize(("alone", "code"), [(True, 1), (False, 0)])
def test_the_default_schedule_alone_is_no_success(
    alone: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = (row("adams2019", TIMEOUT), row("mine", CRASH if alone else cost(2e-3)))
    result = replace(compared(), rows=(row("default", cost(1e-3)), *others))
    monkeypatch.setattr("hltune.commands.survivors.load_subjects", lambda *_: [SUBJECT])
    monkeypatch.setattr("hltune.commands.compare.compare", lambda *_, **__: result)
    assert run_command_line(["compare", "blur.py", "--workspace", str(tmp_path)]) == code
    assert ("no schedule of blur works: what is above says why" in capsys.readouterr().out) == alone
