"""Entry point: starts the command line so that Ctrl-C is answered from the first moment on."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from hltune import INTERRUPTED


def main() -> None:
    """Runs hltune and exits with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
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


if __name__ == "__main__":
    main()
