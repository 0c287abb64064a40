"""What long searches found, so that no run repeats them: a file each, in the folder of the pipeline.

A search depends on the pipeline, the target, its options, its weights and the version of Halide, and on nothing else.
What cannot be read is searched again.
"""

import base64
import hashlib
import json
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hltune.runtime.files import write_bytes
from hltune.runtime.halide_wheel import halide_version
from hltune.search.autoschedulers import SearchOptions
from hltune.search.pool import Outcome
from hltune.values import provenance, schedule_codec
from hltune.values.candidate import Candidate
from hltune.values.documents import Format
from hltune.values.errors import Failure, InputError
from hltune.values.features import Featurization

_FORMAT = Format(name="hltune-search", version=1, what="cannot use what a search found", todo="delete the file")
_WORTH_KEEPING_S = 1.0
"""What is found sooner is searched again."""
_SAME_LIMIT = 1.25
"""A search that exceeded its limit is tried again with a limit that is larger by this factor."""


@dataclass(frozen=True, slots=True)
class Searches:
    """A `hltune.search.climb.Memory` in a folder, which is made when there is something to keep."""

    folder: Path

    def recall(self, target: str, search: SearchOptions, *, limit_s: float) -> Outcome | None:
        """See `Memory`."""
        path = self._path(target, search)
        try:
            _, fields = _FORMAT.decode(path.read_bytes(), where=str(path))
            if "limit_s" in fields:
                return _failure(fields) if limit_s < fields["limit_s"] * _SAME_LIMIT else None
            return _candidate(fields)
        except (OSError, InputError, ValueError, KeyError, TypeError, zlib.error):
            return None

    def keep(self, target: str, search: SearchOptions, outcome: Outcome, *, limit_s: float) -> None:
        """See `Memory`; other failures than exceeded limits are not remembered, for they may have other causes."""
        if isinstance(outcome, Failure):
            if outcome.kind != "timeout" or outcome.by_chance or limit_s < _WORTH_KEEPING_S:
                return
            fields = {"limit_s": limit_s, "stage": outcome.stage, "message": outcome.message}
        elif (outcome.search_s or 0.0) < _WORTH_KEEPING_S:
            return
        else:
            fields = _fields(outcome)
        with suppress(InputError):  # where nothing can be written, the search is done again
            write_bytes(self._path(target, search), _FORMAT.encode(fields))

    def _path(self, target: str, search: SearchOptions) -> Path:
        asked = provenance.to_json(search.provenance())
        text = json.dumps([halide_version(), target, [asked]], sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _failure(fields: dict[str, Any]) -> Failure:
    return Failure(stage=str(fields["stage"]), kind="timeout", message=str(fields["message"]))


def _fields(found: Candidate) -> dict[str, Any]:
    features = found.features
    return {
        "provenance": provenance.to_json(found.provenance),
        "schedule": schedule_codec.to_json(found.schedule),
        "pipeline_features": features and _packed(features.pipeline_features),
        "schedule_features": features and _packed(features.schedule_features),
        "predicted_ms": found.predicted_ms,
        "search_s": found.search_s,
    }


def _candidate(fields: dict[str, Any]) -> Candidate:
    packed = fields["pipeline_features"], fields["schedule_features"]
    features = None
    if all(packed):
        pipeline_features, schedule_features = map(_unpacked, packed)
        features = Featurization(pipeline_features=pipeline_features, schedule_features=schedule_features)
    predicted_ms = fields["predicted_ms"]
    return Candidate(
        schedule=schedule_codec.from_json(fields["schedule"]),
        provenance=provenance.from_json(fields["provenance"]),
        features=features,
        predicted_ms=None if predicted_ms is None else float(predicted_ms),
        search_s=float(fields["search_s"]),
    )


def _packed(data: bytes) -> str:
    return base64.b85encode(zlib.compress(data)).decode()


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))
