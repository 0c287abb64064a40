"""What earlier runs found out about expected outputs: which schedule is to be believed, and how exact it is.

Finding that out takes several schedules; whoever knows it runs one. It holds only if that one computes the same bytes
from the same inputs again, which is looked at each time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hltune import __version__
from hltune.machine.options import MeasureOptions
from hltune.machine.task import NumPyReference, Task
from hltune.pipeline.images import Array
from hltune.runtime.files import write_bytes
from hltune.runtime.halide_wheel import halide_version
from hltune.values import schedule_codec
from hltune.values.directives import Schedule
from hltune.values.documents import Format
from hltune.values.errors import InputError

_FORMAT = Format(name="hltune-expected", version=5, what="cannot use what is known of outputs", todo="delete the file")
"""A new version for every change of how outputs are compared."""

_VERSIONS = (__version__, np.__version__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known.

    Attributes:
        schedule: the one that is to be believed.
        outputs: digest of what it computes.
        fields: of `hltune.machine.verify.Verification`, as plain values.
    """

    schedule: Schedule
    outputs: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A file of a folder that may be removed at any time."""

    path: Path

    @classmethod
    def of(
        cls,
        folder: Path,
        task: Task,
        arrays: Iterable[Array | float],
        options: MeasureOptions,
        numpy_reference: NumPyReference | None,
        *,
        strict: bool,
        own: str | None = None,
    ) -> Remembered:
        """The file for a pipeline on these inputs, under all else that the outcome depends on.

        Args:
            own: what `PipelineSpec.manual_hash` was, for a pipeline of the store, which keeps no author's schedule.
        """
        spec, given = task.spec, (options.tolerance, options.integer_tolerance)
        conditions = (spec.content_hash, spec.manual_hash or own, task.target, given, numpy_reference, strict)
        key = hashlib.sha256(repr((*_VERSIONS, halide_version(), *conditions, digest(arrays))).encode())
        return cls(folder / f"expected-{key.hexdigest()}.json")

    def read(self) -> Known | None:
        """What is known; None if nothing is."""
        where = str(self.path)
        try:
            _, document = _FORMAT.decode(self.path.read_bytes(), where=where)
            schedule = schedule_codec.from_json(document["schedule"])
            return Known(schedule=schedule, outputs=str(document["outputs"]), fields=dict(document["verification"]))
        except (OSError, InputError, KeyError, TypeError, ValueError):
            return None  # it is found out again

    def write(self, known: Known) -> None:
        """Keeps it, where that is possible."""
        schedule = schedule_codec.to_json(known.schedule)
        document = {"schedule": schedule, "outputs": known.outputs, "verification": known.fields}
        with contextlib.suppress(InputError):
            write_bytes(self.path, _FORMAT.encode(document))


def digest(arrays: Iterable[Array | float]) -> str:
    """Of types, shapes and bytes, in their order."""
    found = hashlib.sha256()
    for each in arrays:
        array = np.asarray(each)
        found.update(repr((array.dtype.str, array.shape)).encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
