"""How `hltune pretrain` works, and for how long."""

from dataclasses import dataclass

from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """What a run does.

    Attributes:
        search: the beam search; its weights, seed and parallelism are those of the whole run.
        batches: programs in all, those of earlier runs included.
        minutes: wall time of this run; a batch that has begun is finished.
        schedules: distinct ones per program that searches find; as many mutants of them are measured as well.
        from_scratch: start from random weights.
        fresh: forget the weights of earlier runs, and begin with the first program again; samples stay.
        benchmarks: evaluate the weights by the built-in benchmarks as well.
        checkpoint_batches: batches from one checkpoint to the next.
    """

    search: Adams2019Options
    batches: int = 100
    minutes: float | None = None
    schedules: int = 16
    from_scratch: bool = False
    fresh: bool = False
    benchmarks: bool = True
    checkpoint_batches: int = 10

    def __post_init__(self) -> None:
        if self.batches < 1:
            raise out_of_range("--batches", "1 or more", self.batches)
        if self.schedules < 4:
            raise out_of_range("--schedules", "4 or more", self.schedules)
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise out_of_range("--minutes", "more than 0", self.minutes)
        if self.from_scratch and self.search.weights is not None:
            todo = "give one of the two"
            raise InputError("two starts for the weights", where="--from-scratch", found="--weights as well", todo=todo)
