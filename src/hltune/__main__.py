"""Entry point: starts the command line so that Ctrl-C is answered from the first moment on."""

from __future__ import annotations

import signal
import sys
from types import FrameType

INTERRUPTED = 130


def main() -> None:
    """Runs hltune and exits with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        from hltune.cli import run_command_line

        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
