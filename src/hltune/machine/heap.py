"""What a schedule takes from the heap, and a heap that answers it as that of a fresh process does.

Halide takes its buffers from malloc and gives them back, call by call. What glibc does with a buffer that comes back
depends on the process: from 128 KiB on it is mapped from the system and unmapped again; once a mapped one was given
back, buffers up to its size come from the heap, whose end is returned to the system as soon as twice that size lies
free there. So a fresh process that runs one pipeline may get its pages anew in every call, with a page fault for each,
while a process that has compiled a thousand schedules keeps all it ever had. A worker of ours is of the second kind and
has to behave as the first:

- Its jobs run on another thread than the main one, for threads have heaps of their own. The main thread only calls
  pipelines, so that its heap holds hardly more than their buffers: in one that a compiler has left full of holes,
  taking a small buffer takes a microsecond.
- Before a schedule is timed, the two limits are set to where its own buffers would bring them in a fresh process, and
  the holes that the main thread's heap has all the same, from when the worker started, are filled: a buffer that finds
  a place in one keeps its pages, while at the end of the heap it may lose them in every call.

Source: glibc's malloc/malloc.c (``mmap_threshold``, ``trim_threshold``, ``_int_free``, ``systrim``,
``do_set_mmap_threshold``).
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import time
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, NamedTuple, NoReturn

from hltune.pipeline.jit_handlers import IN_ORDER, Free, Handler, Malloc, use_handlers
from hltune.runtime.malloc import KEPT, LARGEST_MOVING, LEAST_MAPPED
from hltune.runtime.worker.child import die_with_parent
from hltune.values.cost import Heap

CONDITIONS = "heap without holes and pages of a fresh process"
"""Name of what is reproduced here, in the identity of a machine."""
ENVIRONMENT = {"NUMPY_MADVISE_HUGEPAGE": "0"}
"""Has NumPy take pages for images as malloc does, which does not ask for huge ones. With them, a filter that reads and
writes large images was up to 5% faster than in a C program."""
FORMER_CONDITIONS = ("heap of a fresh process", "")
"""What earlier versions reproduced, the latest first."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_PERTURB = -1, -2, -3, -6
_POISON = 0x80
"""What glibc fills with: memory that it gives has the complement, 0x7F, in all bytes, which is a float of 3e38."""
_PAGE = 4096
_ALIGNMENT = 128
_EXTRA = 2 * _ALIGNMENT + 64
"""What Halide and malloc add to a buffer, roughly."""
_LAST = b"}\n"
_PLUGS = (120 << 10, 60 << 10, 30 << 10, 15 << 10, 7 << 10, _PAGE + 64)
"""Bytes of what holes are filled with. What none fits into has no page of its own; all are larger than what is left
at the end of a heap that was trimmed."""


class Taken(NamedTuple):
    """What is known of what a call takes from the heap.

    Attributes:
        heap: all of it; None if the call takes longer than anybody waits, or nobody can count.
        largest_mapped_bytes: that of the heap, or as it was when nobody waited any longer; None if nobody can count.
    """

    heap: Heap | None = None
    largest_mapped_bytes: int | None = None


def settle(largest_mapped_bytes: int | None) -> None:
    """Makes this thread's heap, if it is the main one, that of a fresh process after a call that allocates this.

    Does nothing where malloc is not glibc's. Where nobody knows what is allocated, malloc's limits are those of a
    long-lived process.
    """
    if (libc := _glibc()) is None:
        return
    _fill_holes(libc)
    largest = LARGEST_MOVING if largest_mapped_bytes is None else largest_mapped_bytes
    threshold = min(max(LEAST_MAPPED, _pages(largest)), LARGEST_MOVING)
    trim = LEAST_MAPPED if threshold == LEAST_MAPPED else 2 * threshold
    libc.mallopt(_M_MMAP_THRESHOLD, threshold)
    libc.mallopt(_M_TRIM_THRESHOLD, trim)


def _fill_holes(libc: Any) -> None:
    """Takes the free memory before the end of the main heap, for good; the next time there is hardly any."""
    libc.mallopt(_M_TOP_PAD, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 0)
    libc.free(libc.malloc(_PLUGS[0]))  # after which nothing is left free at the end
    end = libc.sbrk(0)
    for size in _PLUGS:
        while (plug := libc.malloc(size)) and plug + size <= end:
            pass
        libc.free(plug)
    libc.mallopt(_M_TOP_PAD, KEPT)


