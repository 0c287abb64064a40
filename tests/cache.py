"""Where tests that load pipelines keep what the next run of a user would find; goes with the tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

CACHE = Path(tempfile.mkdtemp(prefix="hltune-tests-"))
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
