from collections.abc import Callable
from typing import TypeVar

from . import Array

C = TypeVar("C")

def scan(step: Callable[[C, Array], tuple[C, None]], init: C, xs: Array) -> tuple[C, None]: ...
