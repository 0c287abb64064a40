"""What `hltune schedule` costs beyond the work itself.

The work: the bare plugin call, one JIT compilation of its result, and the timing. All of it is measured here in one
process without any of hltune's processes, checks and files, side by side with the command. Prints seconds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.tool import hltune

BENCHMARK = "median3x3"
RUNS = 5
DROPOUT = "99"
"""Hardly any state is dropped; what matters is that such a search stands alone, without smaller ones before it."""
FLAGS = f"--weights builtin --num-passes 5 --random-dropout {DROPOUT} --max-parallelism 2"
COMMAND = ("schedule", BENCHMARK, *FLAGS.split())
TIMING_S = 3 * 0.1
"""Rounds times the length of a turn, the defaults of `hltune schedule`."""

BARE = """
import json, sys, time
import halide as hl
from hltune.runtime import halide_wheel
from hltune.suite import median3x3
pipeline = hl.Pipeline(median3x3.pipeline())
target = hl.get_host_target()
hl.load_plugin(str(halide_wheel.plugin_path("Adams2019")))
times = [time.perf_counter()]
parameters = {"parallelism": "2", "beam_size": "32", "random_dropout": "99"}
pipeline.apply_autoscheduler(target, hl.AutoschedulerParams("Adams2019", parameters))
times.append(time.perf_counter())
pipeline.compile_to_callable(pipeline.infer_arguments(), target)
times.append(time.perf_counter())
json.dump({"search_s": times[1] - times[0], "compile_s": times[2] - times[1]}, sys.stdout)
"""


def main() -> None:
    totals: list[float] = []
    works: list[float] = []
    for _ in range(RUNS):
        bare = json.loads(subprocess.check_output([sys.executable, "-c", BARE]))
        works.append(bare["search_s"] + bare["compile_s"] + TIMING_S)
        with tempfile.TemporaryDirectory() as workspace:
            began = time.perf_counter()
            result = hltune(*COMMAND, "--workspace", workspace)
            totals.append(time.perf_counter() - began)
        assert result["verified"] and result["name"] == "adams2019"
    overheads = [total - work for total, work in zip(totals, works, strict=True)]
    print(f"hltune schedule {BENCHMARK}, median of {RUNS} runs")
    print(f"  total                          {statistics.median(totals):6.2f} s")
    print(f"  search, compilation and timing {statistics.median(works):6.2f} s")
    print(f"  overhead                       {statistics.median(overheads):6.2f} s")


if __name__ == "__main__":
    main()
