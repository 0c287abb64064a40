from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

class OptimizeResult:
    x: NDArray[np.float64]

def least_squares(
    fun: Callable[[NDArray[np.float64]], NDArray[np.float64]], x0: NDArray[np.float64]
) -> OptimizeResult: ...
