"""The learning half of pre-training: from time to time, weights from what the store has; on disk, and judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from hltune.cost_model.adams2019.evaluation import Evaluation, evaluate
from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.adams2019.optimizer import OptimizerState
from hltune.cost_model.adams2019.pretrainer import TrainingState, pretrain_weights
from hltune.cost_model.adams2019.sidecar import PipelineUse, WeightsOrigin
from hltune.cost_model.adams2019.train import rescaled
from hltune.cost_model.adams2019.weights import Weights, weights_hash
from hltune.cost_model.dataset import Dataset
from hltune.pretraining.options import PretrainOptions
from hltune.pretraining.replay import Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """New weights and the initial ones on the same samples."""

    new: Evaluation
    initial: Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights after some batches, on disk.

    Attributes:
        batches: in all.
        programs: in the store that may be trained on.
        on_programs: by held-out programs, which no weights were ever trained on.
        benchmarks: by the built-in benchmarks, which are not trained on either.
        weights: the file.
        seconds: training and judging.
    """

    batches: int
    programs: int
    on_programs: Evaluated
    benchmarks: Evaluated
    weights: Path
    seconds: float


class Learning:
    """Weights under training, which go on from where earlier runs left them.

    Args:
        options: of the run.
        initial: weights that training began with.
        replay: of the samples of one machine.
        machine_key: of that machine.
        lineage: where the weights are kept: ``latest`` are those of the last step, ``best`` are their average.

    Raises:
        InputError: weights of earlier runs are damaged, or come from other initial ones.
    """

    def __init__(
        self, options: PretrainOptions, initial: Weights, *, replay: Replay, machine_key: str, lineage: Lineage
    ) -> None:
        self._options = options
        self._initial = initial
        self._replay = replay
        self._machine_key = machine_key
        self._lineage = lineage
        self._state = _state(lineage, initial)

    @property
    def weights(self) -> Weights:
        """The best so far."""
        return self._state.average

    def checkpoint(self, batches: int, benchmarks: Sequence[str]) -> Checkpoint:
        """Learns from what came since the last checkpoint and from earlier programs, sets, and writes.

        How long that takes depends on the number of batches since the last checkpoint, not on that of all.

        Args:
            batches: that are complete.
            benchmarks: hashes of pipelines to judge by as well.
        """
        began_s = time.monotonic()
        options, replay = self._options, self._replay
        programs = replay.programs()
        new_batches = batches - self._lineage.version("best")
        if new_batches > 0 and programs.learned:
            datasets = replay.read(replay.chosen(programs.learned, options.max_training_programs, seed=batches))
            self._learn(datasets, options.steps_per_batch * new_batches)
        evaluated = self._evaluated(replay.chosen(programs.held_out, options.on_programs, seed=0))
        on_benchmarks = self._evaluated(benchmarks)
        path = self._lineage.path("best")
        if new_batches > 0 or path is None:
            origin = self._origin(programs.learned, batches, evaluated)
            self._lineage.write("latest", batches, self._state.weights, origin, self._state.optimizer)
            path = self._lineage.write("best", batches, self._state.average, origin, None)
        return Checkpoint(
            batches=batches,
            programs=len(programs.learned),
            on_programs=evaluated,
            benchmarks=on_benchmarks,
            weights=path,
            seconds=time.monotonic() - began_s,
        )

    def _learn(self, datasets: list[Dataset], steps: int) -> None:
        if self._state.optimizer.count == 0:
            self._state = TrainingState.start(rescaled(self._initial, datasets))
        self._state = pretrain_weights(
            self._state,
            datasets,
            self._options.recipe,
            steps=steps,
            initial=self._initial,
            seed=self._options.search.seed,
        )

    def _evaluated(self, hashes: Sequence[str]) -> Evaluated:
        datasets = self._replay.read(hashes)
        return Evaluated(new=evaluate(self._state.average, datasets), initial=evaluate(self._initial, datasets))

    def _origin(self, learned: Sequence[str], batches: int, evaluated: Evaluated) -> WeightsOrigin:
        # Thousands of programs are named together: by the hash of their hashes.
        use = PipelineUse(
            name=f"{len(learned)} random programs",
            pipeline_hash=sha256("".join(sorted(learned)).encode()).hexdigest(),
            samples=len(learned) * self._options.schedules,
        )
        recipe = {name: value for name, value in asdict(self._options.recipe).items() if name != "loss"}
        metrics = {name: value for name, value in asdict(evaluated.new).items() if name not in ("pipelines", "samples")}
        return WeightsOrigin(
            parent_hash=weights_hash(self._initial),
            pipelines=(use,),
            machine=self._machine_key,
            options={**recipe, "seed": float(self._options.search.seed), "batches": float(batches)},
            metrics=metrics,
        )


def _state(lineage: Lineage, initial: Weights) -> TrainingState:
    latest, best = (lineage.read(kind, initial) for kind in ("latest", "best"))
    if latest is None:
        return TrainingState.start(initial)
    return TrainingState(
        weights=latest.weights,
        average=best.weights if best else latest.weights,
        optimizer=latest.optimizer_state or OptimizerState.start(),
    )
