"""The commands end to end, on small pipelines."""

from __future__ import annotations

import json
import platform
import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from hltune import INTERRUPTED
from hltune.cli.flags import RunLimits
from hltune.commands import ranked
from hltune.commands.compare import Comparison
from hltune.machine.options import MeasureOptions
from hltune.runtime.c_compilers import find_zig
from hltune.search import ladder, pool
from hltune.search.autoschedulers import Mullapudi2016Options, SearchOptions
from tests.cli.conftest import PIPELINES, Run
from tests.report.values import compared
from tests.search.slow import SlowSearch

BLUR = PIPELINES / "blur_function.py"
QUICK = ("--beam-size", 2, "--max-parallelism", 2)
GREEDY = ("--beam-size", 1, "--weights", "builtin", "--max-parallelism", 2)
QUICKEST = ("--autoscheduler", "mullapudi2016", "--max-parallelism", 2)
"""Where any schedule will do."""


@pytest.fixture
def little_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds of searches and mutants, and few of each, which are measured for a moment."""
    measure = RunLimits.measure

    def measure_briefly(limits: RunLimits, *given: Any, **others: Any) -> MeasureOptions:
        return replace(measure(limits, *given, **others), turn_s=0.01)

    monkeypatch.setattr(RunLimits, "measure", measure_briefly)
    monkeypatch.setattr(ranked, "MEASURED", 2)
    monkeypatch.setattr(ladder, "_PROBES", 3)


@pytest.mark.usefixtures("little_is_tried")
def test_schedule_writes_one_document(hltune: Run, tmp_path: Path) -> None:
    result = hltune("schedule", BLUR, *QUICK, "--json")
    assert result.code == 0, result.err
    document = result.document
    assert document["pipeline"] == "blur_function"
    assert (document["unit"], document["verified"]) == ("ms", True)
    assert document["cost"] > 0
    rungs = {rung["rung"]: rung for rung in document["rungs"]}
    probes = {"probes", "probes, Halide's weights", "probes of finer tasks"}
    searches = {"mullapudi2016", "greedy", *probes, "beam 2, 5 passes", "beam 2, 5 passes, Halide's weights"}
    assert all(rungs[each]["cost"] > 0 and rungs[each]["search_s"] > 0 for each in searches)
    assert not any(rung["skipped"] for rung in rungs.values())
    # Probes and mutants that the ranker chose, for what each is predicted to cost.
    chosen = rungs.keys() - searches
    assert 0 < len(chosen) <= 2 and all(each.startswith(("mutant ", "probe ")) for each in chosen)
    assert rungs["greedy"]["predicted_ms"] > 0
    assert rungs[document["rung"]]["name"] == document["name"]
    assert rungs[document["rung"]]["cost"] == document["cost"]
    assert {"op", "func"} <= set(document["schedule"][0])
    files = [tmp_path / name for name in document["files"]]
    assert [path.suffix for path in files] == [".json", ".py", ".h"]
    assert all(path.stat().st_size > 100 for path in files)
    assert "apply_schedule" in runpy.run_path(str(files[1]))


def test_another_autoscheduler(hltune: Run) -> None:
    document = hltune("schedule", BLUR, "--autoscheduler", "li2018", "--json", apart=True).document
    assert (document["name"], document["verified"], document["predicted_ms"]) == ("li2018", True, None)


def test_same_seed_same_schedule(hltune: Run) -> None:
    probe = (BLUR, "--beam-size", 1, "--random-dropout", 1, "--seed", 7, "--no-measure", "--json")
    first, second = (hltune("schedule", *probe).document for _ in range(2))
    assert first["schedule"] == second["schedule"]


def test_a_search_without_end_hits_its_limit_and_falls_back(hltune: Run) -> None:
    endless = ("--beam-size", 100000, "--num-passes", 1000, "--search-timeout", 3)
    result = hltune("schedule", BLUR, *endless, "--weights", "builtin", "--json")
    assert result.code == 0, result.err
    assert "--search-timeout" in result.err
    assert result.document["verified"]
    rungs = {rung["rung"]: rung for rung in result.document["rungs"]}
    assert rungs["beam 100000, 1000 passes"]["failure"]["kind"] == "timeout"


def test_the_largest_search_that_ended_is_taken_where_nothing_is_measured(hltune: Run, tmp_path: Path) -> None:
    document = hltune("schedule", BLUR, *QUICK, "--no-measure", "--weights", "builtin", "--json").document
    assert (document["rung"], document["cost"], document["verified"]) == ("beam 2, 5 passes", None, False)
    assert not list((tmp_path / ".hltune").glob("*/*/*-????????.json"))  # nothing to put on record


def test_no_schedule_but_the_default_one_is_a_failure(hltune: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SearchJob", SlowSearch)
    small = ("dilate3x3", "--size", "128x96")
    result = hltune("schedule", *small, *QUICK, "--search-timeout", 0.001, "--no-measure", "--json")
    assert result.code == 1
    assert "no search found a schedule that works" in result.document["error"]["what"]
    assert "--search-timeout" in result.document["error"]["todo"]


def test_a_name_that_no_search_takes_is_the_reason(hltune: Run) -> None:
    """And no limit, for none was reached."""
    pipeline = PIPELINES / "bad/dotted.py"
    result = hltune("schedule", pipeline, *QUICK, "--memory-limit", "1G", "--no-measure", "--json")
    assert result.code == 1
    todo = result.document["error"]["todo"]
    assert "give variables names without dots" in todo and "n-1.2" in todo and "timeout" not in todo


@pytest.mark.long
def test_the_fastest_schedule_is_kept(hltune: Run, tmp_path: Path) -> None:
    size = ("--size", "512x512")
    assert hltune("schedule", "median3x3", *size, *QUICK).code == 0
    assert hltune("schedule", "median3x3", *size, "--autoscheduler", "li2018", "--max-parallelism", 2).code == 0
    probe = ("--beam-size", 1, "--random-dropout", 1, "--seed", 3, "--max-parallelism", 2)
    assert hltune("schedule", "median3x3", *size, *probe).code == 0
    records = [json.loads(path.read_text()) for path in (tmp_path / ".hltune").glob("median3x3-*/*/*.json")]
    assert {record["name"] for record in records} <= {"adams2019", "li2018", "mullapudi2016", "ranked"}
    best = min(records, key=lambda record: record["cost"])
    result = hltune("export", "median3x3", *size, "--max-parallelism", 2, "-o", "out", "--format", "json", "--json")
    assert result.document["name"] == best["name"]
    written = json.loads((tmp_path / "out/median3x3.schedule.json").read_text())
    assert written.pop("about")["cost"] == pytest.approx(1e3 * best["cost"], abs=1e-6)
    assert written == best["schedule"]


def test_a_plugin_that_prints_what_nobody_knows_is_replaced(hltune: Run) -> None:
    result = hltune("schedule", BLUR, "--autoscheduler", "li2018", "--target", "x86-64-linux-cuda", "--json")
    assert result.code == 0, result.err
    assert "gpu_blocks" in result.document["fallbacks"][0]["message"]
    assert result.document["name"] == "mullapudi2016"


def test_another_target_is_searched_but_not_run(hltune: Run) -> None:
    document = hltune("schedule", BLUR, *QUICK, "--target", "arm-64-linux", "--json").document
    assert (document["cost"], document["verified"]) == (None, False)
    assert document["schedule"]


@pytest.mark.long
def test_compare_several(hltune: Run) -> None:
    result = hltune("compare", "sobel", "dilate3x3", "--size", "128x96", *QUICK, "--rounds", 1, "--json")
    assert [p["pipeline"] for p in result.document["pipelines"]] == ["sobel", "dilate3x3"]


@pytest.mark.long
def test_the_authors_schedule_is_measured_beside_the_others(hltune: Run) -> None:
    result = hltune("compare", f"{PIPELINES / 'by_hand.py'}:guarded", *QUICK, "--rounds", 3, "--json")
    assert result.code == 0, result.err
    rows = {row["name"]: row for row in result.document["schedules"]}
    assert {"manual", "adams2019", "mullapudi2016"} <= rows.keys()
    assert rows["manual"]["verified"] and rows["manual"]["cost"] > 0
    assert result.document["manual"]["cost"] == rows["manual"]["cost"]
    assert "your own schedule" in result.document["manual"]["summary"]


def test_known_schedules_are_run_and_exported(hltune: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    iio.imwrite(tmp_path / "in.png", pixels)
    size = ("--size", "128x96")
    scheduled = hltune("schedule", "dilate3x3", *size, *QUICKEST, "--json")
    assert scheduled.code == 0, scheduled.err
    found = scheduled.document
    assert (found["name"], found["verified"], found["predicted_ms"]) == ("mullapudi2016", True, None)
    result = hltune("run", "dilate3x3", *size, "-i", "in.png", "-o", "out.png", "--max-parallelism", 2, "--json")
    assert result.code == 0, result.err
    padded = np.pad(pixels, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    assert np.array_equal(iio.imread(tmp_path / "out.png"), windows.max(axis=(2, 3)))

    result = hltune("export", "dilate3x3", *size, "-o", "exported", "--max-parallelism", 2, "--json")
    assert result.code == 0, result.err
    names = {Path(name).name for name in result.document["files"]}
    assert {"dilate3x3.schedule.json", "dilate3x3_schedule.py", "dilate3x3_schedule.h", "dilate3x3.h"} <= names
    assert {Path(name).suffix for name in names} >= {".o", ".a", ".h"}

    file = ("--schedule", "exported/dilate3x3.schedule.json")
    compared = hltune("compare", "dilate3x3", *size, *GREEDY, "--rounds", 2, "--json", *file)
    assert compared.code == 0, compared.err
    document = compared.document
    assert document["pipeline"] == "dilate3x3" and document["unit"] == "ms" and document["limit"] > 0
    rows = {row["name"]: row for row in document["schedules"]}
    assert set(rows) == {"default", "simple", "expert", "mullapudi2016", "li2018", "adams2019", "dilate3x3"}
    assert all(row["verified"] and row["cost"] > 0 and row["failure"] is None for row in rows.values())
    costs = [row["cost"] for row in document["schedules"]]
    assert costs == sorted(costs)
    assert rows["dilate3x3"]["schedule"] == found["schedule"] != []


@pytest.mark.parametrize("done", [0, 1, 2])
def test_who_interrupts_a_long_comparison_has_what_was_done(
    hltune: Run, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    """Hours of it, perhaps; the exit code is that of any interrupt."""
    left = iter([compared()] * done)

    def interrupted(*_: Any, **__: Any) -> Comparison:
        for each in left:
            return each
        raise KeyboardInterrupt

    monkeypatch.setattr("hltune.commands.compare.compare", interrupted)
    command = ("compare", "dilate3x3", "median3x3", "sobel", "--size", "64x64", "--json")
    if not done:
        with pytest.raises(KeyboardInterrupt):
            hltune(*command)
        return
    result = hltune(*command)
    assert result.code == INTERRUPTED and "interrupted" in result.err
    assert result.document["interrupted"] and len(result.document["pipelines"]) == done


def test_people_see_the_loop_nest_and_run_at_another_size(hltune: Run, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "large.png", np.full((200, 300), 9, dtype=np.uint8))
    scheduled = hltune("schedule", "sobel", "--size", "128x96", *QUICKEST)
    assert scheduled.code == 0, scheduled.err
    assert "produce output" in scheduled.out
    assert "output verified" in scheduled.out
    result = hltune("run", "sobel", "--size", "128x96", *QUICK[2:], "-i", "large.png", "-o", "out.npy", "--json")
    assert result.code == 0, result.err
    assert result.document["sizes"] == ["300x200"]
    assert not np.load(tmp_path / "out.npy").any()


def test_list_and_doctor(hltune: Run) -> None:
    listed = hltune("list", "--json").document["benchmarks"]
    groups = {group: {b["name"] for b in listed if b["group"] == group} for group in ("hexagon", "apps")}
    assert groups["hexagon"] == {"conv3x3a16", "conv3x3a32", "dilate3x3", "gaussian5x5", "median3x3", "sobel"}
    assert len(groups["apps"]) == 16 and {"harris", "bgu", "resnet_block"} <= groups["apps"]
    assert len(listed) == 22
    assert "median3x3" in hltune("list").out
    result = hltune("doctor", "--json")
    assert result.code == 0
    assert result.document["usable"]


def test_doctor_names_what_clusters_and_bundles_need(hltune: Run, tmp_path: Path) -> None:
    """Whatever is missing, with how to get it; hltune is usable without."""
    (tmp_path / "ray.py").write_text("raise ImportError('not here')")  # in the folder that commands run in
    result = hltune("doctor", "--json", environment={"PATH": str(tmp_path)})
    findings = {each["name"]: each for each in result.document["findings"]}
    assert result.code == 0 and result.document["usable"]
    ray, cpp = findings["Ray"], findings["C++ compiler"]
    assert not ray["ok"] and "--cluster" in ray["found"] and ray["todo"] == "pip install 'hltune[cluster]'"
    assert not cpp["ok"] and "g++" in cpp["todo"]
    assert not findings["CMake"]["ok"] and "cmake" in findings["CMake"]["todo"]
    for family in ("x86-64-linux", "arm-64-linux", "arm-64-android", "arm-32-linux"):
        found = findings[f"bundles for {family}"]
        if find_zig() is None:
            assert not found["ok"] and found["todo"] == "pip install 'hltune[hexagon]'"
        else:
            assert found["ok"] and found["found"] == "zig"


def test_doctor_names_what_is_there(hltune: Run) -> None:
    ray = pytest.importorskip("ray")
    findings = {each["name"]: each for each in hltune("doctor", "--json").document["findings"]}
    assert findings["Ray"]["ok"] and findings["Ray"]["found"] == ray.__version__
    own = shutil.which("gcc")
    if own and platform.machine() == "x86_64":
        assert findings["bundles for x86-64-linux"]["found"] == "gcc"


@pytest.mark.parametrize("command", [("compare", "--rounds", "1", "--json"), ("tune", "--rounds", "0")])
def test_one_that_does_not_load_leaves_the_others_alone(hltune: Run, command: tuple[str, ...]) -> None:
    broken = str(PIPELINES / "bad/syntax_error.py")
    result = hltune(*command, broken, f"{PIPELINES / 'by_hand.py'}:guarded", *GREEDY)
    assert result.code == 1 and "SyntaxError" in result.err
    if "--json" in command:
        assert set(result.document["failed"]) == {broken}
        assert [each["pipeline"] for each in result.document["pipelines"]] == ["guarded"]
    else:
        assert result.out.splitlines()[-1].startswith("failed: ") and "guarded" in result.out


def test_flags_of_the_quick_search_reach_it(hltune: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is not the one that was asked for."""
    begun: list[SearchOptions] = []
    begin = pool.SearchPool.begin

    def spy(self: pool.SearchPool, worker: Any, spec: Any, target: str, searches: Any, **limit: Any) -> Any:
        begun.extend(searches)
        return begin(self, worker, spec, target, searches, **limit)

    monkeypatch.setattr(pool.SearchPool, "begin", spy)
    flags = ("--last-level-cache", "64K", "--balance", "0.5", "--no-measure", "--workspace", tmp_path / "own")
    assert hltune("schedule", BLUR, *GREEDY, *flags).code == 0
    quick = [each for each in begun if isinstance(each, Mullapudi2016Options)]
    assert quick == [Mullapudi2016Options(parallelism=2, last_level_cache_bytes=2**16, balance=0.5)]


