"""Does a checkpoint of pre-training cost more when there are more batches? ``python -m benchmarks.pretrain_store``

Makes stores of 100, 1,000 and 62,500 random programs with 16 samples each, the last one 1,000,000 samples, and prints
what one checkpoint after ten new batches takes on each, in fresh processes: seconds and MiB.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.store import MACHINE, made
from benchmarks.tool import MIB, json_of, spent
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.sample import PipelineRecord

PROGRAMS = (100, 1_000, 62_500)
SCHEDULES = 16
STAGES = 8
NEW_BATCHES = 10
PART = 250


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def main() -> None:
    print(f"{'programs':>9} {'samples':>10} {'store MiB':>10} {'checkpoint/s':>13} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.sqlite"
        done = 0
        for programs in PROGRAMS:
            with Store(path, progress=Silent(), wait_s=0) as store:
                while done < programs:
                    part = range(done, min(done + PART, programs))
                    for number in part:
                        store.add_pipeline(PipelineRecord(hash=key(number), name=f"program-{number}", spec=None))
                    store.add_all(
                        sample
                        for number in part
                        for sample in made(number * SCHEDULES, SCHEDULES, STAGES, key(number), failures=False)
                    )
                    done = part.stop
            found = json_of("benchmarks.pretrain_store", path)
            print(
                f"{programs:9} {programs * SCHEDULES:10} {path.stat().st_size / MIB:10.0f} {found['seconds']:13.1f} "
                f"{found['peak_bytes'] / MIB:9.0f}",
                flush=True,
            )


def checkpoint(path: Path) -> dict[str, Any]:
    """What `hltune pretrain` does with the store after ten batches, when it has run before."""
    from hltune.cost_model.adams2019.lineage import Lineage
    from hltune.cost_model.adams2019.weights import builtin_weights
    from hltune.pretraining.learning import Learning
    from hltune.pretraining.options import PretrainOptions
    from hltune.pretraining.replay import Replay
    from hltune.search.autoschedulers import Adams2019Options

    with tempfile.TemporaryDirectory() as folder, Store(path, progress=Silent(), wait_s=0) as store:
        learning = Learning(
            PretrainOptions(search=Adams2019Options(parallelism=2)),
            builtin_weights(),
            replay=Replay(store, MACHINE),
            lineage=Lineage(Path(folder)),
        )
        began = time.perf_counter()
        learning.checkpoint(NEW_BATCHES, ())
        return spent(began)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(checkpoint(Path(sys.argv[1]))))
    else:
        main()
