"""What Ctrl-C, SIGTERM and a terminal that closes do.

Libraries swallow what is raised while they are imported, and at that time there is nothing to clean up: the process
ends at once. Later, `KeyboardInterrupt` is raised, so that everybody cleans up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator
from types import FrameType

from hltune import INTERRUPTED
from hltune.runtime.streams import flush


def leave_at_once() -> None:
    """From now on, an interrupt ends the process."""
    _answer(_leave)


def raise_interrupts() -> None:
    """From now on, an interrupt raises `KeyboardInterrupt` in the main thread."""
    _answer(_raise)
    signal.signal(signal.SIGALRM, _raise)
    sys.unraisablehook = _raise_again


@contextlib.contextmanager
def importing() -> Generator[None]:
    """While the context lasts, an interrupt ends the process."""
    leave_at_once()
    yield
    raise_interrupts()


def say_interrupted() -> None:
    """Tells people, and scripts that asked for JSON; whoever reads may have been interrupted, too, and be gone."""
    with contextlib.suppress(OSError):
        print("interrupted", file=sys.stderr)
        if "--json" in sys.argv:
            print(f'{{"error": {{"what": "interrupted"}}, "exit_code": {INTERRUPTED}}}')
    flush()


def _answer(handler: Callable[[int, FrameType | None], None]) -> None:
    signal.signal(signal.SIGTERM, handler)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell's background jobs and nohup have it
            signal.signal(number, handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    say_interrupted()
    os._exit(INTERRUPTED)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised in finalizers and callbacks, Ctrl-C too: raised once more, elsewhere."""
    if lost.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    else:
        sys.__unraisablehook__(lost)
