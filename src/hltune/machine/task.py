"""What to run, and what its outputs are checked against."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hltune.machine.inputs import Array, Inputs
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec

DEFAULT_REFERENCE = Schedule()
"""The schedule without directives, which computes the expected outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A schedule to compile for this computer and to run.

    Attributes:
        target: a full Halide target string that this computer can run.
        reference: directory with the expected outputs, or None to accept any.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    inputs: Inputs
    reference: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumPyReference:
    """A function of an installed module: arrays of all images by name -> arrays of all outputs."""

    module: str
    function: str

    def __call__(self, arrays: Mapping[str, Array]) -> tuple[Array, ...]:
        """Computes the expected outputs."""
        return getattr(importlib.import_module(self.module), self.function)(arrays)
