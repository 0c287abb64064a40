"""A pre-trained ranker on disk: one JSON file, ``best-NUMBER.ranker.json``, with its trees as LightGBM writes them.

The number is that of the batches that were measured before. A new one is complete before the old one goes.
"""

from __future__ import annotations

import base64
import lzma
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm
import numpy as np
from lightgbm.basic import LightGBMError

from hltune.cost_model.bagging import Ensemble
from hltune.cost_model.failing import Failing
from hltune.cost_model.pretrained import Pretrained, Range
from hltune.cost_model.programs import COLUMNS
from hltune.lowered.estimate import TERMS
from hltune.runtime.files import newest, numbered, write_bytes
from hltune.values.documents import Format
from hltune.values.errors import InputError

_TODO = "pre-train again (`hltune pretrain`), or remove the file"
_FORMAT = Format(name="hltune-ranker", version=1, what="damaged file of a ranker", todo=_TODO)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerOrigin:
    """Where a ranker comes from.

    Attributes:
        machine: key of the machine that the programs were measured on.
        programs, samples: how many it has learned from.
        metrics: on programs that it has not learned from; None for what these do not determine.
    """

    machine: str
    programs: int
    samples: int
    metrics: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRanker:
    """What a file holds."""

    ranker: Pretrained
    origin: RankerOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The fields of the file.

    Attributes:
        columns: version of the features that the trees refer to.
        trees: the ensembles, each as base85 of LZMA of LightGBM's text.
        failing: those that say what fails; none if nothing was learned of it.
        failing_offset: see `Failing`.
    """

    columns: str
    origin: RankerOrigin
    scales: tuple[float, ...]
    offset: float
    offset_spread: float
    error: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    usual: float
    trees: tuple[str, ...]
    failing: tuple[str, ...] = ()
    failing_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Rankers:
    """A folder of rankers, of which the newest counts; nothing is created before something is written."""

    directory: Path

    def path(self) -> Path | None:
        """The newest file, or None."""
        return newest(self._versions())

    def version(self) -> int:
        """Its number; 0 if there is none."""
        return max(self._versions(), default=0)

    def write(self, number: int, ranker: Pretrained, origin: RankerOrigin) -> Path:
        """Writes one, and removes the older ones."""
        old = self._versions()
        path = self.directory / f"best-{number:05d}.ranker.json"
        write_ranker(path, ranker, origin)
        for each in old.values():
            if each != path:
                each.unlink(missing_ok=True)
        return path

    def clear(self) -> None:
        """Removes all."""
        for each in self._versions().values():
            each.unlink(missing_ok=True)

    def _versions(self) -> dict[int, Path]:
        return numbered(self.directory, r"best-([0-9]+)\.ranker\.json")


def write_ranker(path: Path, ranker: Pretrained, origin: RankerOrigin) -> None:
    """Writes it whole or not at all; raises InputError if it cannot be written."""
    document = _Document(
        columns=COLUMNS,
        origin=origin,
        scales=tuple(map(float, ranker.scales)),
        offset=ranker.offset,
        offset_spread=ranker.offset_spread,
        error=ranker.error,
        low=tuple(map(float, ranker.range.low)),
        high=tuple(map(float, ranker.range.high)),
        usual=ranker.range.usual,
        trees=_packed(ranker.ensembles),
        failing=() if ranker.failing is None else _packed(ranker.failing.ensembles),
        failing_offset=0.0 if ranker.failing is None else ranker.failing.offset,
    )
    write_bytes(path, _FORMAT.encode(asdict(document)), durable=True)


def read_ranker(path: Path) -> StoredRanker:
    """Reads what `write_ranker` wrote.

    Raises:
        InputError: it is damaged, cannot be read, or was made for other features than this version's.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _FORMAT.damaged(str(path), error.strerror) from None
    document = _FORMAT.read(data, _Document, where=str(path))
    if document.columns != COLUMNS:
        raise InputError(
            "this ranker was made for other features of programs",
            where=str(path),
            expected=f"version {COLUMNS}",
            found=f"version {document.columns}",
            todo=_TODO,
        )
    try:
        ensembles, failing = _unpacked(document.trees), _unpacked(document.failing)
    except (ValueError, lzma.LZMAError, LightGBMError) as error:
        raise _FORMAT.damaged(str(path), str(error)) from None
    if not ensembles or len(document.scales) != len(TERMS) or len(document.low) != len(document.high):
        raise _FORMAT.damaged(str(path), "numbers are missing")
    ranker = Pretrained(
        ensembles=ensembles,
        scales=np.array(document.scales),
        offset=document.offset,
        offset_spread=document.offset_spread,
        error=document.error,
        range=Range(low=np.array(document.low), high=np.array(document.high), usual=document.usual),
        failing=Failing(ensembles=failing, offset=document.failing_offset) if failing else None,
    )
    return StoredRanker(ranker=ranker, origin=document.origin)


def _packed(ensembles: tuple[Ensemble, ...]) -> tuple[str, ...]:
    texts = (each.booster.model_to_string() for each in ensembles)
    return tuple(base64.b85encode(lzma.compress(text.encode())).decode() for text in texts)


def _unpacked(trees: tuple[str, ...]) -> tuple[Ensemble, ...]:
    texts = (lzma.decompress(base64.b85decode(each)).decode() for each in trees)
    return tuple(Ensemble(lightgbm.Booster(model_str=text), np.empty(0, np.int64)) for text in texts)
