"""What a round of tuning did."""

from __future__ import annotations

from dataclasses import dataclass

from hltune.cost_model.scorer import Validation
from hltune.values.errors import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did.

    Attributes:
        number: counts the rounds of this pipeline on this machine, from run to run.
        best: cost of the fastest schedule of all rounds; None as long as every candidate has failed.
        beam: cost of what beam search finds with the weights of the round; None if it failed, or none was made.
        known: how many of the searches found what had been found before.
        drafted: mutants that were made, of which the model chose.
        refused: how many of these Halide refused to lower.
        measured: candidates, failed ones included.
        repaired: those that were changed first, so that they stay inside of their images.
        validations: how the scorers did on held-out samples, after the round; empty with too few samples or no time.
        held_out: how many samples that were.
        selected: name of the scorer that chooses in the next round; None if nothing was learned.
    """

    pipeline: str
    number: int
    best: float | None
    beam: float | None
    searches: int
    known: int
    drafted: int
    refused: int
    measured: int
    failures: tuple[Failure, ...]
    repaired: int
    validations: tuple[Validation, ...]
    held_out: int
    selected: str | None
    search_s: float
    measure_s: float
    learn_s: float

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.search_s + self.measure_s + self.learn_s
