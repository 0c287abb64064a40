"""How `hltune tune` works, and for how long."""

from dataclasses import dataclass, field

from hltune.runtime.worker import usable_workers
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop; the first limit that is reached counts. All pipelines of a call share it, but for the rounds.

    Attributes:
        minutes: wall time, the final comparison included.
        samples: measurements; known schedules are always measured, for all else is compared with them.
        rounds: rounds of each pipeline; 0 leaves the final comparison only.
        until_done: a pipeline takes no more rounds when they would bring little.
    """

    minutes: float | None = None
    samples: int | None = None
    rounds: int | None = None
    until_done: bool = False

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise out_of_range("--minutes", "more than 0, and finite", self.minutes)
        if self.samples is not None and self.samples < 1:
            raise out_of_range("--samples", "1 or more", self.samples)
        if self.rounds is not None and self.rounds < 0:
            raise out_of_range("--rounds", "0 or more", self.rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions:
    """What a run does.

    Attributes:
        search: the beam search; its weights are the initial ones.
        search_timeout_s: limit on each search.
        budget: when to stop.
        fresh: start from the initial weights again.
        discard: forget the samples of the pipelines on this machine first.
        freeze: leave the weights as they are.
        batch: candidates per round, for each computer that measures; see `Pace.full_batch`.
        round_s: after this time a round begins no further measurement.
        beams: beam searches per round, one of them with the weights of the round and the others with variants.
        search_share: share of a round's time that probing may take.
        random_share: share of the candidates which is chosen at random, of what searches found and of mutants alike.
        workers: processes that search, and as many that compile: as many as there are cores and memory for, on each
            computer.
        lanes: how many of them measure, if there is no memory for the images of so many.
        keep: Funcs whose hand-written schedule stays as it is; the rest is searched by changing that schedule.
        only: Funcs whose schedule is searched so; all others keep their hand-written one.
        finalists: the fastest measured schedules that take part in the final comparison.
    """

    search: Adams2019Options
    search_timeout_s: float
    budget: Budget
    fresh: bool = False
    discard: bool = False
    freeze: bool = False
    batch: int = 48
    round_s: float = 30.0
    beams: int = 4
    search_share: float = 0.3
    random_share: float = 0.1
    workers: int = field(default_factory=usable_workers)
    lanes: int | None = None
    finalists: int = 10
    keep: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def again(self) -> str:
        """What goes on where this run ends; people read it."""
        flags = [flag for flag, given in (("--fresh", self.fresh), ("--discard", self.discard)) if given]
        return f"the same command without {' and '.join(flags)}" if flags else "the same command"

    def __post_init__(self) -> None:
        if self.search.memory_limit_bytes is not None:
            raise InputError(
                "tuning keeps to no memory limit, for mutants know none",
                where="--memory-limit",
                todo="leave it away, or search with `hltune schedule --memory-limit`",
            )
        if self.discard and not self.fresh:
            raise InputError(
                "samples are discarded only for a fresh start", where="--discard", todo="give --fresh as well"
            )
