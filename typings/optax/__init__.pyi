"""The part of optax that hltune uses."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, jax.Array | NDArray[np.float32]]

class ScaleByAdamState(NamedTuple):
    count: jax.Array
    mu: Arrays
    nu: Arrays

class GradientTransformation:
    def update(
        self, updates: dict[str, jax.Array], state: ScaleByAdamState
    ) -> tuple[Mapping[str, jax.Array], ScaleByAdamState]: ...

def scale_by_adam(*, b1: float, b2: float, eps: float, eps_root: float = ...) -> GradientTransformation: ...
