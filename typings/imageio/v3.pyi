"""Reading and writing, as far as hltune uses it."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

def imread(uri: Path, *, plugin: str = ...) -> _Array: ...
def imwrite(
    uri: Path | BytesIO,
    image: _Array,
    *,
    extension: str = ...,
    quality: int = ...,
    plugin: str = ...,
    is_batch: bool = ...,
) -> None: ...
