"""One search of an autoscheduler plugin: a job for a worker, and the candidate that it finds.

The plugin can abort, hang or eat memory, and its settings are global to the process: search in a `Worker` with
`ENVIRONMENT`, and nothing but searches there.
"""

import os
import re
import time
from dataclasses import dataclass

from hltune.runtime import halide_wheel
from hltune.runtime.worker import Process
from hltune.schedule.parse import parse_schedule
from hltune.search.autoschedulers import SearchOptions
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError, JobFailed
from hltune.values.features import Featurization
from hltune.values.pipeline import PipelineSpec

ENVIRONMENT = {"HL_DEBUG_AUTOSCHEDULE": "1"}
"""Makes the plugin print the cost that it predicts; read once per process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchJob:
    """Finds a schedule.

    Attributes:
        target: a full Halide target string.
        timeout_s: limit on the plugin call.
    """

    spec: PipelineSpec
    target: str
    options: SearchOptions
    timeout_s: float

    def run(self, process: Process) -> Candidate:
        """Runs in the worker.

        Raises:
            JobFailed: the plugin found nothing.
        """
        import halide as hl  # the parent handles jobs without it

        from hltune.pipeline.build import build

        stage = f"{self.options.autoscheduler} search"
        process.enter(stage, timeout_s=self.timeout_s)
        hl.load_plugin(str(halide_wheel.plugin_path(self.options.autoscheduler)))
        os.environ.update(self.options.environment())
        built = build(self.spec)
        parameters = hl.AutoschedulerParams(self.options.autoscheduler, self.options.parameters())
        position = process.log_position()
        began = time.perf_counter()
        results = built.pipeline.apply_autoscheduler(hl.Target(self.target), parameters)
        search_s = time.perf_counter() - began
        log = process.log_since(position)
        return Candidate(
            schedule=self._schedule(results.schedule_source, stage, log),
            provenance=self.options.provenance(),
            features=Featurization.usable(bytes(results.featurization)),
            predicted_ms=_predicted_ms(log),
            search_s=search_s,
        )

    def _schedule(self, text: str, stage: str, log: str) -> Schedule:
        if not text.strip():
            raise JobFailed(Failure(stage=stage, kind="error", message="found no schedule", log=log))
        try:
            return parse_schedule(text, self.spec.funcs)
        except InputError as error:  # what the plugin printed is not the user's fault
            message = f"printed a schedule that hltune does not know: {error}"
            raise JobFailed(Failure(stage=stage, kind="error", message=message, log=text)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchesJob:
    """Several searches in turn, for searches that are shorter than handing over a job.

    Attributes:
        target: a full Halide target string.
        timeout_s: limit on each plugin call.
    """

    spec: PipelineSpec
    target: str
    searches: tuple[SearchOptions, ...]
    timeout_s: float

    def run(self, process: Process) -> tuple[Candidate | Failure, ...]:
        """Runs in the worker; what a search raises is its failure."""
        return tuple(self._search(options, process) for options in self.searches)

    def _search(self, options: SearchOptions, process: Process) -> Candidate | Failure:
        import halide as hl

        job = SearchJob(spec=self.spec, target=self.target, options=options, timeout_s=self.timeout_s)
        try:
            return job.run(process)
        except JobFailed as failed:
            return failed.failure
        except hl.HalideError as error:
            return Failure(stage=f"{options.autoscheduler} search", kind="error", message=str(error).strip())


def _predicted_ms(log: str) -> float | None:
    costs = re.findall(r"^Best cost: (\S+)", log, flags=re.MULTILINE)
    return float(costs[-1]) if costs else None
