"""Searches that take long, whatever the pipeline."""

from __future__ import annotations

import time

from hltune.runtime.worker import Process
from hltune.search.jobs import SearchJob
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure


class SlowSearch(SearchJob):
    """In place of a `SearchJob`: hits its limit."""

    def run(self, process: Process) -> tuple[Candidate | Failure, ...]:
        process.enter("slow search", timeout_s=self.timeout_s)
        time.sleep(60)
        raise AssertionError("nobody has ended it")
