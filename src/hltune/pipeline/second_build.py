"""A second build of a pipeline, in a process whose history is the same: a fork from before the first one.

Halide counts up the names that it invents, so that only such a build has the names of the first.
"""

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import TypeVar

from hltune.runtime.worker.child import die_with_parent
from hltune.values.errors import HltuneError

T = TypeVar("T")

_END_S = 1.0
"""How long it may take to end; what user code has started in this process may keep it from hearing that it is to."""


@contextlib.contextmanager
def second_build(build: Callable[[], T], *, limit_s: float) -> Generator[Callable[[], T | HltuneError]]:
    """Forks now; the function that it yields runs the build there, and returns what came of it.

    A build that takes longer than the limit, ends the process, or fails by anything but an `HltuneError`, counts as
    failed, too.
    """
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    parent = os.getpid()
    # Daemons, as Python calls them, may have no processes of their own; this one ends with its parent anyway.
    process = fork.Process(target=_serve, args=(there, here, build, parent), daemon=False)
    process.start()
    there.close()

    def ask() -> T | HltuneError:
        try:
            here.send(None)
            if not here.poll(limit_s):
                return HltuneError(f"it takes longer than {limit_s:.0f} s")
            return here.recv()
        except (EOFError, OSError):
            return HltuneError("the process that built it died")

    try:
        yield ask
    finally:
        here.close()  # a process that was not asked ends
        if os.getpid() == parent:  # and not a fork that user code has made
            process.join(_END_S)
            process.kill()
            process.join()


def _serve(connection: Connection, other_end: Connection, build: Callable[[], T], parent: int) -> None:
    die_with_parent(parent)
    other_end.close()
    try:
        connection.recv()
    except EOFError:
        return
    try:
        connection.send(build())
    except HltuneError as error:
        connection.send(HltuneError(str(error)))
    sys.stdout.flush()
