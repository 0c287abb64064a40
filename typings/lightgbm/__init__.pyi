"""The part of LightGBM that hltune uses."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

class Dataset:
    def __init__(
        self, data: NDArray[np.float64], *, label: NDArray[np.float64], init_score: NDArray[np.float64] | None = None
    ) -> None: ...

class Booster:
    def __init__(self, *, model_str: str) -> None: ...
    def predict(
        self, data: NDArray[np.float64], *, num_threads: int, raw_score: bool = False
    ) -> NDArray[np.float64]: ...
    def model_to_string(self) -> str: ...

def train(params: Mapping[str, str | float | bool], train_set: Dataset, *, num_boost_round: int) -> Booster: ...
