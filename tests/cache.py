"""Where tests keep what the next run of a user would find; one folder of all processes of a run, and goes with it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_NAME = "HLTUNE_TESTS_CACHE"

if _NAME not in os.environ:  # else this is a process that another one has started, such as a worker of xdist
    os.environ[_NAME] = tempfile.mkdtemp(prefix="hltune-tests-")
    atexit.register(shutil.rmtree, os.environ[_NAME], ignore_errors=True)

CACHE = Path(os.environ[_NAME])
