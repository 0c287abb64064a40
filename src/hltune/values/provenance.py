"""Where schedules come from; the one codec of it.

::

    {"kind": "searched", "autoscheduler": "Adams2019", "weights": "SHA-256", "beam_size": "32", ...}
    {"kind": "mutated", "parent": "schedule's hash", "mutation": ["tail", "unroll"]}
    {"kind": "named", "name": "expert"}
    {"kind": "imported", "imported": "one.sample", "pipeline_id": 1, "schedule_id": 2}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hltune.values.documents import convert
from hltune.values.errors import InputError

REPAIR = "repair"
"""The only change of a schedule that would leave its images without it, see `hltune.schedule.repair`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Found by one of Halide's autoschedulers.

    Attributes:
        autoscheduler: Halide's name of it.
        weights: hash of the weights that steered the search; None for the built-in ones, or without a cost model.
        parameters: all others, as the autoscheduler takes them.
    """

    autoscheduler: str
    weights: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """A known schedule with a few details changed.

    Attributes:
        parent: hash of the schedule that was changed.
        changes: names of what was done to it.
    """

    parent: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A schedule that is known by a name: the default one, one written by hand, a file."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Measured by Halide's own tuning loop.

    Attributes:
        file: name of its ``.sample`` file, which also has the numbers that the loop gave pipeline and schedule.
    """

    file: str
    pipeline_id: int
    schedule_id: int


Provenance = Searched | Mutated | Named | Imported


def to_json(provenance: Provenance) -> dict[str, Any]:
    """A document of plain values."""
    match provenance:
        case Searched(autoscheduler=name, weights=weights, parameters=parameters):
            return {"kind": "searched", "autoscheduler": name, "weights": weights, **dict(parameters)}
        case Mutated(parent=parent, changes=changes):
            return {"kind": "mutated", "mutation": list(changes), "parent": parent}
        case Named(name=name):
            return {"kind": "named", "name": name}
        case Imported(file=file, pipeline_id=pipeline_id, schedule_id=schedule_id):
            return {"kind": "imported", "imported": file, "pipeline_id": pipeline_id, "schedule_id": schedule_id}


def from_json(document: Mapping[str, Any]) -> Provenance:
    """Reads what `to_json` wrote.

    Raises:
        InputError: the document is anything else.
    """
    fields = dict(document)
    match fields.pop("kind", None):
        case "searched":
            head = {name: fields.pop(name, None) for name in ("autoscheduler", "weights")}
            return convert(head | {"parameters": list(fields.items())}, Searched)
        case "mutated":
            return convert({"changes": fields.pop("mutation", None), **fields}, Mutated)
        case "named":
            return convert(fields, Named)
        case "imported":
            return convert({"file": fields.pop("imported", None), **fields}, Imported)
        case kind:
            expected = "searched, mutated, named or imported"
            raise InputError("unknown provenance", expected=expected, found=f"kind {kind!r}")
