"""What tuning is worth on the six built-in benchmarks: ``python -m benchmarks.tuned [MINUTES [WORKSPACE [NAMES]]]``.

Tunes each for that long (4 minutes), then prints for each of them

- the winner, and how many times as long the known schedules take, measured interleaved;
- what beam search finds with the tuned weights, without measuring, against the built-in weights, interleaved;
- the share of held-out pairs that network and trees order rightly: five folds, so that no scorer has seen what it is
  evaluated by. In each fold the network starts from the built-in weights and learns as in a round of tuning.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.tool import CORES, KNOWN, host_subject, measured, minutes, names, said, speedup, this_machine, tune
from hltune.cost_model.adams2019.options import TUNING
from hltune.cost_model.adams2019.scorer import NetworkScorer
from hltune.cost_model.adams2019.weights import builtin_weights
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.learner import learn
from hltune.cost_model.scorer import Predictor, Validation, validate
from hltune.cost_model.trees import TreeScorer
from hltune.machine.speedup import Speedup
from hltune.samples.reader import Reader
from hltune.search.autoschedulers import Adams2019Options
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject

FOLDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(sys.argv[2] if len(sys.argv) > 2 else folder))
        print(f"{CORES} cores, {minutes(1):g} minutes each")
        rows = [examine(name, workspace) for name in names(3)]
    stock, beams, network, trees = zip(*rows, strict=True)
    print(f"stock Adams2019 takes, geometric mean: {statistics.geometric_mean(stock):.2f} times as long as the tuned")
    print(
        f"beam search with built-in weights takes, geometric mean: {statistics.geometric_mean(beams):.2f} times as "
        "long as with the tuned ones"
    )
    print(f"held-out pairs, mean: network {statistics.mean(network):.3f}, trees {statistics.mean(trees):.3f}")


def examine(name: str, workspace: Workspace) -> tuple[float, float, float, float]:
    document = tune(name, workspace, minutes(1))
    costs = {row["name"]: row["cost"] for row in document["finalists"] if row["cost"]}
    best = document["best"]
    searched = min((cost for key, cost in costs.items() if key.startswith("tuned")), default=math.nan)
    print(f"\n{name}: winner {best['name']} {best['cost']:.3f} ms, verified; best of the search {searched:.3f} ms")
    print("  times as long: " + ", ".join(f"{key} {costs[key] / best['cost']:.2f}" for key in KNOWN if key in costs))
    rounds = document["rounds"]
    learn_s = sum(done["learn_s"] for done in rounds)
    print(
        f"  {document['measured']} measured, {document['failed']} failed, {document['samples_per_minute']:.0f} per "
        f"minute; learning {learn_s / document['seconds']:.0%} of the time"
    )
    subject = host_subject(name, workspace)
    beam = compare_weights(subject, Path(document["weights"]))
    print(f"  beam search: the time with built-in weights by that with the tuned ones: {said(beam)}")
    network, trees = evaluate(subject, workspace)
    for each in (network, trees):
        print(
            f"  {each.name}: {each.pairs.accuracy:.3f} of {each.pairs.total} held-out pairs, regret@1 "
            f"{each.regret_at_1:.2f}, R2 {each.r2:.2f}",
            flush=True,
        )
    return document["speedup"] or math.nan, beam.value, network.pairs.accuracy or 0.0, trees.pairs.accuracy or 0.0


def compare_weights(subject: Subject, weights: Path) -> Speedup:
    """How much faster than with the built-in weights beam search is with others."""
    searches = [Adams2019Options(parallelism=CORES, weights=path) for path in (None, weights)]
    with SearchPool(1, timeout_s=120) as pool:
        outcomes = pool.run(subject.spec, subject.target.name, searches)
    pairs = zip(("built-in", "tuned"), outcomes, strict=True)
    found = {name: each.schedule for name, each in pairs if isinstance(each, Candidate)}
    costs = measured(subject, found, rounds=31)
    return speedup(costs["built-in"], costs["tuned"])


def evaluate(subject: Subject, workspace: Workspace) -> tuple[Validation, ...]:
    with Reader(workspace.samples) as reader:
        parts = reader.training_data(subject.spec.content_hash, this_machine(subject).key)
        data = max(parts, key=lambda each: len(each.costs))
    samples = Dataset.stored(data, cores=CORES)
    fold = np.random.default_rng(0).permutation(len(samples)) % FOLDS
    folds = [fold == number for number in range(FOLDS)]
    return tuple(validate(each, samples, folds) for each in (Network(), TreeScorer(weights=builtin_weights(), seed=0)))


class Network:
    """The network, after one round of tuning."""

    name = "network"

    def fit(self, samples: Dataset) -> Predictor:
        learned = learn(builtin_weights(), None, samples, TUNING, seed=0)
        return NetworkScorer(weights=learned.weights).fit(samples)


if __name__ == "__main__":
    main()
