"""Weights on disk: where they come from, and those of one pipeline on one machine, from round to round.

    NAME.weights             the weights, for us and for the stock plugin
    NAME.weights.json        `Sidecar`
    NAME.weights.npz         state of the optimizer, if there is one

The weights are written last: a file of them always has its sidecar. The names in a `Lineage` are

    latest-ROUND             what training goes on from, with the state of the optimizer
    best-ROUND               the ones whose beam search found the fastest schedule

Their parent is the initial weights. A new version is complete before the old one goes, so that a kill leaves at least
one. Those that are a workspace's default stay, for whatever was tuned from them.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from hltune.cost_model.adams2019.optimizer import OptimizerState, decode_state, encode_state
from hltune.cost_model.adams2019.weights import Weights, encode_weights, read_weights, weights_hash
from hltune.runtime.files import newest, numbered, write_bytes
from hltune.values.documents import Format
from hltune.values.errors import InputError

Kind = Literal["latest", "best"]
BEAM_COST = "beam_s"
"""Name of the metric by which weights are the best: cost of the schedule that beam search finds with them."""

_TODO = "train again from the parent weights, or use the .weights file alone with --weights"
_FORMAT = Format(name="hltune-weights", version=1, what="damaged sidecar of weights", todo=_TODO)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineUse:
    """How many samples of a pipeline the weights were trained on."""

    name: str
    pipeline_hash: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOrigin:
    """Where weights come from.

    Attributes:
        parent_hash: hash of the weights that training began with; None for random ones.
        machine: key of the machine that the samples were measured on.
        metrics: None for what the samples did not determine.
    """

    parent_hash: str | None
    pipelines: tuple[PipelineUse, ...]
    machine: str
    options: dict[str, float]
    metrics: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """The document.

    Attributes:
        weights_hash: hash of the weights that it belongs to.
        state_file, state_hash: name and SHA-256 of the optimizer's file beside the weights; None if there is none.
    """

    weights_hash: str
    origin: WeightsOrigin
    state_file: str | None
    state_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What `read_stored` finds."""

    weights: Weights
    origin: WeightsOrigin
    optimizer_state: OptimizerState | None


def write_stored(path: Path, weights: Weights, origin: WeightsOrigin, state: OptimizerState | None) -> None:
    """Writes weights with their sidecar; raises InputError if they are not usable, or cannot be written."""
    data = encode_weights(weights)
    state_file = state_hash = None
    if state is not None:
        state_data = encode_state(state)
        state_file, state_hash = _state_path(path).name, hashlib.sha256(state_data).hexdigest()
        write_bytes(_state_path(path), state_data, durable=True)
    own_hash = hashlib.sha256(data).hexdigest()
    sidecar = Sidecar(weights_hash=own_hash, origin=origin, state_file=state_file, state_hash=state_hash)
    write_bytes(sidecar_path(path), _FORMAT.encode(asdict(sidecar)), durable=True)
    write_bytes(path, data, durable=True)


def read_stored(path: Path) -> Stored:
    """Reads weights with their sidecar; raises InputError if they are not whole, or do not belong together."""
    weights = read_weights(path)
    where = sidecar_path(path)
    sidecar = decode_sidecar(_read(where), where=str(where))
    if sidecar.weights_hash != (found := weights_hash(weights)):
        raise _error("the sidecar belongs to other weights", where, sidecar.weights_hash, found)
    state = None
    if sidecar.state_file is not None:
        where = path.with_name(sidecar.state_file)
        data = _read(where)
        if sidecar.state_hash != (found := hashlib.sha256(data).hexdigest()):
            raise _error("damaged state of the optimizer", where, f"SHA-256 {sidecar.state_hash}", found)
        state = decode_state(data, where=str(where))
    return Stored(weights=weights, origin=sidecar.origin, optimizer_state=state)


def sidecar_path(path: Path) -> Path:
    """The sidecar of a weights file."""
    return path.with_name(f"{path.name}.json")


def decode_sidecar(data: bytes, *, where: str) -> Sidecar:
    """Decodes and checks a document; raises InputError if it is damaged or of another format."""
    sidecar = _FORMAT.read(data, Sidecar, where=where)
    if (name := sidecar.state_file) is not None and Path(name).name != name:
        raise _FORMAT.damaged(where, f"the state's file {name!r} is not beside the weights")
    return sidecar


@dataclass(frozen=True, slots=True)
class Lineage:
    """A folder of weights that come from the same initial ones; nothing is created before something is written."""

    directory: Path

    def read(self, kind: Kind, initial: Weights) -> Stored | None:
        """The newest version, or None; raises InputError if it is damaged, or comes from other initial weights."""
        if (path := self.path(kind)) is None:
            return None
        stored = self._stored(path)
        expected, found = weights_hash(initial), stored.origin.parent_hash
        if found != expected:
            raise InputError(
                "these weights were trained from other initial ones",
                where=str(path),
                expected=f"initial weights {expected[:12]}",
                found=f"initial weights {(found or 'none')[:12]}",
                todo=f"{self._start_over}; or give by --weights the file that they began with: its SHA-256 is "
                f"{found or 'not known'}",
            )
        return stored

    def parent(self) -> str | None:
        """Hash of the initial weights of the newest version; None if there is none."""
        path = self.path("latest") or self.path("best")
        return None if path is None else self._stored(path).origin.parent_hash

    @property
    def _start_over(self) -> str:
        return f"start over with --fresh, or delete {self.directory}: all samples are kept"

    def _stored(self, path: Path) -> Stored:
        try:
            return read_stored(path)
        except InputError as error:  # what else may be done with the file helps nobody who goes on from it
            document = {**error.document(), "todo": self._start_over}
            what = document.pop("what") or ""
            raise InputError(what, **document) from None

    def path(self, kind: Kind) -> Path | None:
        """The file of the newest version, or None."""
        return newest(self._versions(kind))

    def version(self, kind: Kind) -> int:
        """Number of the newest version; 0 if there is none."""
        return max(self._versions(kind), default=0)

    def write(
        self,
        kind: Kind,
        round_number: int,
        weights: Weights,
        origin: WeightsOrigin,
        state: OptimizerState | None,
        *,
        keep: bool = False,
    ) -> Path:
        """Writes a version, of the round's number or a newer one than any; removes the older ones, or keeps them."""
        old = self._versions(kind)
        version = max([round_number, *(number + 1 for number in old)])
        path = self.directory / f"{kind}-{version:05d}.weights"
        write_stored(path, weights, origin, state)
        _remove({} if keep else old)
        return path

    def clear(self) -> None:
        """Removes all versions."""
        for kind in ("latest", "best"):
            _remove(self._versions(kind))

    def _versions(self, kind: Kind) -> dict[int, Path]:
        return numbered(self.directory, rf"{kind}-([0-9]+)\.weights")


def _state_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.npz")


def _remove(versions: dict[int, Path]) -> None:
    for path in versions.values():
        for file in (path, sidecar_path(path), _state_path(path)):
            file.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _error("cannot read what belongs to the weights", path, "a file", error.strerror) from None


def _error(what: str, where: Path, expected: str, found: str | None) -> InputError:
    return InputError(what, where=str(where), expected=expected, found=found, todo=_TODO)
