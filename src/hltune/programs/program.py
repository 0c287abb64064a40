"""A random program, and what people want to know of it."""

from dataclasses import dataclass

from hltune.values.pipeline import PipelineSpec


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
        spec: the pipeline.
        nodes: inputs and Funcs that the outputs depend on, in the order of their definitions.
        text: one line for each definition.
    """

    seed: int
    stages: int
    spec: PipelineSpec
    nodes: tuple[Node, ...]
    text: tuple[str, ...]
