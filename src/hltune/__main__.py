"""Entry point: starts the command line so that Ctrl-C is answered from the first moment on."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from hltune import INTERRUPTED


def main() -> None:
    """Runs hltune and exits with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _interrupt_again
    arguments = sys.argv[1:]
    try:
        from hltune.cli import run_command_line

        code = run_command_line(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        if "--json" in arguments:
            print(f'{{"error": {{"what": "interrupted"}}, "exit_code": {INTERRUPTED}}}')
        code = INTERRUPTED
    sys.exit(code)


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
