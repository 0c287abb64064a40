"""What the page of `report` says, from results."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hltune.cli.reporting import this_command
from hltune.commands.report import Reported
from hltune.machine.speedup import ratio
from hltune.report.explain import print_explained
from hltune.report.page import reported, under_way, write_page
from hltune.samples.results import minutes_without_pauses
from hltune.tuning.outlook import Outlook
from hltune.values.cost import Heap
from hltune.values.reasons import Reason
from hltune.values.unit import MILLISECONDS
from hltune.workspace.tunings import TuningCommand
from tests.report.explained import FOUND, MEASURED, UNREADABLE, advice, explanation, in_turns
from tests.report.values import CRASH, HOST, ROUNDS, SCHEDULE

HEAP = Heap(allocations=1234, bytes=3 << 20, peak_bytes=1 << 20, largest_mapped_bytes=0)
OTHERS = {
    "noisy": replace(in_turns(2.1, 1.9, 2.0, 3.0, 3.1), heap=HEAP),
    "slow": in_turns(4.0, 6.3, 6.3, 6.6, 6.6),
    "broken": CRASH,
}
FAILED = Reason(
    stage="run", message="killed by signal N", count=3, example="killed by signal 11", schedule_hash="ab" * 32
)


def result(**changes: object) -> Reported:
    return replace(Reported(explanation=replace(explanation(FOUND), others=OTHERS)), **changes)


def test_thousands_of_samples_are_thinned_and_the_best_ones_stay(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    costs = random.uniform(1e-3, 9e-3, 5000) * np.linspace(2.0, 1.0, 5000)
    history = tuple(zip(1000.0 + np.arange(5000.0), costs.tolist(), strict=True))
    results = [result(history=history)] * 6
    document = reported(results, {}, command="hltune report")
    found = document["pipelines"][0]
    shown = [cost for _, cost in found["history"]]
    assert len(shown) < 600 and found["measurements"] == 5000
    assert {MILLISECONDS.from_seconds(each) for each in np.minimum.accumulate(costs).tolist()} <= {*shown}
    write_page(document, tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert len(text) < 1_500_000 and "5000 measurements" in text


def test_few_samples_are_all_shown() -> None:
    history = tuple((1000.0 + at, 1e-3 * (9 - at % 5)) for at in range(400))
    (found,) = reported([result(history=history)], {}, command="")["pipelines"]
    assert len(found["history"]) == 400
    assert reported([result()], {}, command="")["pipelines"][0]["history"] == []


def test_the_curve_has_the_page_s_colours_in_the_dark_as_well(tmp_path: Path) -> None:
    write_page(reported([result(history=((0.0, 2e-3), (9.0, 1e-3)))], {}, command=""), tmp_path / "out.html")
    (curve,) = re.findall(r"<svg.*?</svg>", (tmp_path / "out.html").read_text(), flags=re.DOTALL)
    assert "best so far" in curve and "currentColor" in curve
    assert not re.search("#fff|white", curve)


def test_rounds_say_how_much_was_measured() -> None:
    (found,) = under_way(ROUNDS, MILLISECONDS, command="hltune tune")["pipelines"]
    assert found["measurements"] == sum(each.measured for each in ROUNDS)
    # Nothing has worked in the first one, which took its time all the same.
    assert found["history"] == [[sum(each.seconds for each in ROUNDS) / 60, 1.0]]


@pytest.mark.parametrize(("others_s", "minutes"), [(15.0, 2.5), (35.0, 2.0)])
def test_minutes_of_rounds_are_those_of_measurements(others_s: float, minutes: float) -> None:
    """What others take meanwhile counts, unless it is so long that it is a pause."""
    own = replace(ROUNDS[1], search_s=0.0, measure_s=60.0, learn_s=0.0)
    other = replace(own, pipeline="other", measure_s=others_s)
    rounds = [own, other, replace(other, number=3), replace(own, number=3)]
    found, _ = under_way(rounds, MILLISECONDS, command="")["pipelines"]
    assert [at for at, _ in found["history"]] == [1.0, minutes]
    at_s = np.arange(61.0)
    assert minutes_without_pauses(np.concatenate([at_s, at_s + 60.0 + 2 * others_s]))[-1] == pytest.approx(minutes)


def test_ratios_are_those_of_all_tables(tmp_path: Path) -> None:
    document = reported([result()], {}, command="")
    rows = {row["name"]: row for row in document["pipelines"][0]["rows"]}
    assert rows["slow"]["to_best"] == ratio(OTHERS["slow"], MEASURED) != pytest.approx(2.0)
    ties = {name: row["tie"] for name, row in rows.items()}
    assert ties == {"noisy": True, "tuned": False, "slow": False, "broken": False}
    assert rows["broken"]["to_best"] is None and rows["broken"]["failure"]
    write_page(document, tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "heap in all per call (buffers)" in text
    assert ", a tie</td>" in text and "<td>3 MiB (1,234)</td>" in text


def test_who_is_surely_faster_comes_before_what_is_explained() -> None:
    lucky = replace(FOUND, measured=in_turns(0.5, *[2.0] * 8))
    others = {"steady": in_turns(*[1.8] * 9), "broken": CRASH, "slow": in_turns(*[4.0] * 9)}
    found = result(explanation=replace(explanation(lucky), others=others))
    rows = reported([found], {}, command="")["pipelines"][0]["rows"]
    assert [row["name"] for row in rows] == ["steady", "tuned", "slow", "broken"]
    assert [row["to_best"] for row in rows[:2]] == [1.0, pytest.approx(2.0 / 1.8)]
    assert not any(row["tie"] for row in rows)


def test_what_is_known_by_another_name_as_well_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = result(explanation=replace(explanation(FOUND), others=OTHERS, also=("expert",)))
    document = reported([found], {}, command="")
    write_page(document, tmp_path / "out.html")
    assert "tuned (also expert)</th>" in (tmp_path / "out.html").read_text()
    print_explained(Console(width=120), document["pipelines"][0])
    assert "blur, schedule tuned (also expert): 2 ms" in capsys.readouterr().out


def test_what_was_changed_or_is_not_sure_is_said_to_be(tmp_path: Path) -> None:
    inside = replace(in_turns(2.1, 1.9), repair=SCHEDULE)
    found = replace(FOUND, beside=in_turns(2.0, 2.0), advice=(advice("slow", measured=inside),))
    few = result(explanation=replace(explanation(found), others={"theirs": inside}))
    write_page(reported([few], {}, command=""), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "in too few turns to be sure; with it, the schedule was changed to stay inside" in text
    assert ">verified; it was changed to stay inside" in text


def test_what_shows_a_failure_names_pipeline_and_workspace(tmp_path: Path) -> None:
    pipeline = result().explanation.subject.spec.content_hash
    command = f"hltune reproduce abababababab -o out --pipeline {pipeline[:12]}"
    document = reported([result(failures=(FAILED,), machine=HOST)], {}, command="", place=("--workspace", "my work"))
    write_page(document, tmp_path / "out.html")
    assert f"{command} --machine {HOST.key} --workspace &#39;my work&#39;" in (tmp_path / "out.html").read_text()
    shown = re.sub("<script.*?</script>", "", (tmp_path / "out.html").read_text(), flags=re.DOTALL)
    assert ">killed by signal 11<" in shown and "signal N" not in shown
    (plain,) = reported([result(failures=(FAILED,))], {}, command="")["pipelines"]
    assert plain["failures"][0]["reproduce"] == command
    images = ((None, Path("my photo.png")), ("k", Path("k.npy")))
    given = reported([result(failures=(FAILED,), images=images)], {}, command="")["pipelines"][0]
    assert given["failures"][0]["reproduce"] == f"{command} -i 'my photo.png' -i k=k.npy"
    (since,) = reported([result(failures=(replace(FAILED, otherwise_since=True),))], {}, command="")["pipelines"]
    assert since["failures"][0]["reproduce"] is None


def test_the_commands_that_tuned_it_are_named(tmp_path: Path) -> None:
    run = TuningCommand(command="hltune tune 'a <b>.py'", seed=7, began_s=86400.0, hltune="0.1.0")
    write_page(reported([result(tunings=(run,))], {}, command=""), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "1970-01-02 00:00 UTC, seed 7, hltune 0.1.0: <code>hltune tune &#39;a &lt;b&gt;.py&#39;</code>" in text
    write_page(reported([result()], {}, command=""), tmp_path / "out.html")
    assert "Tuned by" not in (tmp_path / "out.html").read_text()


def test_names_of_files_need_not_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even those that earlier versions have noted."""
    monkeypatch.setattr("sys.argv", ["hltune", "tune", "p.py", "-i", os.fsdecode(b"x\xff.npy")])
    this_command().encode()
    run = TuningCommand(command="hltune tune x\udcff.npy", seed=7, began_s=86400.0, hltune="0.1.0")
    document = reported([result(tunings=(run,))], {}, command=this_command(), place=("--workspace", "w\udcff"))
    write_page(document, tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert r"hltune tune x\udcff.npy" in text and r"hltune tune p.py -i &#39;x\udcff.npy&#39;" in text


def test_what_was_not_looked_for_is_not_said_to_be_unknown(tmp_path: Path) -> None:
    silent = Reported(explanation=explanation(replace(FOUND, advice=None, beside=None)))
    write_page(reported([silent], {}, command=""), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert "what limits it was not looked for" in text and "Nothing known" not in text
    unread = Reported(explanation=explanation(replace(FOUND, account=UNREADABLE, advice=None, beside=None)))
    write_page(reported([unread], {}, command=""), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    assert f"<p>tuned: read failed: {UNREADABLE.message}</p>" in text
    assert "what limits it was not looked for: its program could not be read</p>" in text


def test_faults_with_the_same_remedy_are_one_item(tmp_path: Path) -> None:
    slow, idle = advice("slow"), advice("idle")
    both = replace(FOUND, beside=None, advice=(slow, replace(idle, change=slow.change)))
    write_page(reported([Reported(explanation=explanation(both))], {}, command=""), tmp_path / "out.html")
    (item,) = re.findall(r"<li>(out is .*?)</li>", (tmp_path / "out.html").read_text(), flags=re.DOTALL)
    assert "out is slow" in item and "out is idle" in item
    assert item.count("predicted 2.00 times") == item.count("+ out.parallel(slow)") == 1


def test_the_same_program_under_another_name_says_so(tmp_path: Path) -> None:
    document = reported(
        [result(explanation=replace(explanation(FOUND), others=OTHERS, same_program=("noisy",)))], {}, command=""
    )
    rows = document["pipelines"][0]["rows"]
    assert {row["name"]: row["same_program"] for row in rows if row["same_program"]} == {"noisy": True}
    write_page(document, tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text().count(
        "it is the same program as tuned, and that their costs differ"
    ) == 1


def test_the_page_says_whether_more_tuning_helps(tmp_path: Path) -> None:
    outlook = Outlook.of((2.0, *(1.0,) * 15))
    document = reported([result(outlook=outlook)], {}, command="")
    said = document["pipelines"][0]["outlook"]
    assert said == "0.0% off the least cost came in the last half of 16 rounds: done, as far as that tells"
    write_page(document, tmp_path / "out.html")
    assert f"<p>More tuning: {said}.</p>" in (tmp_path / "out.html").read_text()
    assert reported([result()], {}, command="")["pipelines"][0]["outlook"] is None
    (found,) = under_way(ROUNDS, MILLISECONDS, command="")["pipelines"]
    assert found["outlook"] == "too few rounds (2) to tell; another run goes on from here"


def test_what_no_change_helps_with_is_listed_apart(tmp_path: Path) -> None:
    origins = (("search by Adams2019", 7), ("a change of another schedule: tail, unroll", 3))
    write_page(reported([result(origins=origins)], {}, command=""), tmp_path / "out.html")
    text = (tmp_path / "out.html").read_text()
    numbered = re.findall(r"<ol>(.*?)</ol>", text, flags=re.DOTALL)
    assert len(numbered) == 1 and "is hopeless" not in numbered[0] and "is much faster" in numbered[0]
    assert "No change was found that is predicted to help with this:" in text
    assert re.search(r"<li>out is hopeless .*?; not tried: 3 changes</li>", text)
    assert "<li>7: search by Adams2019</li>" in text


def test_a_cost_that_was_taken_back_is_not_in_the_curve() -> None:
    """A later round has found that it was luck, or wrong."""
    rounds = [replace(ROUNDS[-1], pipeline="blur", best=each) for each in (None, 6e-3, 3.5e-3, 5.3e-3, 5.2e-3)]
    (page,) = under_way(rounds, MILLISECONDS, command="")["pipelines"]
    assert [cost for _, cost in page["history"]] == pytest.approx([6.0, 5.3, 5.3, 5.2])
