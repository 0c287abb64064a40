"""Process life only: spawn, run a job, enforce limits, kill the group, respawn.

A job is any picklable value with a ``run(process)`` method. It runs in a fresh interpreter that leads its own process
group, so that a crash, a hang or a compiler that it started never outlives or harms the caller.
"""

from hltune.runtime.worker.anywhere import AnyRunning, AnyWorker
from hltune.runtime.worker.messages import Job, Process
from hltune.runtime.worker.parent import (
    Running,
    Worker,
    memory_share_bytes,
    physical_memory_bytes,
    usable_cores,
    usable_workers,
)
from hltune.runtime.worker.pool import LOOK_S, first_ended, paused, run_all, run_each, wait_any
from hltune.runtime.worker.waiting import waited_s

__all__ = [
    "LOOK_S",
    "AnyRunning",
    "AnyWorker",
    "Job",
    "Process",
    "Running",
    "Worker",
    "first_ended",
    "memory_share_bytes",
    "paused",
    "physical_memory_bytes",
    "run_all",
    "run_each",
    "usable_cores",
    "usable_workers",
    "wait_any",
    "waited_s",
]
