"""Halide's own tuning loop against `hltune tune`: same generators, same seconds, same cores, one after the other.

``python -m benchmarks.stock_loop [MINUTES]`` runs each for that long (5) on each generator. The loop is the wheel's
``adams2019_autotune_loop.sh`` with its 32 cores replaced by this machine's; its batches and beam stay as they are.
Prints distinct measured samples per minute, and the best schedules of both, measured again side by side.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.tool import CORES, host_subject, measured, said, speedup, tune
from hltune.cost_model.adams2019.weights import builtin_weights, write_weights
from hltune.runtime import halide_wheel
from hltune.samples.sample_file import SampleFile
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.schedule_codec import read_schedule_file, schedule_hash
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

FILTERS = Path(__file__).with_name("filters.cpp")
GENERATORS = ("dilate3x3", "gaussian5x5")
REMEASURED = 5
"""Fastest samples of the loop that are measured again; the best of them counts."""


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    ratios: list[float] = []
    print(f"{CORES} cores, {minutes:g} minutes for each tool and generator")
    for name in GENERATORS:
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(compare(name, Path(folder), minutes))
    mean = statistics.geometric_mean(ratios)
    print(f"best schedule of the stock loop takes, geometric mean: {mean:.2f} times as long")


def compare(name: str, folder: Path, minutes: float) -> float:
    workspace = Workspace(folder / "workspace")
    subject = host_subject(f"{FILTERS}:{name}", workspace)
    stock = run_stock_loop(name, folder, subject, 60 * minutes)
    began_s = time.monotonic()
    document = tune(f"{FILTERS}:{name}", workspace, minutes, "--weights", "builtin")
    # A new workspace: all that failed did so in this run. Theirs are successful ones, too.
    stock_rate = len(stock) / minutes
    our_rate = (document["distinct"] - document["failed"]) / (time.monotonic() - began_s) * 60
    print(
        f"{name}: distinct samples per minute: stock loop {stock_rate:.1f}, hltune {our_rate:.1f}, "
        f"ratio {our_rate / stock_rate:.1f}"
    )
    schedules = {f"stock {number}": schedule for number, schedule in enumerate(fastest(stock))}
    tuned = read_schedule_file(workspace.directory(subject.spec) / f"{name}.schedule.json")
    costs = measured(subject, {"tuned": tuned, **schedules}, rounds=15)
    best = min((key for key in costs if key != "tuned"), key=lambda key: costs[key].value)
    found = speedup(costs[best], costs["tuned"])
    print(
        f"{name}: stock loop {costs[best].value * 1e3:.3f} ms, hltune {costs['tuned'].value * 1e3:.3f} ms, "
        f"ratio {said(found)}",
        flush=True,
    )
    return found.value


def run_stock_loop(name: str, folder: Path, subject: Subject, seconds: float) -> dict[Schedule, float]:
    """Runs batch after batch until time is up; returns the running time in seconds by schedule."""
    script, generator, tools, distribution = prepare(folder)
    weights = folder / "start.weights"
    write_weights(weights, builtin_weights())
    samples = folder / "samples"
    command = ["bash", script, generator, name, subject.target.name, weights, tools, distribution, samples]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(halide_wheel.library_directory())}
    with (folder / "loop.log").open("w") as log:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            with subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True) as loop:
                try:
                    loop.wait(timeout=left_s)
                except subprocess.TimeoutExpired:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(loop.pid, signal.SIGKILL)
                    break
                assert loop.returncode == 0, (folder / "loop.log").read_text()[-2000:]
    return read_samples(samples, subject)


def prepare(folder: Path) -> tuple[Path, Path, Path, Path]:
    """The loop for this machine, the generator, and the two folders that the loop expects to find things in."""
    wheel = halide_wheel.wheel_directory()
    text = (wheel / "share/tools/adams2019_autotune_loop.sh").read_text()
    for theirs in ("autoscheduler.parallelism=32", "HL_NUM_THREADS=32", "--num_cores=32"):
        assert text.count(theirs) == 1
        text = text.replace(theirs, theirs.replace("32", str(CORES)))
    script = folder / "loop.sh"
    script.write_text(text)
    tools, distribution, generator = folder / "tools", folder / "distribution", folder / "filters"
    for place in (tools, distribution):
        place.mkdir()
    for file in [*(wheel / "bin").iterdir(), halide_wheel.plugin_path("Adams2019")]:
        (tools / file.name).symlink_to(file)
    (distribution / "include").symlink_to(halide_wheel.include_directory())
    (distribution / "tools").symlink_to(wheel / "share/tools")
    library = halide_wheel.library_directory()
    generators = ("-Wl,--whole-archive", library / "libHalide_GenGen.a", "-Wl,--no-whole-archive")
    compiler = ("g++", "-std=c++17", "-fno-rtti", "-O1", "-I", halide_wheel.include_directory())
    libraries = (f"-L{library}", "-lHalide", "-ldl", "-lpthread")
    subprocess.run([*compiler, FILTERS, "-o", generator, *generators, *libraries], check=True)
    return script, generator, tools, distribution


def read_samples(samples: Path, subject: Subject) -> dict[Schedule, float]:
    times_s: dict[str, tuple[Schedule, float]] = {}
    for path in samples.rglob("*.sample"):
        try:
            runtime_s = SampleFile.decode(path.read_bytes()).runtime_s
        except InputError:  # cut off when time was up
            continue
        schedule = parse_schedule(body(path.with_suffix(".schedule.h").read_text()), subject.spec.funcs)
        key = schedule_hash(schedule)
        _, known_s = times_s.get(key, (schedule, math.inf))
        times_s[key] = (schedule, min(known_s, runtime_s))
    return dict(times_s.values())


def body(header: str) -> str:
    """The directives in a header that a generator wrote."""
    function = header.partition(") {\n")[2].partition("\n}\n")[0]
    return "\n".join(line for line in function.splitlines() if not line.strip().startswith("using "))


def fastest(times_s: dict[Schedule, float]) -> list[Schedule]:
    return sorted(times_s, key=lambda schedule: times_s[schedule])[:REMEASURED]


if __name__ == "__main__":
    main()
