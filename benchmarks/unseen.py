"""What is known of programs that nobody has seen: ``python -m benchmarks.unseen WORKSPACE [FIGURE]``, of pre-training.

In five folds of the random programs it prints, for T0 as it is, for T0 with fitted scales, for trees without T0 and
for the ranker: the share of pairs that are ordered rightly, of all schedules of a program and of mutants, and how many
times as long as the best the first choice and the best of eight choices take; then the same of the six benchmarks, by
what all random programs teach; then how the ranker's figures grow with the number of programs. The figure shows costs
in relation to the best of their program, predicted against measured.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import lowered
from benchmarks.lowered import Samples
from hltune.cost_model.metrics import NO_PAIRS, count_pairs, regret_at
from hltune.cost_model.pretrained import Group, fitted_scales, pretrain, pretrain_failing
from hltune.cost_model.programs import Programs
from hltune.machine.sensitivity import every_func_at_root
from hltune.programs.program import is_program_name
from hltune.report.pictures import drawn
from hltune.samples.reader import Reader
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.records import Workspace

FOLDS = 5
SIZES = (25, 50, 100, 200, 400, 800)
Predictor = Callable[[Programs], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """The schedules of one pipeline."""

    name: str
    samples: Samples

    @property
    def group(self) -> Group:
        return Group(programs=self.samples.programs, costs=self.samples.costs, failed=self.samples.failed)


def main() -> None:
    cases = read(Path(sys.argv[1]))
    random = [each for each in cases if is_program_name(each.name)]
    known = [each for each in cases if not is_program_name(each.name)]
    print(f"{len(random)} random programs, {sum(len(each.group.costs) for each in random)} schedules; {FOLDS} folds")
    print(f"{'':34}{'pairs':>8}{'mutants':>9}{'regret@1':>10}{'regret@8':>10}")
    for name, learn in LEARNERS.items():
        say(name, random, in_folds(random, learn))
        say("  the six", known, [learn(random)(each.group.programs) for each in known])
    for size in (each for each in SIZES if each < len(random) * (FOLDS - 1) / FOLDS):
        say(f"ranker of {size} programs", random, in_folds(random, ranker_of, most=size))
    say_failing(random)
    if len(sys.argv) > 2:
        draw(Path(sys.argv[2]), random, in_folds(random, ranker_of))


def read(path: Path) -> list[Case]:
    cases: list[Case] = []
    with Reader(Workspace(path).samples) as reader:
        for row in reader.statistics():
            if (spec := reader.spec(row.pipeline_hash)) is None:
                continue
            root = schedule_hash(every_func_at_root(spec))
            samples = lowered.read(reader, row.pipeline_hash, row.machine.key, root=root)
            if samples is not None and len(samples.costs) > 1:
                cases.append(Case(name=row.pipeline_name, samples=samples))
    return cases


def fixed_t0(_: Sequence[Case]) -> Predictor:
    return lambda programs: programs.log_t0()


def fitted_t0(learned: Sequence[Case]) -> Predictor:
    scales = fitted_scales([each.group for each in learned])
    return lambda programs: programs.log_t0(scales)


def trees_alone(learned: Sequence[Case]) -> Predictor:
    def without(programs: Programs) -> Programs:
        return Programs(x=programs.x, terms=np.ones_like(programs.terms))

    groups = [Group(programs=without(each.group.programs), costs=each.group.costs) for each in learned]
    ranker = pretrain(groups, seed=0)
    return lambda programs: ranker(without(programs)).mean


def ranker_of(learned: Sequence[Case]) -> Predictor:
    ranker = pretrain([each.group for each in learned], seed=0)
    return lambda programs: ranker(programs).mean


LEARNERS: dict[str, Callable[[Sequence[Case]], Predictor]] = {
    "T0": fixed_t0,
    "T0, fitted": fitted_t0,
    "trees without T0": trees_alone,
    "ranker": ranker_of,
}


def in_folds(
    cases: Sequence[Case], learn: Callable[[Sequence[Case]], Predictor], *, most: int | None = None
) -> list[NDArray[np.float64]]:
    """Logarithms of predicted costs of each, by at most so many others."""
    fold = folds_of(cases)
    predicted: list[NDArray[np.float64]] = [np.empty(0)] * len(cases)
    for number in range(FOLDS):
        predict = learn([each for each, of in zip(cases, fold, strict=True) if of != number][:most])
        for index in map(int, np.flatnonzero(fold == number)):
            predicted[index] = predict(cases[index].group.programs)
    return predicted


def folds_of(cases: Sequence[Case]) -> NDArray[np.int64]:
    """The fold of each."""
    return np.random.default_rng(0).permutation(len(cases)) % FOLDS


def say(name: str, cases: Sequence[Case], predicted: Sequence[NDArray[np.float64]]) -> None:
    pairs = mutants = NO_PAIRS
    regrets: dict[int, list[float]] = {1: [], 8: []}
    for case, logs in zip(cases, predicted, strict=True):
        costs = case.samples.costs
        pairs += count_pairs(logs, costs)
        mutants += count_pairs(logs[case.samples.mutated], costs[case.samples.mutated])
        for most, values in regrets.items():
            values.append(regret_at(most, logs, costs) or 1.0)
    shares = [lowered.share(each) for each in (pairs, mutants)]
    means = [statistics.mean(values) if values else float("nan") for values in regrets.values()]
    print(f"{name:34}{shares[0]:8.3f}{shares[1]:9.3f}{means[0]:10.2f}{means[1]:10.3f}", flush=True)


def say_failing(cases: Sequence[Case]) -> None:
    """Prints how well what fails is told from what works."""
    fold = folds_of(cases)
    works, fails = (list[NDArray[np.float64]](), list[NDArray[np.float64]]())
    for number in range(FOLDS):
        failing = pretrain_failing([each.group for each, of in zip(cases, fold, strict=True) if of != number], seed=0)
        for each in (cases[int(index)].samples for index in np.flatnonzero(fold == number)):
            if failing is not None:
                works.append(failing(each.programs.x))
                fails.append(failing(each.failed.x))
    chances = [np.concatenate(each) if each else np.empty(0) for each in (fails, works)]
    labels = np.repeat([0.0, 1.0], [len(each) for each in chances])
    said = [f"{int((each > 0.5).sum())} of {len(each)}" for each in chances]
    print(f"likely to fail: of what failed {said[0]}, of what worked {said[1]}; ", end="")
    print(f"pairs of both that are ordered rightly: {lowered.share(count_pairs(-np.concatenate(chances), labels)):.3f}")


def draw(path: Path, cases: Sequence[Case], predicted: Sequence[NDArray[np.float64]]) -> None:
    with drawn(path, size=(5, 5)) as axes:
        for case, logs in zip(cases, predicted, strict=True):
            best = np.argmin(case.group.costs)
            measured = case.group.costs / case.group.costs[best]
            axes.loglog(measured, np.exp(logs - logs[best]), ".", color="C0", markersize=2, rasterized=True)
        axes.plot([1, 1000], [1, 1000], color="0.5", linewidth=1)
        axes.set(xlabel="measured / best of the program", ylabel="predicted / predicted for the best")
        axes.set(xlim=(0.9, 1000), ylim=(0.05, 1000), title="Schedules of programs that the ranker has not seen")


if __name__ == "__main__":
    main()
