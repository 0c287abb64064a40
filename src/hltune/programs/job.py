"""From a seed to a random program: a job for a worker."""

from dataclasses import dataclass

from hltune.programs.program import Program
from hltune.runtime.worker import Process
from hltune.values.errors import InputError

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramJob:
    """Makes a program. Run it in a fresh worker: the names that Halide invents depend on the process's history.

    Attributes:
        seed: 0 or more.
        stages: how many kinds of stages to put together; drawn if None.
    """

    seed: int
    stages: int | None = None

    def __post_init__(self) -> None:
        if self.seed < 0 or (self.stages is not None and self.stages < 1):
            raise InputError(
                "no such program",
                where=f"seed {self.seed}, {self.stages} stages",
                expected="a seed from 0, and 1 stage or more",
            )

    @property
    def name(self) -> str:
        """The program's name, for people and for the store."""
        return f"program-{self.seed}" + (f"-{self.stages}" if self.stages else "")

    def run(self, process: Process) -> Program:
        """Runs in the worker."""
        from hltune.programs.generate import generate  # the parent handles jobs without Halide

        process.enter("program", timeout_s=_TIMEOUT_S)
        return generate(self.name, self.seed, self.stages)
