"""What is in a bundle: candidates by number, and all that is needed to make sense of their results.

::

    {"format": "hltune bundle", "version": 1, "id": "12 digits, a hash of all the rest",
     "name": "median3x3", "pipeline": {...}, "hlpipe": "base64", "target": "arm-64-linux", "threads": 4,
     "halide": "21.0.0", "number": 1, "seed": 0, "inputs": ["in: splitmix64 from state 123"],
     "outputs": ["out: uint8, hash 456"],
     "candidates": [{"number": 0, "name": "expert", "provenance": {...}, "schedule": {...}, "features": "base64"}, ...]}
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from hltune.samples.rows import decode_spec, encode_spec
from hltune.values import provenance, schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.documents import Format
from hltune.values.errors import InputError
from hltune.values.features import Featurization
from hltune.values.pipeline import PipelineSpec

FORMAT = Format(
    name="hltune bundle",
    version=1,
    what="cannot use the manifest of a bundle",
    todo="give the bundle as it was made, by --bundle FILE; or make another one",
)
SHORT = 12
"""Digits of a schedule's hash that results have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A candidate of a bundle.

    Attributes:
        number: what results call it.
        name: what people call it; None for what was found for this bundle.
    """

    number: int
    name: str | None
    candidate: Candidate

    @property
    def short_hash(self) -> str:
        """The beginning of its schedule's hash."""
        return schedule_codec.schedule_hash(self.candidate.schedule)[:SHORT]

    @property
    def function(self) -> str:
        """The C function that runs it."""
        return f"candidate_{self.number}_{self.short_hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A bundle, without its code.

    Attributes:
        target: a full Halide target string.
        threads: size of the thread pool on the device.
        halide: version of Halide.
        number: counts the bundles of this pipeline for one device, from 1.
        inputs: where each input's data comes from, for people.
        outputs: how each output is checked, for people.
        given: what people gave in place of the usual data and tolerances, see `MachineId.given`.
        seed: what the choice of candidates and the inputs' data began with; None where the bundle was made before that
            was kept.
    """

    spec: PipelineSpec
    target: str
    threads: int
    halide: str
    number: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    entries: tuple[Entry, ...]
    given: str = ""
    seed: int | None = None

    @property
    def id(self) -> str:
        """Name of the bundle: 12 hexadecimal digits that depend on all that is in it."""
        return _id(self._fields())

    def encode(self) -> bytes:
        """The content of a file."""
        fields = self._fields()
        return FORMAT.encode({"id": _id(fields), **fields})

    def _fields(self) -> dict[str, Any]:
        return {
            "name": self.spec.name,
            "pipeline": json.loads(encode_spec(self.spec)),
            "hlpipe": base64.b64encode(zlib.compress(self.spec.hlpipe)).decode(),
            "target": self.target,
            "threads": self.threads,
            "halide": self.halide,
            "number": self.number,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "candidates": [_entry(each) for each in self.entries],
            **({"given": self.given} if self.given else {}),
            **({"seed": self.seed} if self.seed is not None else {}),
        }

    @classmethod
    def decode(cls, data: bytes, *, where: str) -> Manifest:
        """Reads what `encode` wrote.

        Raises:
            InputError: it is anything else, or was changed.
        """
        _, document = FORMAT.decode(data, where=where)
        try:
            found = document.pop("id")
            if found != (expected := _id(document)):
                raise FORMAT.damaged(where, f"id {found}, but what it says has id {expected}")
            return cls(
                spec=decode_spec(
                    document["name"],
                    json.dumps(document["pipeline"]),
                    zlib.decompress(base64.b64decode(document["hlpipe"])),
                ),
                target=str(document["target"]),
                threads=int(document["threads"]),
                halide=str(document["halide"]),
                number=int(document["number"]),
                inputs=tuple(document["inputs"]),
                outputs=tuple(document["outputs"]),
                entries=tuple(map(_read_entry, document["candidates"])),
                given=str(document.get("given", "")),
                seed=None if (seed := document.get("seed")) is None else int(seed),
            )
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise FORMAT.damaged(where, f"{type(error).__name__}: {error}") from None
        except InputError as error:
            raise FORMAT.damaged(where, error.found or error.what) from None


def _id(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _entry(entry: Entry) -> dict[str, Any]:
    candidate = entry.candidate
    features = candidate.features and base64.b64encode(zlib.compress(candidate.features.to_halide())).decode()
    return {
        "number": entry.number,
        "name": entry.name,
        "provenance": provenance.to_json(candidate.provenance),
        "schedule": schedule_codec.to_json(candidate.schedule),
        "features": features,
    }


def _read_entry(document: dict[str, Any]) -> Entry:
    features = document["features"]
    candidate = Candidate(
        schedule=schedule_codec.from_json(document["schedule"]),
        provenance=provenance.from_json(document["provenance"]),
        features=features and Featurization.from_halide(zlib.decompress(base64.b64decode(features))),
    )
    return Entry(number=int(document["number"]), name=document["name"], candidate=candidate)
