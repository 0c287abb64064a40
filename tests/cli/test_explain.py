"""`hltune explain` end to end, on small pipelines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from hltune.commands import explain
from hltune.machine.hexagon.toolchain import find_plugin_emulator
from hltune.machine.host.machine import HostSession
from hltune.report.explain import print_explained
from hltune.values.cost import Measurement
from hltune.values.directives import Schedule
from tests.cli.conftest import PIPELINES, Run, running_in
from tests.machine.opened import compiled_modules, needs_hexagon
from tests.report.conftest import shown
from tests.tuning.test_finals import WRONG

BLUR = PIPELINES / "blur_function.py"
THREADS = ("--max-parallelism", 2)


@pytest.fixture(autouse=True)
def short_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "_PROFILING_S", 0.5)


@pytest.fixture(scope="module")
def scheduled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scheduled")
    words = ("schedule", BLUR, "--autoscheduler", "mullapudi2016", *THREADS)
    result = running_in(folder)(*words)
    assert result.code == 0, result.err
    return folder


@pytest.fixture
def scheduled(hltune: Run, tmp_path: Path, scheduled_folder: Path) -> Run:
    """Runs a command where a pipeline was scheduled."""
    shutil.copytree(scheduled_folder, tmp_path, dirs_exist_ok=True)
    return hltune


def test_measured_and_predicted_shares_are_of_the_whole(scheduled: Run) -> None:
    document = scheduled("explain", BLUR, *THREADS, "--json").document
    (found,) = document["schedules"]
    assert (document["version"], found["name"], found["verified"]) == (8, "mullapudi2016", True)
    assert found["profile"]["samples"] > 100 and not found["failures"]
    measured = [row["measured"]["share"] for row in found["funcs"] if row["measured"]]
    assert sum(measured) == pytest.approx(1.0)
    predicted = [row["predicted"]["share"] for row in found["funcs"] if row["predicted"]]
    assert sum(predicted) == pytest.approx(1.0)
    whole = sum(found["terms_ms"][name] for name in ("launches", "allocations", "heap_bytes", "faults"))
    (row,) = (row for row in found["funcs"] if row["name"] == "tasks, heap, page faults")
    assert row["predicted"]["ms"] == pytest.approx(whole) and row["measured"] is None
    output = next(row for row in found["funcs"] if row["name"] == "output")
    assert output["recompute"] == pytest.approx(1.0, abs=0.1)
    assert any(row["kind"] == "store" and row["func"] == "output" for row in found["loops"])


@pytest.mark.long
def test_each_claim_is_checked_on_request(hltune: Run) -> None:
    """Inlined, scalar and on one thread: several faults, and each has a change that helps."""
    result = hltune("explain", BLUR, "--schedule", "default", *THREADS, "--try", "--json")
    assert result.code == 0, result.err
    (found,) = result.document["schedules"]
    tried = [each for each in found["advice"] if each["measured_speedup"] is not None]
    assert {"scalar", "idle"} <= {each["kind"] for each in found["advice"]}
    assert tried[0]["measured_speedup"] == max(each["measured_speedup"] for each in tried) > 1.2
    low, high = tried[0]["measured_interval"]
    assert tried[0]["helps"] and low <= tried[0]["measured_speedup"] <= high
    assert all(each["directives"] and each["schedule"] for each in tried)


@pytest.mark.long
def test_each_part_of_the_difference_is_measured_on_request(scheduled: Run) -> None:
    document = scheduled(
        "explain", BLUR, "--schedule", "mullapudi2016", "--against", "default", *THREADS, "--try", "--json"
    ).document
    found = document["against"]["alone"]
    assert found, "several stages differ"
    assert all(each["directives"] or each["dropped"] for each in found) and document["against"]["not_alone"] >= 0
    brought = [each["measured_speedup"] for each in found if each["failure"] is None]
    assert brought == sorted(brought, reverse=True)


def test_people_see_sentences_and_both_schedules(scheduled: Run) -> None:
    result = scheduled("explain", BLUR, "--schedule", "default", "--against", "mullapudi2016", *THREADS)
    assert result.code == 0, result.err
    headings = ("what limits it", "where the time goes", "the lowered program", "default against mullapudi2016")
    assert all(text in result.out for text in headings) and "measured ms" in result.out
    assert result.out.count("what limits it") == 1, "advice is for the first one alone"
    assert "output computes one element at a time" in result.out
    assert result.out.count("* not in this place in the other program") == 2


def test_a_schedule_may_be_a_file(scheduled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "_profile", lambda *_: None)
    (file,) = (tmp_path / ".hltune").glob("blur_function-*/blur_function.schedule.json")
    arguments = ("explain", BLUR, "--schedule", file, "--rounds", 1, *THREADS)
    (found,) = scheduled(*arguments, "--json").document["schedules"]
    assert found["name"] == "blur_function" and found["cost"] > 0


def test_what_an_rfactor_makes_is_measured_and_predicted_by_one_name(hltune: Run, tmp_path: Path) -> None:
    """Halide has another one for it, and counts from one program to the next."""
    total = {"func": "total", "update": 0}
    directives = [
        {"op": "split", **total, "old": "r_x", "outer": "ro", "inner": "ri", "factor": 8, "tail": "Auto"},
        {"op": "rfactor", **total, "preserved": [["ri", "u"]], "intermediate": "part"},
        {"op": "compute_root", "func": "part"},
        {"op": "compute_root", "func": "total"},
    ]
    file = tmp_path / "factored.json"
    file.write_text(json.dumps({"format": "hltune schedule", "version": 1, "directives": directives}))
    pipeline = f"{PIPELINES / 'rfactored.py'}:unscheduled"
    result = hltune("explain", pipeline, "--schedule", file, "--rounds", 1, *THREADS, "--json")
    assert result.code == 0, result.err
    (found,) = result.document["schedules"]
    rows = {row["name"]: row for row in found["funcs"]}
    assert {"part", "total", "output"} <= rows.keys() and not any("intm" in name for name in rows)
    assert rows["part"]["measured"] and rows["part"]["predicted"] and found["advice"] is not None


def test_an_unknown_schedule_is_answered_with_those_that_are_known(hltune: Run) -> None:
    result = hltune("explain", BLUR, "--schedule", "defualt")
    assert result.code == 2
    assert "no such schedule" in result.err and "default" in result.err


def test_nothing_known_is_answered_with_what_to_do(hltune: Run) -> None:
    result = hltune("explain", BLUR)
    assert result.code == 2 and "run `hltune schedule` first" in result.err


@needs_hexagon
def test_the_emulator_counts_func_by_func(hltune: Run) -> None:
    with compiled_modules():
        document = hltune("explain", BLUR, "--schedule", "default", "--target", "hexagon", "--json").document
    (found,) = document["schedules"]
    assert (found["unit"], found["verified"], found["failures"]) == ("packets", True, [])
    assert found["counters"]["packets"] == found["cost"]
    if find_plugin_emulator() is None:
        assert found["profile"] is None and found["funcs"]
        return
    assert found["profile"]["counted"] and found["profile"]["samples"] == found["profile"]["cost"]
    assert -0.05 < found["profile"]["overhead"] < 0.2
    assert sum(row["measured"]["cost"] for row in found["funcs"] if row["measured"]) == pytest.approx(found["cost"])
    assert "counted Func by Func" in shown(lambda console: print_explained(console, document))


def test_another_target_is_explained_without_measuring(hltune: Run) -> None:
    result = hltune("explain", BLUR, "--schedule", "default", "--target", "arm-64-linux", "--try", "--json")
    (found,) = result.document["schedules"]
    assert "no change is measured: code for arm-64-linux" in result.err
    assert (found["cost"], found["verified"], found["profile"]) == (None, False, None)
    assert found["advice"] and not any(each["left_out"] for each in found["advice"])


def test_a_schedule_that_is_wrong_the_second_time_is_not_verified(
    scheduled: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one with a race may be: it is off the record, and tuning hears of it."""
    measure, asked = HostSession.measure, list[int]()

    def wrong_at_last(session: HostSession, schedules: Mapping[str, Schedule]) -> dict[str, Measurement]:
        found = measure(session, schedules)
        asked.append(len(schedules))
        return {**found, "": WRONG} if "" in schedules else found

    monkeypatch.setattr(HostSession, "measure", wrong_at_last)
    result = scheduled("explain", BLUR, *THREADS, "--try")
    assert len(asked) == 2 and result.code == 1, result.err
    assert "mullapudi2016 was verified before, is wrong now, and is off the record" in result.err
    assert "mullapudi2016 was right once, and then wrong" in result.err
    assert "output verified" not in result.out
    assert "no schedule is known" in scheduled("explain", BLUR, *THREADS).err
