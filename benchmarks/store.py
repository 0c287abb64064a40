"""A store with 200,000 samples: how long it takes to open and to answer, and what a training round on it takes.

Prints seconds and MiB, measured in fresh processes. ``python -m benchmarks.store [SAMPLES [STAGES]]``
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tool import MIB, json_of, spent
from hltune.runtime.progress import Silent
from hltune.samples.reader import Reader
from hltune.samples.writer import Store
from hltune.values.cost import Cost
from hltune.values.directives import ComputeAt, Parallel, Reorder, Schedule, Split, Vectorize
from hltune.values.errors import Failure
from hltune.values.features import PIPELINE_COLUMNS, SCHEDULE_COLUMNS, Featurization
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import OutputArgument, PipelineSpec
from hltune.values.provenance import Searched
from hltune.values.roles import Stage
from hltune.values.sample import PipelineRecord, Sample
from hltune.values.unit import MILLISECONDS

SAMPLES = 200_000
STAGES = 12
BATCH = 5000
PROBE = Searched(autoscheduler="Adams2019", parameters=(("beam_size", "1"), ("random_dropout", "1"), ("seed", "7")))
MACHINE = MachineId(cpu="some CPU", target="x86-64-linux-avx2", threads=2, halide="21.0.0")
OUTPUT = OutputArgument(name="out", dtypes=("uint8",), estimate=((0, 1536), (0, 2560)))
PIPELINE = PipelineRecord.of(PipelineSpec(name="made", hlpipe=b"made", inputs=(), outputs=(OUTPUT,), funcs=()))
KEYS = (PIPELINE.hash, MACHINE.key)
QUERIES: dict[str, Callable[[Reader], object]] = {
    "opening": lambda _reader: None,
    "statistics": lambda reader: reader.statistics(),
    "seen schedules": lambda reader: reader.costs(*KEYS),
    "ten best": lambda reader: reader.best(*KEYS, 10),
    "training data, all at once": lambda reader: list(reader.training_data(*KEYS)),
    "training data, chunks of 4096": lambda reader: [part.costs for part in reader.training_data(*KEYS, chunk=4096)],
    "training data, newest 20,000": lambda reader: list(reader.training_data(*KEYS, newest=20_000)),
}


def made(
    start: int, count: int, stages: int, pipeline: str = PIPELINE.hash, *, failures: bool = True
) -> Iterator[Sample]:
    """Samples about as large as those of real pipelines; one in 20 fails."""
    rng = np.random.default_rng(start)
    pipeline_features = rng.integers(0, 8, (stages, PIPELINE_COLUMNS)).astype("<f4").tobytes()
    # Real features are mostly zeros and numbers of few digits.
    values = 2.0 ** rng.integers(0, 24, (count, stages, SCHEDULE_COLUMNS)) * rng.integers(0, 2, (count, stages, 39))
    for number, features in enumerate(values.astype("<f4"), start):
        measurement = (
            Failure(stage="compile", kind="timeout", message="took longer than 60 s")
            if failures and number % 20 == 0
            else Cost(unit=MILLISECONDS, turns=(tuple((1e-3 * (1 + rng.random(12))).tolist()),))
        )
        yield Sample(
            pipeline_hash=pipeline,
            machine=MACHINE,
            schedule=schedule(number, stages),
            featurization=Featurization(pipeline_features=pipeline_features, schedule_features=features.tobytes()),
            measurement=measurement,
            provenance=PROBE,
            round=number // 1000,
            measured_at_s=1.7e9 + number,
        )


def schedule(number: int, stages: int) -> Schedule:
    """A different one for every number."""
    stage = Stage("out")
    head = (
        Split(stage, "x", "x", "xi", number + 1),
        Vectorize(stage, "xi"),
        Reorder(stage, ("xi", "x", "y")),
        Parallel(stage, "y"),
    )
    return Schedule(head + tuple(ComputeAt(Stage(f"f{index}"), "out", "y") for index in range(stages)))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    stages = int(sys.argv[2]) if len(sys.argv) > 2 else STAGES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.sqlite"
        began = time.perf_counter()
        with Store(path, progress=Silent(), wait_s=0) as store:
            store.add_pipeline(PIPELINE)
            for start in range(0, count, BATCH):
                store.add_all(made(start, min(BATCH, count - start), stages))
        took_s = time.perf_counter() - began
        print(f"{count} samples of {stages} stages: {path.stat().st_size / MIB:.0f} MiB, made in {took_s:.0f} s")
        print(f"{'':31}{'seconds':>8} {'peak MiB':>9}")
        for name in QUERIES:
            result = json_of("benchmarks.store", "query", path, name)
            print(f"{name:31}{result['seconds']:8.2f} {result['peak_bytes'] / MIB:9.0f}")
        result = json_of("benchmarks.store", "train", path)
        print(f"{'training round of tuning':31}{result['seconds']:8.2f} {result['peak_bytes'] / MIB:9.0f}")
        print(f"{'adding one, median':31}{json_of('benchmarks.store', 'add', path, stages)['seconds']:8.4f}")


def query(path: str, name: str) -> dict[str, Any]:
    began = time.perf_counter()
    with Reader(Path(path)) as reader:
        if name != "opening":
            began = time.perf_counter()
        QUERIES[name](reader)
        return spent(began)


def train(path: str) -> dict[str, Any]:
    """What `hltune tune` does with the store in a round, but for searching and measuring."""
    from hltune.cost_model.adams2019.lineage import Lineage  # JAX would count in the memory of the other queries
    from hltune.cost_model.adams2019.weights import builtin_weights
    from hltune.tuning.history import History
    from hltune.tuning.model import Model

    spec = PIPELINE.spec
    assert spec is not None
    with Store(Path(path), progress=Silent(), wait_s=0) as store:
        lineage = Lineage(Path(path).with_name("weights"))
        model = Model(spec, MACHINE.key, builtin_weights(), lineage, freeze=False)
        began = time.perf_counter()
        history = History(spec, MACHINE, store)
        assert model.learn(history.samples(), 1) is not None
        return spent(began)


def add(path: str, stages: str) -> dict[str, Any]:
    times_s: list[float] = []
    with Store(Path(path), progress=Silent(), wait_s=0) as store:
        for sample in made(10**7, 50, int(stages)):
            began = time.perf_counter()
            store.add(sample)
            times_s.append(time.perf_counter() - began)
    return {"seconds": float(np.median(times_s))}


if __name__ == "__main__":
    if sys.argv[1:2] in (["query"], ["add"], ["train"]):
        print(json.dumps({"query": query, "add": add, "train": train}[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
