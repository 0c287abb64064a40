"""Searches of an autoscheduler plugin: a job for a worker, and the candidates that it finds.

The plugin can abort, hang or eat memory, and its settings are global to the process: search in a `Worker` with
`ENVIRONMENT`, and nothing but searches there.
"""

import os
import re
import time
from dataclasses import dataclass, replace

from hltune.runtime import halide_wheel
from hltune.runtime.worker import Process
from hltune.schedule.parse import parse_schedule
from hltune.search.autoschedulers import SearchOptions
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, InputError
from hltune.values.features import Featurization
from hltune.values.pipeline import PipelineSpec

ENVIRONMENT = {"HL_DEBUG_AUTOSCHEDULE": "1"}
"""Makes the plugin print the cost that it predicts; read once per process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchJob:
    """One search, or several in turn where they are shorter than handing over a job.

    Attributes:
        target: a full Halide target string.
        timeout_s: limit on each plugin call.
        together: the limit is on all searches together; those for which too little is left are not run.
    """

    spec: PipelineSpec
    target: str
    searches: tuple[SearchOptions, ...]
    timeout_s: float
    together: bool = False

    def run(self, process: Process) -> tuple[Candidate | Failure, ...]:
        """Runs in the worker; a search that the plugin ends with an error is a failure."""
        import halide as hl  # the parent handles jobs without it

        outcomes: list[Candidate | Failure] = []
        began_s = time.process_time()  # which stands still while this process does
        for number, options in enumerate(self.searches):
            used_s = time.process_time() - began_s if self.together else 0.0
            if number and used_s * (number + 1) > self.timeout_s * number:  # one more as long as these
                break
            try:
                outcomes.append(self._search(options, process, self.timeout_s - used_s))
            except hl.HalideError as error:
                outcomes.append(_failure(options, str(error).strip()))
        return tuple(outcomes)

    def _search(self, options: SearchOptions, process: Process, limit_s: float) -> Candidate | Failure:
        import halide as hl

        from hltune.pipeline.build import build
        from hltune.pipeline.strip import without_partial_bounds

        process.enter(_stage(options), timeout_s=limit_s)
        hl.load_plugin(str(halide_wheel.plugin_path(options.autoscheduler)))
        os.environ.update(options.environment())
        built = build(replace(self.spec, hlpipe=without_partial_bounds(self.spec.hlpipe)))
        parameters = hl.AutoschedulerParams(options.autoscheduler, options.parameters())
        position = process.log_position()
        began = time.perf_counter()
        results = built.pipeline.apply_autoscheduler(hl.Target(self.target), parameters)
        search_s = time.perf_counter() - began
        log = process.log_since(position)
        schedule = self._schedule(results.schedule_source, options, log)
        if isinstance(schedule, Failure):
            return schedule
        return Candidate(
            schedule=schedule,
            provenance=options.provenance(),
            features=Featurization.usable(bytes(results.featurization)),
            predicted_ms=_predicted_ms(log),
            search_s=search_s,
        )

    def _schedule(self, text: str, options: SearchOptions, log: str) -> Schedule | Failure:
        if not text.strip():
            return _failure(options, "found no schedule", log)
        try:
            return parse_schedule(text, self.spec.funcs)
        except InputError as error:  # what the plugin printed is not the user's fault
            return _failure(options, f"printed a schedule that hltune does not know: {error}", text)


def _stage(options: SearchOptions) -> str:
    return f"{options.autoscheduler} search"


def _failure(options: SearchOptions, message: str, log: str = "") -> Failure:
    return Failure(stage=_stage(options), kind="error", message=message, log=log)


def _predicted_ms(log: str) -> float | None:
    costs = re.findall(r"^Best cost: (\S+)", log, flags=re.MULTILINE)
    return float(costs[-1]) if costs else None
