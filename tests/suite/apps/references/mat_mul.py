"""NumPy's product of matrices."""

from collections.abc import Mapping

import numpy as np

from hltune.pipeline.images import Array


def reference(arrays: Mapping[str, Array]) -> tuple[Array, ...]:
    """In float64."""
    return ((arrays["a"].astype(np.float64) @ arrays["b"].astype(np.float64)).astype(np.float32),)
