"""The ranker's half of pre-training: from time to time, trees from what the store has; on disk, and evaluated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hltune.cost_model.metrics import Evaluation
from hltune.cost_model.pretrained import Group, evaluate, evaluate_t0, pretrain
from hltune.cost_model.ranker_file import RankerOrigin, Rankers, read_ranker
from hltune.pretraining.replay import MOST_HELD_OUT, MOST_LEARNED, Replay, chosen
from hltune.values.errors import InputError

_LEAST_PROGRAMS = 8
"""With fewer, there is nothing to say of programs that nobody has seen."""
_GROWTH = 1.25
"""Trees are grown anew when there are so many times as many programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerCheckpoint:
    """A ranker after some batches, on disk.

    Attributes:
        programs: how many it has learned from.
        held_out: how well it does on held-out programs.
        held_out_t0: how well T0 alone does on the same ones, as it is fitted to this machine.
        benchmarks: how well it does on the built-in benchmarks, from which it does not learn either.
        seconds: wall time of learning and evaluation.
    """

    batches: int
    programs: int
    held_out: Evaluation
    held_out_t0: Evaluation
    benchmarks: Evaluation
    path: Path
    seconds: float


@dataclass(slots=True, kw_only=True)
class Ranking:
    """Learns from the programs of a machine, into a folder."""

    replay: Replay
    rankers: Rankers
    seed: int

    def due(self, batches: int) -> bool:
        """True if there are many more programs than the newest ranker has learned from."""
        return batches >= _GROWTH * self.rankers.version()

    def checkpoint(self, batches: int, benchmarks: Sequence[str]) -> RankerCheckpoint | None:
        """Learns, writes and evaluates; None as long as there are too few programs.

        What these batches have taught already is not learned again. The ranker is evaluated by the pipelines with
        these hashes as well.
        """
        began_s = time.monotonic()
        learned, held_out = self.replay.programs()
        unseen = self.replay.groups(chosen(held_out, MOST_HELD_OUT, seed=0))
        if not self._is_current(batches) and not self._learn(batches, learned, unseen):
            return None
        path = self.rankers.path()
        assert path is not None, "it was written"
        stored = read_ranker(path)
        return RankerCheckpoint(
            batches=batches,
            programs=stored.origin.programs,
            held_out=evaluate(stored.ranker, unseen),
            held_out_t0=evaluate_t0(unseen, stored.ranker.scales),
            benchmarks=evaluate(stored.ranker, self.replay.groups(benchmarks)),
            path=path,
            seconds=time.monotonic() - began_s,
        )

    def _is_current(self, batches: int) -> bool:
        """The newest ranker has learned from these batches, and can be read."""
        path = self.rankers.path()
        if path is None or self.rankers.version() != batches:
            return False
        with suppress(InputError):
            read_ranker(path)
            return True
        return False

    def _learn(self, batches: int, learned: Sequence[str], unseen: Sequence[Group]) -> bool:
        """Learns and writes; False if there is too little to learn from."""
        groups = self.replay.groups(chosen(learned, MOST_LEARNED, seed=batches))
        if len(groups) < _LEAST_PROGRAMS:
            return False
        ranker = pretrain(groups, seed=self.seed)
        metrics = asdict(evaluate(ranker, unseen))
        origin = RankerOrigin(
            machine=self.replay.machine.key,
            programs=len(groups),
            samples=sum(len(each.costs) for each in groups),
            metrics={key: value for key, value in metrics.items() if key not in ("pipelines", "samples")},
        )
        self.rankers.write(batches, ranker, origin)
        return True
