from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

def map(f: Callable[..., Any], tree: T, *rest: T) -> T: ...
