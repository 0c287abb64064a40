"""Functions of this process that pipelines which were compiled in memory call, in place of Halide's own.

Source: Halide 21 ``JITModule.h`` (``JITHandlers``).
"""

import ctypes
from collections.abc import Mapping
from typing import Any, Literal

from hltune.runtime.halide_wheel import library_directory

Handler = Literal["print", "malloc", "free"]
_PLACES: dict[Handler, int] = {"print": 0, "malloc": 1, "free": 2}
_COUNT = 13
"""Pointers to functions in ``JITHandlers``."""
_NAMESPACE = "_ZN6Halide8Internal16JITSharedRuntime"


class _Handlers(ctypes.Structure):
    _fields_ = [("functions", ctypes.c_void_p * _COUNT)]


def use_handlers(functions: Mapping[Handler, Any]) -> None:
    """From now on these C functions are called; whoever made them has to keep them alive."""
    replace = _halide()[f"{_NAMESPACE}20set_default_handlersERKNS_11JITHandlersE"]
    replace.restype, replace.argtypes = _Handlers, [ctypes.POINTER(_Handlers)]
    handlers = _Handlers()
    for name, function in functions.items():
        handlers.functions[_PLACES[name]] = ctypes.cast(function, ctypes.c_void_p).value
    replace(ctypes.byref(handlers))


def use_threads(count: int) -> None:
    """From now on pipelines run on so many threads."""
    _halide()[f"{_NAMESPACE}15set_num_threadsEi"](count)


def _halide() -> Any:
    return ctypes.CDLL(str(library_directory() / "libHalide.so"))
