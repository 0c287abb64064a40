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

from benchmarks.tool import CORES, host_subject, measured, minutes, names, said, speedup, this_machine, tune
from benchmarks.tuned import compare_weights
from hltune.machine.speedup import Speedup
from hltune.workspace.records import Workspace


def main() -> None:
    weights = Path(sys.argv[1]).absolute()
    long = minutes(2)
    print(f"{CORES} cores; tuning {long / 2:g} minutes with {weights.name}, {long:g} with the built-in weights")
    rows = [examine(name, weights, long) for name in names(3)]
    beams, tunings = ([pair[index].value for pair in rows] for index in range(2))
    print(f"beam search, geometric mean: {statistics.geometric_mean(beams):.2f} times as fast, worst {min(beams):.2f}")
    as_fast, mean = sum(each >= 1 for each in tunings), statistics.geometric_mean(tunings)
    print(
        f"tuning in half the time is as fast for {as_fast} of {len(tunings)}; geometric mean {mean:.3f} times as fast"
    )


def examine(name: str, weights: Path, long: float) -> tuple[Speedup, Speedup]:
    with tempfile.TemporaryDirectory() as folder:
        patient, quick = Workspace(Path(folder, "built-in")), Workspace(Path(folder, "pretrained"))
        subject = host_subject(name, patient)
        tune(name, patient, long, "--weights", "builtin")
        tune(name, quick, long / 2, "--weights", str(weights))
        machine = this_machine(subject)
        tuned = {each.root.name: each.best(subject.spec, machine).schedule for each in (patient, quick)}
        costs = measured(subject, tuned, rounds=31)
    tuning = speedup(costs["built-in"], costs["pretrained"])
    beam = compare_weights(subject, weights)
    print(f"{name:12} times as fast: beam search {said(beam)}, tuning in half the time {said(tuning)}", flush=True)
    return beam, tuning


if __name__ == "__main__":
    main()
