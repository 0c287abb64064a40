"""Reading and writing, as far as hltune uses it."""

from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

def imread(uri: Path, *, plugin: str = ...) -> _Array: ...
def imwrite(uri: Path, image: _Array) -> None: ...
