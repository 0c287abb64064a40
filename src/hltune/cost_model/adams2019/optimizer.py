"""The state of Adam between two trainings, and its file.

The file is a NumPy ``.npz`` with the arrays ``count`` (int64), ``mean_NAME`` and ``square_NAME`` (float32) for each
NAME among the weights.
"""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from hltune.cost_model.adams2019.weights import SHAPES, Weights, check_weights
from hltune.values.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OptimizerState:
    """What Adam remembers after `count` steps: running means of the gradient and of its square."""

    count: int
    mean: Weights
    square: Weights


def encode_state(state: OptimizerState) -> bytes:
    """The content of a file."""
    arrays = {"count": np.int64(state.count)}
    arrays |= {f"mean_{name}": values for name, values in state.mean.items()}
    arrays |= {f"square_{name}": values for name, values in state.square.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def decode_state(data: bytes, *, where: str) -> OptimizerState:
    """Decodes and checks the content of a file; raises InputError if it is damaged, or belongs to other weights."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            state = OptimizerState(
                count=int(arrays["count"]),
                mean={name: arrays[f"mean_{name}"] for name in SHAPES},
                square={name: arrays[f"square_{name}"] for name in SHAPES},
            )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(where, f"{type(error).__name__}: {error}") from None
    check_weights(state.mean, where=where)
    check_weights(state.square, where=where)
    if state.count < 0 or any((values < 0).any() for values in state.square.values()):
        raise _damaged(where, "a negative number of steps or mean of squares")
    return state


def _damaged(where: str, found: str) -> InputError:
    return InputError(
        "damaged state of the optimizer",
        where=where,
        expected="an .npz file with count, mean_* and square_* of each buffer",
        found=found,
        todo="train again from the parent weights",
    )
