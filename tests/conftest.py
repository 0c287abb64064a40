from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import hltune
from hltune.machine import alone
from hltune.workspace.records import Workspace
from tests.cache import CACHE

# How long an example takes says something about the machine, not about the code. Where nobody looks at what failed, all
# runs draw the same examples.
settings.register_profile("hltune", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("hltune")


@pytest.fixture(scope="session", autouse=True)
def workers_find_the_tests() -> Iterator[None]:
    """Jobs of the tests live in the package `tests`, and what they call in the hltune that is tested."""
    places = (Path(__file__).parents[1], Path(hltune.__file__).parents[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))
        yield


@pytest.fixture(scope="session", autouse=True)
def workspaces_share_a_cache() -> Iterator[None]:
    """Compiling a generator, or checking that a function computes what its spec does, takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "cache", CACHE)
        yield


@pytest.fixture(scope="session", autouse=True)
def tests_do_not_wait_for_each_other() -> Iterator[None]:
    """Those that run at the same time are computers of their own to one another."""
    name = f"test-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "computer", lambda: name)
        yield
    alone.lock_path(name).unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell starts background jobs with Ctrl-C ignored, these tests may be one, and children inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOWEST = {
    "test_apps.py",
    "test_commands.py",
    "test_conformance.py",
    "test_machine.py",
    "test_pretrain.py",
    "test_reduce.py",
    "test_replay.py",
    "test_report.py",
    "test_reproduce.py",
    "test_tune.py",
    "test_tuner.py",
    "test_version1.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first, so that no core waits for one of them in the end."""
    items.sort(key=lambda item: item.path.name not in SLOWEST)
