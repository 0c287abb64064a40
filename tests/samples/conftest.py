from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from tests.samples.values import PIPELINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "samples.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, progress=Silent(), wait_s=0) as opened:
        opened.add_pipeline(PIPELINE)
        yield opened
