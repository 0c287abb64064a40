from collections.abc import Callable

from . import Array

def __getattr__(name: str) -> Callable[..., Array]: ...
