"""Functions of this process that pipelines which were compiled in memory call, in place of Halide's own.

Source: Halide 21 ``JITModule.h`` (``JITHandlers``).
"""

import contextlib
import ctypes
from collections.abc import Callable, Generator, Mapping
from typing import Any, Literal

from hltune.runtime.halide_wheel import library_directory

Handler = Literal["print", "malloc", "free", "do_par_for"]
_PLACES: dict[Handler, int] = {"print": 0, "malloc": 1, "free": 2, "do_par_for": 4}
_COUNT = 13
"""Pointers to functions in ``JITHandlers``."""
_ALIGNMENT = 128
"""Bytes: where Halide's buffers begin, and how far behind their end it may read."""
_NAMESPACE = "_ZN6Halide8Internal16JITSharedRuntime"


class _Handlers(ctypes.Structure):
    _fields_ = [("functions", ctypes.c_void_p * _COUNT)]


Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_Task = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_ParFor = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Task, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


def use_handlers(functions: Mapping[Handler, Any]) -> None:
    """From now on these C functions are called; whoever made them has to keep them alive."""
    handlers = _Handlers()
    _add(handlers, functions)
    _replace(handlers)


@contextlib.contextmanager
def on_one_thread() -> Generator[None]:
    """Meanwhile the iterations of parallel loops run one after the other, up to the first that fails.

    That there is to be one thread is of no use where others have been started already.
    """
    with _handled_by(IN_ORDER):
        yield


@contextlib.contextmanager
def filled_buffers(byte: int) -> Generator[None]:
    """Meanwhile the memory that pipelines take is full of this byte: who reads what nobody wrote finds it.

    Not that of small buffers of a fixed size, which lie on the stack. Pipelines have to run on one thread.
    """
    libc = ctypes.CDLL(None)
    libc.memalign.restype, libc.memalign.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]

    def malloc(_context: int, size: int) -> int | None:
        start = libc.memalign(_ALIGNMENT, size + _ALIGNMENT)
        if start is not None:
            ctypes.memset(start, byte, size + _ALIGNMENT)
        return start

    def free(_context: int, start: int | None) -> None:
        libc.free(start)

    with _handled_by({"malloc": Malloc(malloc), "free": Free(free)}):
        yield


@contextlib.contextmanager
def _handled_by(functions: Mapping[Handler, Any]) -> Generator[None]:
    """Meanwhile these C functions are called."""
    before = _replace(_Handlers())
    handlers = _Handlers.from_buffer_copy(before)
    _add(handlers, functions)
    _replace(handlers)
    try:
        yield
    finally:
        _replace(before)


@_ParFor
def _in_order(context: int, task: Callable[[int, int, int], int], minimum: int, extent: int, closure: int) -> int:
    codes = (task(context, number, closure) for number in range(minimum, minimum + extent))
    return next(filter(None, codes), 0)


IN_ORDER: Mapping[Handler, Any] = {"do_par_for": _in_order}
"""See `on_one_thread`; for Halide's threads have a queue, and a fork may find its lock taken by one that it has not."""


def _add(handlers: _Handlers, functions: Mapping[Handler, Any]) -> None:
    for name, function in functions.items():
        handlers.functions[_PLACES[name]] = ctypes.cast(function, ctypes.c_void_p).value


def _replace(handlers: _Handlers) -> _Handlers:
    """Uses these from now on; returns those before."""
    replace = _halide()[f"{_NAMESPACE}20set_default_handlersERKNS_11JITHandlersE"]
    replace.restype, replace.argtypes = _Handlers, [ctypes.POINTER(_Handlers)]
    return replace(ctypes.byref(handlers))


def _halide() -> Any:
    return ctypes.CDLL(str(library_directory() / "libHalide.so"))
