"""How `hltune pretrain` works, and for how long."""

from dataclasses import dataclass

from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """What a run does.

    Attributes:
        search: the beam search; its weights, seed and parallelism are those of the whole run.
        batches: programs in all, those of earlier runs included.
        minutes: wall time of this run; a batch that has begun is finished.
        schedules: distinct ones per program.
        from_scratch: start from random weights.
        fresh: forget the weights of earlier runs, and begin with the first program again; samples stay.
        benchmarks: evaluate the weights by the built-in benchmarks as well.
        current_weight_beams: beam searches per program with the weights under training, and with variants of them.
        checkpoint_batches: batches from one checkpoint to the next.
        search_timeout_s: limit on each search; a program whose searches exceed it is rejected.
        steps_per_batch: training steps for every batch since the last checkpoint.
        max_training_programs: programs that one checkpoint learns from at most, half of them the newest ones.
        max_held_out_programs: held-out programs that weights are evaluated by at most, half of them the newest ones.
    """

    search: Adams2019Options
    batches: int = 100
    minutes: float | None = None
    schedules: int = 16
    from_scratch: bool = False
    fresh: bool = False
    benchmarks: bool = True
    current_weight_beams: int = 2
    checkpoint_batches: int = 10
    search_timeout_s: float = 5.0
    steps_per_batch: int = 25
    max_training_programs: int = 2000
    max_held_out_programs: int = 200

    def __post_init__(self) -> None:
        _check("--batches", self.batches, 1)
        _check("--schedules", self.schedules, 4)
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise InputError("option out of range", where="--minutes", expected="more than 0", found=str(self.minutes))
        if self.from_scratch and self.search.weights is not None:
            raise InputError(
                "two starts for the weights",
                where="--from-scratch",
                found="--weights as well",
                todo="give one of the two",
            )


def _check(option: str, value: int, least: int) -> None:
    if value < least:
        raise InputError("option out of range", where=option, expected=f"{least} or more", found=str(value))