@contextlib.contextmanager
def poisoned_heap() -> Generator[None]:
    """What malloc gives meanwhile holds neither zeros nor what was there before: who reads what nobody wrote shows."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_PERTURB, _POISON)
    try:
        yield
    finally:
        if libc is not None:
            libc.mallopt(_M_PERTURB, 0)


def measure_heap(call: Callable[[], object], *, limit_s: float) -> Taken:
    """What a call of a compiled pipeline takes from the heap, as far as that is known after so long.

    Runs it in a fork, on one thread: nothing of this process changes, and a handler in Python sees every buffer.
    """
    reading, writing = os.pipe()
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:  # for want of memory or of processes
        os.close(reading)
        os.close(writing)
        return Taken()
    if child == 0:
        os.close(reading)
        _tell(call, writing, parent)
    os.close(writing)
    try:
        return _heard(reading, limit_s)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _heard(reading: int, limit_s: float) -> Taken:
    """Listens to a fork, whose `_Counter` tells line by line, until it has said all, has died, or is late."""
    end_s = time.monotonic() + limit_s
    data = b""
    while not data.endswith(_LAST):
        if not select.select([reading], [], [], max(0.0, end_s - time.monotonic()))[0]:
            *lines, _ = [b"0", *data.split(b"\n")]
            return Taken(largest_mapped_bytes=int(lines[-1]))
        if not (piece := os.read(reading, _PAGE)):
            return Taken()
        data += piece
    heap = Heap(**json.loads(data.splitlines()[-1]))
    return Taken(heap, heap.largest_mapped_bytes)


def _tell(call: Callable[[], object], writing: int, parent: int) -> NoReturn:
    """The fork's side: counts, writes and ends, whatever happens."""
    try:
        die_with_parent(parent)
        counter = _Counter(writing)
        counter.install()
        call()
        counter.tell_all()
    finally:
        os._exit(0)


class _Counter:
    """Halide's malloc and free, counted, and told through a pipe: a line whenever a larger buffer would be mapped."""

    def __init__(self, writing: int) -> None:
        self._writing = writing
        self._libc = _libc()
        self._live: dict[int, tuple[int, int]] = {}
        self._sizes: list[int] = []
        self._now = self._peak = self._largest_mapped = 0
        # Somebody has to hold them as long as they are called.
        self._functions: dict[Handler, Any] = {"malloc": Malloc(self._malloc), "free": Free(self._free)}

    def install(self) -> None:
        """From now on; and one thread runs all, for it holds Python's lock."""
        use_handlers({**self._functions, **IN_ORDER})

    def tell_all(self) -> None:
        """The last line: fields of `Heap`."""
        fields = {
            "allocations": len(self._sizes),
            "bytes": sum(self._sizes),
            "peak_bytes": self._peak,
            "largest_mapped_bytes": self._largest_mapped,
        }
        os.write(self._writing, json.dumps(fields).encode() + b"\n")

    def _malloc(self, _context: int, size: int) -> int:
        memory = self._libc.malloc(size + _EXTRA)
        start = (memory + 2 * _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
        self._live[start] = (memory, size)
        self._sizes.append(size)
        self._now += size
        self._peak = max(self._peak, self._now)
        if LEAST_MAPPED <= size + _EXTRA <= LARGEST_MOVING and size > self._largest_mapped:
            self._largest_mapped = size
            os.write(self._writing, f"{size}\n".encode())
        return start

    def _free(self, _context: int, start: int | None) -> None:
        if start is not None:
            memory, size = self._live.pop(start)
            self._now -= size
            self._libc.free(memory)


def _pages(size: int) -> int:
    """What malloc maps for a buffer of Halide's."""
    return -(-(size + _EXTRA) // _PAGE) * _PAGE if size else 0


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    return libc


@cache
def _glibc() -> Any:
    libc = _libc()
    if not hasattr(libc, "gnu_get_libc_version"):
        return None
    libc.sbrk.restype = ctypes.c_void_p
    return libc
