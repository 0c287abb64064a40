"""This computer, and a pipeline for it."""

from __future__ import annotations

import pytest

from hltune.machine.open import resolve
from hltune.pipeline.target import TargetInfo
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import load


@pytest.fixture(scope="module")
def host() -> TargetInfo:
    return resolve("host")


@pytest.fixture(scope="module")
def blur(host: TargetInfo) -> PipelineSpec:
    return load("blur", host)
