"""Reading and writing, as far as hltune uses it."""

from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np

_Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

class _File(Protocol):
    def read(self) -> _Array: ...

def imopen(uri: Path, io_mode: str, *, plugin: str = ...) -> AbstractContextManager[_File]: ...
def imwrite(
    uri: Path | BytesIO,
    image: _Array,
    *,
    extension: str = ...,
    quality: int = ...,
    plugin: str = ...,
    is_batch: bool = ...,
) -> None: ...
