"""The part of optax that hltune uses."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")

Arrays = Mapping[str, jax.Array | NDArray[np.float32]]

class EmptyState(NamedTuple): ...

class ScaleByAdamState(NamedTuple):
    count: jax.Array
    mu: Arrays
    nu: Arrays

class GradientTransformation:
    def update(self, updates: Arrays, state: S, params: Arrays) -> tuple[Arrays, S]: ...

def add_decayed_weights(weight_decay: float) -> GradientTransformation: ...
def apply_updates(params: Arrays, updates: Arrays) -> Arrays: ...
def chain(*transformations: GradientTransformation) -> GradientTransformation: ...
def incremental_update(new_tensors: Arrays, old_tensors: Arrays, step_size: jax.Array) -> Arrays: ...
def scale_by_adam(*, b1: float, b2: float, eps: float) -> GradientTransformation: ...
def scale_by_learning_rate(learning_rate: float) -> GradientTransformation: ...
