"""A random program: from a seed to a pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from hltune.runtime.worker import Process
from hltune.values.errors import InputError
from hltune.values.pipeline import PipelineSpec

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What people want to know of an input or a Func.

    Attributes:
        kind: of the table in `hltune.programs.kinds`, ``input``, or the condition at the border of an input.
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
        seed: that it comes from, together with `stages`.
        stages: that it was made of; some of them may have become several Funcs, and not all need be in use.
        spec: the pipeline.
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
            raise InputError(
                "no such program",
                where=f"seed {self.seed}, {self.stages} stages",
                expected="a seed from 0, and 1 stage or more",
            )

    @property
    def name(self) -> str:
        """Of the program, for people and for the store."""
        return f"program-{self.seed}" + (f"-{self.stages}" if self.stages else "")

    def run(self, process: Process) -> Program:
        """Runs in the worker.

        Raises:
            JobFailed: no kind of stage fits what is there.
        """
        from hltune.programs.generate import generate  # the parent handles jobs without Halide

        process.enter("program", timeout_s=_TIMEOUT_S)
        return generate(self.name, self.seed, self.stages)
