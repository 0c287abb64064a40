from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hltune.commands.pretrain import Pretrained, pretrain
from hltune.machine.options import MeasureOptions
from hltune.pretraining.batch import Batch
from hltune.pretraining.journal import Journal
from hltune.pretraining.learning import Checkpoint
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.ranking import RankerCheckpoint
from hltune.search.autoschedulers import Adams2019Options
from hltune.workspace.records import Workspace

THREADS = 2
MEASURE = MeasureOptions(
    threads=THREADS, short_turn_s=0.005, abort_ratio=1000.0, least_run_timeout_s=20.0, least_compile_timeout_s=60.0
)


def make_options(**changes: object) -> PretrainOptions:
    settings: dict[str, object] = {
        "search": Adams2019Options(parallelism=THREADS, beam_size=2, num_passes=1, seed=1),
        "batches": 3,
        "schedules": 5,
        "benchmarks": False,
        "checkpoint_batches": 100,
    }
    return PretrainOptions(**(settings | changes))  # type: ignore[arg-type]


@dataclass
class Recorder:
    """Remembers what it was told, and may print it."""

    loud: bool = False
    batches: list[Batch] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    rankers: list[RankerCheckpoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def phase(self, text: str) -> None:
        if self.loud:
            print("phase", text, flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, *, done: int, batches: int, end_s: float) -> None: ...

    def batch_done(self, batch: Batch, journal: Journal) -> None:
        assert journal.batches == batch.number + 1
        self.batches.append(batch)
        if self.loud:
            print("batch", batch.number, flush=True)

    def checkpoint_done(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)

    def ranker_done(self, checkpoint: RankerCheckpoint) -> None:
        self.rankers.append(checkpoint)


def run(
    root: Path,
    options: PretrainOptions,
    recorder: Recorder | None = None,
    *,
    use: bool = False,
    cluster: str | None = None,
) -> Pretrained:
    return pretrain(
        options,
        target="host",
        workspace=Workspace(root),
        measure=MEASURE,
        use=use,
        progress=recorder or Recorder(),
        cluster=cluster,
    )
