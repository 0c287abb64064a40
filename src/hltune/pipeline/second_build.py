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


@contextlib.contextmanager
def second_build(build: Callable[[], T]) -> Generator[Callable[[], T | HltuneError]]:
    """Forks now; the function that it yields runs the build there, and returns what came of it.

    A build that ends the process, or fails by anything but an `HltuneError`, counts as failed, too.
    """
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=_serve, args=(there, here, build, os.getpid()), daemon=True)
    process.start()
    there.close()

    def ask() -> T | HltuneError:
        try:
            here.send(None)
            return here.recv()
        except (EOFError, OSError):
            return HltuneError("the process that built it died")

    try:
        yield ask
    finally:
        here.close()  # a process that was not asked ends
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
