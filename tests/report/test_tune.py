"""What people and scripts see of tuning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from hltune.commands.tune import Tuning
from hltune.commands.tune_one import Tuned
from hltune.report import tune as report
from hltune.report.pictures import plot_curve
from hltune.report.tables import print_comparison
from hltune.tuning.finals import Finals
from hltune.tuning.options import Budget
from hltune.tuning.outlook import Outlook
from hltune.values.candidate import Candidate
from hltune.values.cost import Measurement
from hltune.values.directives import Parallel, Schedule, Vectorize
from hltune.values.errors import HltuneError, InputError
from hltune.values.provenance import Named
from hltune.values.reasons import reasons
from hltune.values.roles import Stage
from hltune.values.unit import MILLISECONDS
from hltune.workspace.records import Workspace
from hltune.workspace.rows import Row
from tests.report.conftest import NOW_S, dumped, shown, without_controls
from tests.report.values import (
    CRASH,
    EXPECTED,
    ROUNDS,
    STORE,
    TUNED,
    TUNED_ON_DSP,
    TUNED_WITHOUT_BASELINE,
    compared,
    cost,
    packets,
    row,
    tuned,
)
from tests.tuning.recorded import RecordedSession, decided


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(TUNED, id="timed"),
        pytest.param(TUNED_ON_DSP, id="counted"),
        pytest.param(TUNED_WITHOUT_BASELINE, id="one schedule"),
    ],
)
def test_tuned(result: Tuned, snapshot: SnapshotAssertion) -> None:
    files = (Path("blur.txt"), Path("tuning.svg"))
    assert shown(lambda console: report.print_tuned(console, result, files)) == snapshot(name="text")
    assert dumped(report.document(Tuning(results=(result,), failed={}), STORE)) == snapshot(name="json")


def test_what_was_not_compared_says_so() -> None:
    rows = (row("tuned-0123abcd", cost(1e-3), finder="tuned"), row("manual", cost(0.9e-3)))
    finals = replace(TUNED.finals, rows=rows, compared=False, stays=True, left_out=("manual",))
    result = replace(TUNED, finals=finals, again="the same command without --fresh")
    text = shown(lambda console: report.print_tuned(console, result, ()))
    assert "interleaved" not in text and "the final comparison" not in text and "not side by side" in text
    assert "which stays the fastest, by times of different moments" in text
    assert "tuned-0123abcd stays the winner, for it has won a comparison side by side" in text
    assert "the same command without --fresh, with --rounds 0, compares them, too" in text.replace("\n", " ")
    document = report.document(Tuning(results=(result,), failed={}), STORE)
    assert document["compared"] is False


def test_what_is_counted_is_compared_by_what_the_store_knows() -> None:
    stored = {name: replace(packets(number), counters=None) for name, number in {"tuned-0": 100, "manual": 150}.items()}
    rows = tuple(row(name, each) for name, each in stored.items())
    finals = Finals(rows=rows)
    text = shown(lambda console: report.print_tuned(console, replace(TUNED_ON_DSP, finals=finals), ()))
    assert "1.50 times as fast as your own schedule\nblur: the final comparison\n" in text
    assert "spread" not in text and "side" not in text and "moment" not in text
    assert re.search(r"runner-up costs +1\.50 times as much\n", text)
    assert re.search(r"stock Adams2019 costs +not counted: it took no part\n", text)


@pytest.mark.parametrize(
    ("rows", "left_out", "compared", "said"),
    [
        ((), ("adams2019", "default"), True, ("there was no time for others", "there was no time for it")),
        ((), (), True, ("nothing else was tried", "it took no part")),
        ((row("adams2019", CRASH),), (), True, ("all others failed", "it failed")),
        ((row("adams2019", cost(2e-3)),), (), False, ("there was no time for a comparison",) * 2),
    ],
)
def test_the_reason_for_no_ratio_is_the_one_of_this_run(
    rows: tuple[Row, ...], left_out: tuple[str, ...], compared: bool, said: tuple[str, str]
) -> None:
    winner = row("tuned-0123abcd", cost(1e-3), finder="tuned")
    finals = Finals(rows=(winner, *rows), left_out=left_out, compared=compared)
    text = shown(lambda console: report.print_tuned(console, replace(TUNED, finals=finals), ()))
    for name, reason in zip(("runner-up costs", "stock Adams2019 costs"), said, strict=True):
        assert re.search(rf"{name} +not measured beside the winner: {reason}\n", text)


def test_several_pipelines(snapshot: SnapshotAssertion) -> None:
    results = (TUNED, TUNED_WITHOUT_BASELINE)
    failed = {"broken": HltuneError("the pipeline does not compile", where="broken")}
    assert dumped(report.document(Tuning(results=results, failed=failed), STORE)) == snapshot


def _rounds(*, end_s: float) -> None:
    with report.show_tuning() as progress:
        progress.phase("loading blur")
        progress.begin(["blur", "sobel"], unit=MILLISECONDS, end_s=end_s)
        progress.note("[bold] is not markup")
        progress.expects("blur", EXPECTED)
        progress.phase("blur round 1")
        for done in ROUNDS:
            progress.round_done(done)


@pytest.mark.parametrize("end_s", [NOW_S + 125.6, NOW_S - 1, math.inf])
def test_rounds_in_a_log(end_s: float, snapshot: SnapshotAssertion, capsys: pytest.CaptureFixture[str]) -> None:
    _rounds(end_s=end_s)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", snapshot)


def test_tuning_goes_on_without_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> None:
        raise InputError("cannot write here", where="out.html")

    with report.show_tuning(full) as progress:
        for done in ROUNDS:
            progress.round_done(done)
    assert capsys.readouterr().err.count("note: out.html: cannot write here") == len(ROUNDS)


@pytest.mark.usefixtures("terminal")
def test_rounds_on_a_terminal(snapshot: SnapshotAssertion, capsys: pytest.CaptureFixture[str]) -> None:
    _rounds(end_s=NOW_S + 125.6)
    assert without_controls(capsys.readouterr().err) == snapshot


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_the_last_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    with report.show_tuning() as progress:
        for _ in range(13):
            progress.round_done(ROUNDS[1])
        capsys.readouterr()
        progress.phase("measuring")
        frame = without_controls(capsys.readouterr().err)
    assert frame.count("blur") == 12
    assert "measuring; 520 measured; time left -; nothing faster for 12 rounds" in frame


def test_the_curve_shows_known_schedules_and_leaves_out_pauses(tmp_path: Path) -> None:
    result = tuned(
        TUNED.subject,
        row("tuned-0123abcd", cost(1e-3), finder="tuned"),
        row("expert", cost(1.5e-3)),
        row("default", CRASH),
    )
    workspace = Workspace(tmp_path)
    paths = plot_curve(result, workspace)
    base = workspace.curve(result.subject.spec, result.machine)
    assert paths == (base.with_suffix(".svg"), base.with_suffix(".png"))
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    svg = paths[0].read_text()
    texts = re.findall(r"<!-- (.*?) -->", svg)
    assert texts[-3:] == ["samples", "best so far", "expert"]
    assert {"minutes of tuning", "cost in ms", "blur, 2 threads"} <= set(texts)
    minutes = list(map(float, ticks(svg, "x")))
    assert 1.0 <= max(minutes) <= 1.6  # 30 s, a day without measurements, 59 s
    assert ticks(svg, "y") == ["1", "2", "3", "4", "5"]


def ticks(svg: str, axis: str) -> list[str]:
    """What stands beside the marks of an axis."""
    return re.findall(rf'<g id="{axis}tick_\d+">.*?<!-- (.*?) -->', svg, re.DOTALL)


def box(svg: str, name: str) -> tuple[float, float]:
    """From where to where the first shape in a part of the picture reaches, from left to right."""
    shape = re.search(rf'<g id="{name}">.*?<path d="(.*?)"', svg, re.DOTALL)
    assert shape is not None
    across = [float(x) for x, _ in re.findall(r"([\d.]+) ([\d.]+)", shape[1])]
    return min(across), max(across)


def test_the_legend_of_the_curve_lies_on_no_sample(tmp_path: Path) -> None:
    svg = plot_curve(TUNED, Workspace(tmp_path))[0].read_text()
    left, right = box(svg, "patch_2")  # of the axes
    assert 0 < left < right < box(svg, "legend_1")[0]


def test_dollars_in_a_name_are_no_mathematics(tmp_path: Path) -> None:
    spec = replace(TUNED.subject.spec, name="a$b$c")
    result = replace(TUNED, subject=replace(TUNED.subject, spec=spec))
    svg = plot_curve(result, Workspace(tmp_path))[0].read_text()
    assert "Oblique" not in svg  # in which formulas are set


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.55, 0.95, ["0.6", "0.7", "0.8", "0.9"]),
        (0.09, 2.3, ["0.1", "0.2", "0.5", "1", "2"]),
        (0.0004, 130.0, ["0.001", "0.01", "0.1", "1", "10", "100"]),
        (8e5, 3.2e6, ["1,000,000", "1,500,000", "2,000,000", "2,500,000", "3,000,000"]),
    ],
)
def test_costs_are_plain_numbers(low: float, high: float, texts: list[str], tmp_path: Path) -> None:
    history = ((1000.0, high / 1e3), (1030.0, low / 1e3))
    finals = replace(TUNED.finals, rows=(row("tuned", cost(low / 1e3)),))
    svg = plot_curve(replace(TUNED, finals=finals, history=history), Workspace(tmp_path))[0].read_text()
    assert "10^" not in svg
    assert set(texts) <= set(ticks(svg, "y"))


def test_the_three_commonest_reasons_of_failure_are_shown() -> None:
    failures = [replace(CRASH, message=f"{name} is wrong") for name in "abbcccddddeeeee"]
    result = replace(TUNED, reasons=reasons(failures))
    text = shown(lambda console: report.print_tuned(console, result, ()))
    assert re.findall(r"\d in run, the newest: . is wrong", text) == [
        "5 in run, the newest: e is wrong",
        "4 in run, the newest: d is wrong",
        "3 in run, the newest: c is wrong",
    ]
    assert "other reasons: 2, see `hltune samples failures`" in text
    assert len(report.document(Tuning(results=(result,), failed={}), STORE)["failures"]) == 5  # type: ignore[arg-type]


def test_a_known_schedule_that_wins_is_called_by_its_name() -> None:
    expert = row("expert", cost(*[1e-3] * 6))
    result = replace(TUNED, finals=replace(TUNED.finals, rows=(expert, *TUNED.finals.rows[2:]), stays=True))
    text = shown(lambda console: report.print_tuned(console, result, ()))
    assert "expert stays the winner, for tuning has left it before, and nobody is surely faster" in text
    assert "tuned is the expert's schedule" in text
    document = report.document(Tuning(results=(result,), failed={}), STORE)
    assert (document["winner_is"], document["stays"]) == ("expert", True)
    named = report.document(Tuning(results=(TUNED,), failed={}), STORE)
    assert (named["winner_is"], named["stays"]) == (None, False)


@pytest.mark.parametrize(
    ("costs", "budget", "text"),
    [
        ((), Budget(minutes=1), "too few rounds (0) to tell; give more --minutes"),
        ((), Budget(rounds=0), "too few rounds (0) to tell; --rounds 6 in another run"),
        ((1.0,) * 3, Budget(minutes=3), "too few rounds (3) to tell; --minutes 3 in another run"),
        ((1.0,) * 5, Budget(minutes=3), "too few rounds (5) to tell; --minutes 2 in another run"),
        ((1.0,) * 3, Budget(minutes=3, rounds=3), "too few rounds (3) to tell; --rounds 3 in another run"),
        ((1.0,) * 3, Budget(samples=30), "too few rounds (3) to tell; give more --samples"),
        (
            (1.0,) * 9,
            Budget(minutes=3),
            "0.0% off the least cost came in the last half of 9 rounds, which are too few to call it done; --minutes 3",
        ),
        ((1.0,) * 16, Budget(minutes=3), "0.0% off the least cost came in the last half of 16 rounds: done"),
        (
            (4.0, 4.0, 3.0, 2.0, 1.5, 1.0),
            Budget(minutes=3),
            "66.7% off the least cost came in the last half of 6 rounds: more",
        ),
        ((None, None, None, *(1.0,) * 3), Budget(minutes=3), "nothing worked in the first half of 6 rounds: more"),
        ((None,) * 12, Budget(minutes=3), "nothing works after 12 rounds"),
    ],
)
def test_it_is_always_said_whether_more_tuning_helps(
    costs: tuple[float | None, ...], budget: Budget, text: str
) -> None:
    result = replace(TUNED, outlook=Outlook.of(costs), budget=budget, rounds=ROUNDS[1:] * len(costs))
    assert text in " ".join(shown(lambda console: report.print_tuned(console, result, ())).split())
    document: Mapping[str, Any] = report.document(Tuning(results=(result,), failed={}), STORE)
    assert document["outlook"]["summary"].startswith(text)


class NoisySession(RecordedSession):
    """One schedule is seldom faster than the other, but once by much."""

    def cost(self, schedule: Schedule) -> Measurement:
        if schedule == NEAR:
            return cost(1.5e-3, 1.9e-3, 2.1e-3, 2.02e-3, 2.02e-3, 2e-3)
        return cost(1e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3)


NEAR = Schedule((Parallel(Stage("out"), "y"),))


def test_the_ratio_to_the_runner_up_is_the_same_everywhere() -> None:
    schedules = {"adams2019": NEAR, "mine": Schedule((Vectorize(Stage("out"), "x"),))}
    references = {name: Candidate(schedule=each, provenance=Named(name=name)) for name, each in schedules.items()}
    finals = decided(NoisySession(), references, {}, (), [])
    assert [row.name for row in finals.rows] == ["mine", "adams2019"]
    assert finals.to_runner_up is not None and finals.to_runner_up.tie
    result = replace(TUNED, finals=finals)
    text = shown(lambda console: report.print_tuned(console, result, ()))
    assert re.search(r"^adams2019 .* 1\.01$", text, re.MULTILINE), text
    for who in ("runner-up", "stock Adams2019"):
        assert re.search(rf"^{who} costs +1\.01 times as much \(95% interval .*\), a tie$", text, re.MULTILINE), text
    document = report.document(Tuning(results=(result,), failed={}), STORE)
    found = finals.to_runner_up
    assert document["to_runner_up"] == document["to_baseline"] == asdict(found)
    assert document["speedup"] == pytest.approx(1.01)
    beside = replace(compared(), rows=finals.rows)
    assert re.search(r"^adams2019 .* 1\.01 ", shown(lambda console: print_comparison(console, beside)), re.MULTILINE)


@pytest.mark.parametrize(
    ("winner", "name", "said"),
    [
        (
            row("tuned-0123abcd", cost(*[1e-3] * 6), finder="tuned"),
            "expert",
            "tuned-0123abcd is the expert's schedule, written otherwise",
        ),
        (row("expert", cost(*[1e-3] * 6)), "tuned-4567abcd", "tuned-4567abcd is expert, written otherwise"),
    ],
)
def test_the_same_program_is_no_gain(winner: Row, name: str, said: str) -> None:
    twin = row(name, cost(*[1.1e-3] * 6), finder=name.partition("-")[0])
    rows = (winner, twin, row("adams2019", cost(*[2e-3] * 6)))
    finals = replace(TUNED.finals, rows=rows, same_program=(name,))
    assert finals.to_runner_up is not None and finals.to_runner_up.value > 1.5
    result = replace(TUNED, finals=finals)
    text = " ".join(shown(lambda console: report.print_tuned(console, result, ())).split())
    assert "the same program as the expert's schedule" in text and "as fast" not in text
    assert f"{said}: it is the same program, and that their costs differ is noise" in text
    document: Mapping[str, Any] = report.document(Tuning(results=(result,), failed={}), STORE)
    assert document["same_program"] == [name] and document["expert"]["tie"] is True


def test_rounds_of_earlier_runs_count() -> None:
    """Two of this run took six minutes, and there are four in all."""
    result = replace(TUNED, outlook=Outlook.of((1.0,) * 4), budget=Budget(minutes=6), rounds=ROUNDS[1:] * 2)
    text = " ".join(shown(lambda console: report.print_tuned(console, result, ())).split())
    assert "too few rounds (4) to tell; --minutes 6 in another run, which goes on from here, makes up" in text


def test_what_scorers_were_judged_on_is_said() -> None:
    done = replace(ROUNDS[1], validations=ROUNDS[1].validations[2:3], held_out=0)
    text = shown(lambda console: report.print_tuned(console, replace(TUNED, rounds=(done,)), ()))
    assert (
        "held-out" not in text and "that have not learned from it" in " ".join(text.split()) and "78% of pairs" in text
    )


def test_what_was_given_up_early_was_measured_all_the_same() -> None:
    """It is the largest gain of all; and by times of different moments, nothing is known of any."""
    slow = row("adams2019", replace(cost(6e-3), pruned=True))
    finals = Finals(rows=(row("tuned-0123abcd", cost(*[1e-3] * 9), finder="tuned"), slow))
    result = replace(TUNED, finals=finals)
    text = shown(lambda console: report.print_tuned(console, result, ()))
    for who in ("runner-up", "stock Adams2019"):
        assert re.search(rf"^{who} costs +6\.00 times as much$", text, re.MULTILINE), text
    document: Mapping[str, Any] = report.document(Tuning(results=(result,), failed={}), STORE)
    assert document["speedup"] == document["to_baseline"]["value"] == 6.0
    apart = replace(result, finals=replace(finals, compared=False))
    document = report.document(Tuning(results=(apart,), failed={}), STORE)
    assert document["speedup"] is document["to_baseline"] is None


def test_a_single_repeat_has_no_spread() -> None:
    finals = Finals(rows=(row("tuned-0123abcd", replace(TUNED.finals.winner_cost, turns=((1e-3,),)), finder="tuned"),))
    result = replace(TUNED, finals=finals)
    text = shown(lambda console: report.print_tuned(console, result, ()))
    assert re.search(r"^tuned-0123abcd +1\.000 +- +1\.00$", text, re.MULTILINE), text
    document: Mapping[str, Any] = report.document(Tuning(results=(result,), failed={}), STORE)
    assert document["best"]["spread"] is None
