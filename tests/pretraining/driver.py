"""Pre-trains a little and prints a line whenever something begins. Argument: the workspace."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.pretraining.conftest import Recorder, make_options, run

if __name__ == "__main__":
    run(Path(sys.argv[1]), make_options(), Recorder(loud=True))
