"""The part of LightGBM that hltune uses."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

class Dataset:
    def __init__(self, data: NDArray[np.float64], *, label: NDArray[np.float64]) -> None: ...

class Booster:
    def predict(self, data: NDArray[np.float64], *, num_threads: int) -> NDArray[np.float64]: ...

def train(params: Mapping[str, str | float | bool], train_set: Dataset, *, num_boost_round: int) -> Booster: ...
