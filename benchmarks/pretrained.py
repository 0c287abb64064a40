"""What pre-trained weights are worth on the six built-in benchmarks, which they were never trained on.

``python -m benchmarks.pretrained WEIGHTS [MINUTES [NAMES]]`` prints for each of them, measured interleaved

- how many times as fast what beam search finds with these weights is, without measuring, as with the built-in ones;
- how many times as fast the schedule of a tuning that starts from these weights is as that of one that starts from the
  built-in ones and has twice as long (4 minutes).

Each tuning has a workspace of its own, so that none knows what another has measured.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.tuned import CORES, compare_weights, speedup, tune
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.speedup import Speedup
from hltune.suite.catalog import BENCHMARKS
from hltune.values.directives import Schedule
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject


def main() -> None:
    weights = Path(sys.argv[1]).absolute()
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    names = sys.argv[3:] or [benchmark.name for benchmark in BENCHMARKS]
    print(f"{CORES} cores; tuning {minutes / 2:g} minutes with {weights.name}, {minutes:g} with the built-in weights")
    rows = [examine(name, weights, minutes) for name in names]
    beams, tunings = ([pair[index].value for pair in rows] for index in range(2))
    print(f"beam search, geometric mean: {statistics.geometric_mean(beams):.2f} times as fast, worst {min(beams):.2f}")
    print(
        f"tuning in half the time is as fast for {sum(each >= 1 for each in tunings)} of {len(tunings)}; geometric "
        f"mean {statistics.geometric_mean(tunings):.3f} times as fast"
    )


def examine(name: str, weights: Path, minutes: float) -> tuple[Speedup, Speedup]:
    with tempfile.TemporaryDirectory() as folder:
        patient, quick = Workspace(Path(folder, "built-in")), Workspace(Path(folder, "pretrained"))
        subject = load_subject(SubjectOptions(pipeline=name, target="host"), patient)
        tune(name, patient, minutes)
        tune(name, quick, minutes / 2, "--weights", str(weights))
        tuning = speedup(subject, slow=tuned(patient, subject), fast=tuned(quick, subject))
    beam = compare_weights(subject, weights)
    print(f"{name:12} beam search {said(beam)}, tuning in half the time {said(tuning)}", flush=True)
    return beam, tuning


def tuned(workspace: Workspace, subject: Subject) -> Schedule:
    return workspace.best(subject.spec, identify(subject.target, MeasureOptions(threads=CORES))).schedule


def said(found: Speedup) -> str:
    return f"{found.value:.3f} times as fast ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    main()
