"""Entry point: starts the command line so that Ctrl-C is answered from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from hltune import INTERRUPTED


def main() -> None:
    """Runs hltune and exits with its code."""
    # Libraries swallow what is raised while they are imported, and there is nothing yet to clean up.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _interrupt_again
    try:
        from hltune.cli import run_command_line

        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        code = _say_interrupted()
    sys.exit(code)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Until a command begins, which then has Python's own handler; see `hltune.cli.root`."""
    _say_interrupted()
    sys.stdout.flush()
    os._exit(INTERRUPTED)


def _say_interrupted() -> int:
    print("interrupted", file=sys.stderr, flush=True)
    if "--json" in sys.argv:
        print(f'{{"error": {{"what": "interrupted"}}, "exit_code": {INTERRUPTED}}}')
    return INTERRUPTED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised in finalizers and callbacks, Ctrl-C too: raised once more, elsewhere."""
    if lost.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    else:
        sys.__unraisablehook__(lost)


if __name__ == "__main__":
    main()
