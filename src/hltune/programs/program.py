"""A random program, what people want to know of it, and the job that makes it from a seed."""

import re
from dataclasses import dataclass

from hltune.runtime.worker import Process
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec

TOLERANCE, INTEGER_TOLERANCE = 1e-2, 0
"""Random expressions cancel out more often than those of people, and rounding then shows. All verdicts on random
programs are by these, and so no part of what people gave."""
_TIMEOUT_S = 30.0
_NAME = re.compile(r"program-\d+(-\d+)?")


def is_program_name(name: str) -> bool:
    """It is what `ProgramJob.name` makes."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An input or a Func.

    Attributes:
        kind: a name in the table of `hltune.programs.kinds`, ``input``, or the condition at the border of an input.
        reads: names of the Funcs and inputs that it was made from.
    """

    name: str
    kind: str
    dtype: str
    extents: tuple[int, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A random program.

    Attributes:
        seed: what it comes from, together with `stages`.
        stages: how many it was made of; some of them may have become several Funcs, and not all need be in use.
        nodes: inputs and Funcs that the outputs depend on, in the order of their definitions.
        text: one line for each definition.
    """

    seed: int
    stages: int
    spec: PipelineSpec
    nodes: tuple[Node, ...]
    text: tuple[str, ...]


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
            where = f"seed {self.seed}, {self.stages} stages"
            raise InputError("no such program", where=where, expected="a seed from 0, and 1 stage or more")

    @property
    def name(self) -> str:
        """The program's name, for people and for the store."""
        return f"program-{self.seed}" + (f"-{self.stages}" if self.stages else "")

    def run(self, process: Process) -> Program:
        """Runs in the worker."""
        from hltune.programs.generate import generate  # the parent handles jobs without Halide

        process.enter("program", timeout_s=_TIMEOUT_S)
        return generate(self.name, self.seed, self.stages)
