"""The learning half of pre-training: from time to time, weights from what the store has; on disk, and evaluated."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from hltune.cost_model.adams2019.lineage import Lineage, PipelineUse, WeightsOrigin
from hltune.cost_model.adams2019.options import pretraining
from hltune.cost_model.adams2019.scorer import evaluate
from hltune.cost_model.adams2019.train import TrainingState, rescaled, train
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.cost_model.dataset import Dataset
from hltune.cost_model.metrics import Evaluation
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.replay import MOST_HELD_OUT, MOST_LEARNED, Replay, chosen

_STEPS_PER_BATCH = 25
"""Training steps for every batch since the last checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """How well new weights and the initial ones do on the same samples."""

    new: Evaluation
    initial: Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights after some batches, on disk.

    Attributes:
        programs: programs in the store that may be trained on.
        held_out: how well they do on held-out programs, which no weights were ever trained on.
        benchmarks: how well they do on the built-in benchmarks, which are not trained on either.
        seconds: wall time of training and evaluation.
    """

    batches: int
    programs: int
    held_out: Evaluations
    benchmarks: Evaluations
    weights: Path
    seconds: float


class Learning:
    """Weights under training, which go on from where earlier runs left them.

    In the lineage, ``latest`` are the weights of the last step, ``best`` are their average.

    Raises:
        InputError: weights of earlier runs are damaged, or come from other initial ones.
    """

    def __init__(self, options: PretrainOptions, initial: Weights, *, replay: Replay, lineage: Lineage) -> None:
        self._options = options
        self._initial = initial
        self._replay = replay
        self._lineage = lineage
        latest, best = (lineage.read(kind, initial) for kind in ("latest", "best"))
        self._state = TrainingState.start(latest.weights if latest else initial, latest and latest.optimizer_state)
        if latest and best:
            self._state = replace(self._state, average=best.weights)

    @property
    def weights(self) -> Weights:
        """The result so far."""
        return self._state.average

    def checkpoint(self, batches: int, benchmarks: Sequence[str]) -> Checkpoint:
        """Learns from what came since the last checkpoint and from earlier programs, evaluates, and writes.

        How long that takes depends on the number of batches since the last checkpoint, not on that of all. The weights
        are evaluated by the pipelines with these hashes as well.
        """
        began_s = time.monotonic()
        replay = self._replay
        learned, held_out = replay.programs()
        new_batches = batches - self._lineage.version("best")
        datasets = replay.read(chosen(learned, MOST_LEARNED, seed=batches)) if new_batches > 0 else []
        if any(len(each.costs) > 1 for each in datasets):  # of others there is nothing to compare
            self._learn(datasets, _STEPS_PER_BATCH * new_batches)
        on_held_out = self._evaluations(chosen(held_out, MOST_HELD_OUT, seed=0))
        on_benchmarks = self._evaluations(benchmarks)
        path = self._lineage.path("best")
        if new_batches > 0 or path is None:
            origin = self._origin(learned, datasets, batches, on_held_out.new)
            self._lineage.write("latest", batches, self._state.weights, origin, self._state.optimizer)
            path = self._lineage.write("best", batches, self._state.average, origin, None)
        return Checkpoint(
            batches=batches,
            programs=len(learned),
            held_out=on_held_out,
            benchmarks=on_benchmarks,
            weights=path,
            seconds=time.monotonic() - began_s,
        )

    def _learn(self, datasets: list[Dataset], steps: int) -> None:
        if self._state.optimizer.count == 0:
            self._state = TrainingState.start(rescaled(self._initial, datasets))
        seed = self._options.search.seed
        self._state = train(self._state, datasets, pretraining(steps), initial=self._initial, seed=seed)

    def _evaluations(self, hashes: Sequence[str]) -> Evaluations:
        datasets = self._replay.read(hashes)
        return Evaluations(new=evaluate(self._state.average, datasets), initial=evaluate(self._initial, datasets))

    def _origin(
        self, learned: Sequence[str], datasets: Sequence[Dataset], batches: int, evaluation: Evaluation
    ) -> WeightsOrigin:
        # Thousands of programs are named together: by the hash of their hashes.
        use = PipelineUse(
            name=f"{len(learned)} random programs",
            pipeline_hash=sha256("".join(sorted(learned)).encode()).hexdigest(),
            samples=sum(len(each.costs) for each in datasets),
        )
        numbers = {"seed": float(self._options.search.seed), "batches": float(batches)}
        return WeightsOrigin(
            parent_hash=weights_hash(self._initial),
            pipelines=(use,),
            machine=self._replay.machine.key,
            options=pretraining(_STEPS_PER_BATCH).numbers() | numbers,
            metrics={key: value for key, value in asdict(evaluation).items() if key not in ("pipelines", "samples")},
        )
