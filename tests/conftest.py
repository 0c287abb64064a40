from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import hltune
from hltune.machine import alone
from hltune.runtime.worker import Worker
from hltune.workspace.records import Workspace
from tests.cache import CACHE
from tests.loading import Fresh, ready_to_fork

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


FORKED = (
    "hltune.commands.export.Worker",
    "hltune.commands.reproduce.Worker",
    "hltune.machine.open.Worker",
    "hltune.workspace.subject.Worker",
)
"""Processes of commands for one job, or for several that know nothing of each other."""


@pytest.fixture(scope="session", autouse=True)
def jobs_are_forks(workers_find_the_tests: None) -> Iterator[None]:  # noqa: ARG001 - which comes first
    """Starting Python and importing Halide takes longer than most of what is done then.

    A fork of what is ready does as well. Commands that tests run as programs, searches and measurements have processes
    of their own.
    """
    with ready_to_fork(), pytest.MonkeyPatch.context() as patch:
        for name in FORKED:
            patch.setattr(name, Fresh)
        yield


@pytest.fixture
def own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands start all processes as they do for users."""
    for name in FORKED:
        monkeypatch.setattr(name, Worker)


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
    "test_bad_input.py",
    "test_bundle.py",
    "test_cluster.py",
    "test_cmake.py",
    "test_commands.py",
    "test_conditions.py",
    "test_conformance.py",
    "test_constraints.py",
    "test_counts.py",
    "test_cpp_build.py",
    "test_drafts.py",
    "test_explain.py",
    "test_export.py",
    "test_heap.py",
    "test_learner.py",
    "test_machine.py",
    "test_own_output.py",
    "test_own_schedule.py",
    "test_pipelines.py",
    "test_pretrain.py",
    "test_ranked.py",
    "test_reduce.py",
    "test_replay.py",
    "test_report.py",
    "test_reproduce.py",
    "test_runner.py",
    "test_smooth_inputs.py",
    "test_source.py",
    "test_tune.py",
    "test_tuner.py",
    "test_version1.py",
    "test_whole_runs.py",
    "test_worker.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no core waits for one of them in the end."""
    items.sort(key=lambda item: item.path.name not in SLOWEST)
