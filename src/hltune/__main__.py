"""Entry point: starts the command line so that Ctrl-C is answered from the first moment on."""

import sys

from hltune import INTERRUPTED
from hltune.runtime import interrupts, streams


def main() -> None:
    """Runs hltune and exits with its code."""
    interrupts.leave_at_once()
    streams.open_closed()
    try:
        from hltune.cli.main import run_command_line

        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        interrupts.say_interrupted()
        code = INTERRUPTED
    streams.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