@pytest.mark.parametrize("command", [("compare", "--rounds", "1"), ("tune", "--rounds", "0")])
def test_one_that_fails_leaves_the_others_alone(hltune: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """That a requirement never holds is found when the pipeline runs, not when it is loaded."""
    (tmp_path / "two.py").write_text(
        "import halide as hl\n"
        "def pipeline(name, value):\n"
        "    x = hl.Var('x')\n"
        "    image, output = hl.ImageParam(hl.UInt(8), 1, 'image'), hl.Func(name)\n"
        "    image.set_estimates([hl.Range(0, 64)])\n"
        "    output[x] = value(hl.cast(hl.Int(32), image[x]))\n"
        "    return output.set_estimates([hl.Range(0, 64)])\n"
        "def broken() -> hl.Func:\n"
        "    return pipeline('broken', lambda pixel: hl.require(pixel > 255, hl.Expr(0), hl.Expr(1)))\n"
        "def fine() -> hl.Func:\n"
        "    return pipeline('fine', lambda pixel: pixel + 1)\n"
    )
    result = hltune(*command, f"{tmp_path}/two.py:broken", f"{tmp_path}/two.py:fine", *GREEDY, "--json")
    assert result.code == 1
    assert set(result.document["failed"]) == {"broken"} and result.document["failed"]["broken"]["what"]
    assert [each["pipeline"] for each in result.document["pipelines"]] == ["fine"]
