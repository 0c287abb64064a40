"""What is read out of lowered programs: ``python -m benchmarks.lowered WORKSPACE ...`` (of `hltune tune`).

Prints for the expert schedule of each of the six benchmarks what lowering and reading take beside compiling with LLVM:
medians in ms. Then, for each pipeline that was tuned in a workspace, the share of pairs that are ordered rightly by T0
alone and by the ranker, in five folds, so that no schedule was seen by the ranker that orders it; the same among
mutants; and how many times as long as the best the one takes that the ranker would pick in a fold.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tool import CORES, host_subject
from hltune.cost_model.metrics import NO_PAIRS, PairCount, count_pairs, regret_at
from hltune.cost_model.programs import Programs
from hltune.cost_model.ranker import fit
from hltune.lowered.features import VERSION, decoded
from hltune.lowered.job import FeaturesJob, Lowering, LowerJob
from hltune.runtime.worker import Worker
from hltune.samples.reader import Reader
from hltune.schedule.export import CompileJob
from hltune.suite.catalog import FILTERS
from hltune.values.provenance import Mutated
from hltune.workspace.records import Workspace

FOLDS = 5
LEAST = 25
"""Schedules of a pipeline that is worth five folds."""
TIMES = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'median ms':28}{'lower':>8}{'read':>8}{'LLVM':>8}{'share':>8}")
        shares = [time_one(each.name, Workspace(Path(folder))) for each in FILTERS]
    print(f"lowering and reading take {statistics.median(shares):.2f} of LLVM's time (median)\n")
    print(f"{'held-out pairs':28}{'n':>6}{'T0':>8}{'ranker':>8}{'mutants':>9}{'regret@1':>10}")
    found = [row for path in sys.argv[1:] for row in evaluate(Path(path))]
    if found:
        mean = [statistics.mean(values) for values in zip(*found, strict=True)]
        print(f"{'mean':34}{mean[0]:8.3f}{mean[1]:8.3f}{mean[2]:9.3f}{mean[3]:10.2f}")


def time_one(name: str, workspace: Workspace) -> float:
    """Prints what one benchmark's expert schedule takes; returns the share of LLVM's time."""
    subject = host_subject(name, workspace)
    spec, target = subject.spec, subject.target
    schedule = subject.hand_written["expert"]
    folder = workspace.root.absolute() / name
    with Worker(preload=("halide",)) as worker:
        lower = LowerJob(spec=spec, schedule=schedule, target=target.name)
        both = FeaturesJob(lowering=Lowering(spec=spec, target=target, cores=CORES), schedules=(schedule,))
        compiling = CompileJob(
            spec=spec, schedule=schedule, target=target.name, directory=folder, function_name="pipeline", timeout_s=600
        )
        lower_s, both_s, compile_s = (seconds(worker, job) for job in (lower, both, compiling))
    llvm_s = compile_s - lower_s
    of_llvm = both_s / llvm_s
    parts = "".join(f"{1e3 * each:8.1f}" for each in (lower_s, both_s - lower_s, llvm_s))
    print(f"{name:28}{parts}{of_llvm:8.2f}")
    return of_llvm


def seconds(worker: Worker, job: LowerJob | FeaturesJob | CompileJob) -> float:
    """The median of several times, after one that does not count."""
    times: list[float] = []
    for _ in range(TIMES + 1):
        began_s = time.perf_counter()
        worker.run(job)
        times.append(time.perf_counter() - began_s)
    return statistics.median(times[1:])


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Schedules of one pipeline: programs, costs [N], which of them are mutants [N], and programs that failed."""

    programs: Programs
    costs: NDArray[np.float64]
    mutated: NDArray[np.bool_]
    failed: Programs

    def where(self, mask: NDArray[np.bool_]) -> Samples:
        return replace(self, programs=self.programs.where(mask), costs=self.costs[mask], mutated=self.mutated[mask])


def evaluate(path: Path) -> list[tuple[float, float, float, float]]:
    """Prints a line for each pipeline of a store; returns pairs by T0, by the ranker, among mutants, and regret."""
    found: list[tuple[float, float, float, float]] = []
    with Reader(Workspace(path).samples) as reader:
        for row in reader.statistics():
            samples = read(reader, row.pipeline_hash, row.machine.key)
            if samples is not None and len(samples.costs) >= LEAST:
                found.append(folds(samples))
                t0, pairs, mutants, regret = found[-1]
                count = len(samples.costs)
                print(f"{row.pipeline_name:28}{count:6}{t0:8.3f}{pairs:8.3f}{mutants:9.3f}{regret:10.2f}", flush=True)
    return found


def read(reader: Reader, pipeline: str, machine: str, *, root: str | None = None) -> Samples | None:
    """What was measured and lowered of a pipeline, in relation to the schedule with the hash `root`, if one is given.

    None if there is nothing, or no root.
    """
    stored = decoded(reader.programs(pipeline, machine, VERSION))
    ranked = [each for each in reader.best(pipeline, machine, 10**6) if each.schedule_hash in stored]
    if not ranked or (root is not None and root not in stored):
        return None
    about = None if root is None else stored[root]
    failed = [key for key in reader.failed_hashes(pipeline, machine) if key in stored]
    return Samples(
        programs=Programs.of([stored[each.schedule_hash] for each in ranked], cores=CORES, root=about),
        failed=Programs.of([stored[key] for key in failed], cores=CORES, root=about),
        costs=np.array([each.cost for each in ranked]),
        mutated=np.array([isinstance(each.provenance, Mutated) for each in ranked]),
    )


def folds(samples: Samples) -> tuple[float, float, float, float]:
    fold = np.random.default_rng(0).permutation(len(samples.costs)) % FOLDS
    by_t0 = by_ranker = among = NO_PAIRS
    regrets: list[float] = []
    for number in range(FOLDS):
        learned, unseen = samples.where(fold != number), samples.where(fold == number)
        ranker = fit(learned.programs, learned.costs, seed=number)
        by_t0 += count_pairs(unseen.programs.log_t0(), unseen.costs)
        mean = ranker(unseen.programs).mean
        by_ranker += count_pairs(mean, unseen.costs)
        among += count_pairs(mean[unseen.mutated], unseen.costs[unseen.mutated])
        regrets.append(regret_at(1, mean, unseen.costs) or 1.0)
    return (share(by_t0), share(by_ranker), share(among), statistics.mean(regrets))


def share(pairs: PairCount) -> float:
    return pairs.accuracy if pairs.accuracy is not None else float("nan")


if __name__ == "__main__":
    main()
