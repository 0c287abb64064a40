"""The part of optax that hltune uses."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

class ScaleByAdamState(NamedTuple):
    count: jax.Array
    mu: Mapping[str, jax.Array]
    nu: Mapping[str, jax.Array]

class GradientTransformation:
    def update(
        self, updates: Mapping[str, jax.Array], state: ScaleByAdamState
    ) -> tuple[Mapping[str, jax.Array], ScaleByAdamState]: ...

def scale_by_adam(*, b1: float, b2: float, eps: float, eps_root: float) -> GradientTransformation: ...
