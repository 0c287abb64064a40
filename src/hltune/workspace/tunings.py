"""Which commands tuned a pipeline."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningCommand:
    """One run of `hltune tune`.

    Attributes:
        command: as a shell takes it.
        seed: of all that was left to chance.
        began_s: when, in seconds since 1970.
        hltune: the version that ran.
    """

    command: str
    seed: int
    began_s: float
    hltune: str
