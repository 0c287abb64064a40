"""Where weights come from: a JSON document and the optimizer's state beside each ``.weights`` file that we write.

    NAME.weights             the weights, for us and for the stock plugin
    NAME.weights.json        `Sidecar`
    NAME.weights.npz         state of the optimizer, if there is one

The weights are written last: a file of them always has its sidecar. Give each version a name of its own.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from hltune.cost_model.adams2019.optimizer import OptimizerState, decode_state, encode_state
from hltune.cost_model.adams2019.weights import Weights, encode_weights, read_weights, weights_hash
from hltune.runtime.files import write_bytes
from hltune.values.documents import Format
from hltune.values.errors import InputError

_TODO = "train again from the parent weights, or use the .weights file alone with --weights"
_FORMAT = Format(name="hltune-weights", version=1, what="damaged sidecar of weights", todo=_TODO)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineUse:
    """How many samples of a pipeline the weights were trained on.

    Attributes:
        pipeline_hash: `PipelineSpec.content_hash`.
    """

    name: str
    pipeline_hash: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOrigin:
    """Where weights come from.

    Attributes:
        parent_hash: hash of the weights that training began with; None for random ones.
        machine: key of the machine that the samples were measured on.
        options: options of the training, by name.
        metrics: metrics by name; None for what the samples did not determine.
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
        state_file: name of the file with the optimizer's state, beside the weights; None if there is none.
        state_hash: SHA-256 of that file.
    """

    weights_hash: str
    origin: WeightsOrigin
    state_file: str | None
    state_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What `read_stored` finds."""

    weights: Weights
    sidecar: Sidecar
    optimizer_state: OptimizerState | None


def write_stored(path: Path, weights: Weights, origin: WeightsOrigin, state: OptimizerState | None) -> Sidecar:
    """Writes weights with their sidecar.

    Raises:
        InputError: the weights are not usable, or the place cannot be written to.
    """
    data = encode_weights(weights)
    state_data = None if state is None else encode_state(state)
    sidecar = Sidecar(
        weights_hash=hashlib.sha256(data).hexdigest(),
        origin=origin,
        state_file=None if state_data is None else f"{path.name}.npz",
        state_hash=None if state_data is None else hashlib.sha256(state_data).hexdigest(),
    )
    if state_data is not None:
        write_bytes(state_path(path), state_data, durable=True)
    write_bytes(sidecar_path(path), _FORMAT.encode(asdict(sidecar)), durable=True)
    write_bytes(path, data, durable=True)
    return sidecar


def read_stored(path: Path) -> Stored:
    """Reads weights with their sidecar, all checked against each other.

    Raises:
        InputError: something is missing, damaged, or belongs to other weights.
    """
    weights = read_weights(path)
    where = sidecar_path(path)
    sidecar = decode_sidecar(_read(where), where=str(where))
    if sidecar.weights_hash != (found := weights_hash(weights)):
        raise _error("the sidecar belongs to other weights", str(where), sidecar.weights_hash, found)
    if sidecar.state_file is None:
        return Stored(weights=weights, sidecar=sidecar, optimizer_state=None)
    where = path.with_name(sidecar.state_file)
    data = _read(where)
    if sidecar.state_hash != (found := hashlib.sha256(data).hexdigest()):
        raise _error("damaged state of the optimizer", str(where), f"SHA-256 {sidecar.state_hash}", found)
    return Stored(weights=weights, sidecar=sidecar, optimizer_state=decode_state(data, where=str(where)))


def sidecar_path(path: Path) -> Path:
    """The sidecar of a weights file."""
    return path.with_name(f"{path.name}.json")


def decode_sidecar(data: bytes, *, where: str) -> Sidecar:
    """Decodes and checks a document.

    Raises:
        InputError: it is damaged or of another format.
    """
    sidecar = _FORMAT.read(data, Sidecar, where=where)
    if (name := sidecar.state_file) is not None and Path(name).name != name:
        raise _FORMAT.damaged(where, f"the state's file {name!r} is not beside the weights")
    return sidecar


def state_path(path: Path) -> Path:
    """The file with the optimizer's state that belongs to a weights file."""
    return path.with_name(f"{path.name}.npz")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _error("cannot read what belongs to the weights", str(path), "a file", error.strerror) from None


def _error(what: str, where: str, expected: str, found: str | None) -> InputError:
    return InputError(what, where=where, expected=expected, found=found, todo=_TODO)
