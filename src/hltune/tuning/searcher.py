"""The search half of a round: many searches of one pipeline, side by side, with weights that differ."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from hltune.commands.schedule import search_job
from hltune.cost_model.adams2019.variants import vary
from hltune.cost_model.adams2019.weights import Weights, encode_weights, weights_hash
from hltune.runtime.files import write_bytes
from hltune.runtime.worker import Worker, run_all
from hltune.search.autoschedulers import Adams2019Options, SearchOptions
from hltune.search.jobs import Candidate, SearchesJob
from hltune.search.mutation.operators import Mutation
from hltune.search.probes import probes
from hltune.tuning.options import TuneOptions
from hltune.values.errors import Failure
from hltune.values.sample import Origin
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

_SIGMAS = (0.3, 1.0, 2.0)
_BEAM_SIGMAS = (0.3, 1.0)
_PROBES_PER_JOB = 16
"""At most, for a crash loses the other probes of its job."""
_JOB_S = 0.5
"""About how long a job of probes should take, so that limits can be kept."""
_LEAST_NEW = 0.02
"""Drawing ends when fewer of the latest probes than this share are new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What came of the probes of a round.

    Attributes:
        candidates: new ones by the hash of their schedule.
        searches: all that were run.
        failures: of those that crashed or found nothing.
    """

    candidates: dict[str, Candidate]
    searches: int
    failures: tuple[Failure, ...]


class Searcher:
    """Searches schedules of one pipeline. Weights that a search needs are files in a folder of its own."""

    def __init__(
        self, subject: Subject, options: TuneOptions, workers: Sequence[Worker], rng: np.random.Generator
    ) -> None:
        self._subject = subject
        self._options = options
        self._workers = workers
        self._rng = rng
        self._scratch = tempfile.TemporaryDirectory(prefix="hltune-")
        self._beam_s = 0.0
        self._probe_s = _JOB_S / _PROBES_PER_JOB

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()

    def run(self, searches: Sequence[SearchOptions]) -> list[Candidate | Failure]:
        """Runs searches that each take a while."""
        timeout_s = self._options.search_timeout_s
        jobs = [search_job(self._subject, search, timeout_s=timeout_s) for search in searches]
        found = run_all(jobs, self._workers)
        beams = [each for search, each in zip(searches, found, strict=True) if isinstance(search, Adams2019Options)]
        self._beam_s = self._mean_search_s(beams) or self._beam_s
        return found

    def beams(self, centre: Weights, best: Weights) -> list[tuple[Weights, Candidate | Failure]]:
        """Beam searches with the given weights and with variants; returns the weights of each.

        Args:
            centre: comes first, as it is.
            best: varied as well.
        """
        weights = [centre]
        for number in range(self._affordable_beams() - 1):
            start = (best, centre)[number % 2]
            weights.append(vary(start, self._rng, float(self._rng.choice(_BEAM_SIGMAS))))
        searches = [replace(self._options.search, weights=self._file(each)) for each in weights]
        return list(zip(weights, self.run(searches), strict=True))

    def _affordable_beams(self) -> int:
        """Fewer where a beam search takes so long that several of them would fill the round."""
        options = self._options
        if not self._beam_s:
            return options.beams
        affordable = options.search_share * options.round_s * len(self._workers) / self._beam_s
        return max(1, min(options.beams, int(affordable)))

    def probes(
        self,
        centres: Sequence[Weights],
        round_number: int,
        *,
        wanted: int,
        limit_s: float,
        known: Callable[[str], bool],
    ) -> Drawn:
        """Draws random probes until there are enough that are new, time is up, or hardly anything new comes.

        Args:
            centres: weights to vary; the first one is also used as it is.
            round_number: keeps seeds apart.
            wanted: new candidates.
            bandwidth_bound: wall time.
            known: whether the schedule with this hash is known.
        """
        stream = probes(
            self._options.search,
            (self._file(weights) for weights in self._variants(centres)),
            round_number=round_number,
            each=self._options.probes_per_variant,
        )
        found: dict[str, Candidate] = {}
        failures: list[Failure] = []
        searches = 0
        end_s = time.monotonic() + limit_s
        while len(found) < wanted and time.monotonic() < end_s:
            size = max(1, min(_PROBES_PER_JOB, round(_JOB_S / self._probe_s)))
            jobs = [self._job(tuple(islice(stream, size))) for _ in range(2 * len(self._workers))]
            before = len(found)
            for outcome in run_all(jobs, self._workers):
                outcomes = (outcome,) * size if isinstance(outcome, Failure) else outcome
                self._probe_s = self._mean_search_s(outcomes) or self._probe_s
                failures += [each for each in outcomes if isinstance(each, Failure)]
                for candidate in outcomes:
                    if isinstance(candidate, Candidate) and not known(key := schedule_hash(candidate.schedule)):
                        found.setdefault(key, candidate)
            searches += len(jobs) * size
            if len(found) - before < _LEAST_NEW * len(jobs) * size:
                break
        return Drawn(candidates=found, searches=searches, failures=tuple(failures))

    def _mean_search_s(self, outcomes: Sequence[Candidate | Failure]) -> float | None:
        """A search that took too long counts with its limit, other failures do not."""
        times_s = [each.search_s for each in outcomes if isinstance(each, Candidate)]
        times_s += [
            self._options.search_timeout_s for each in outcomes if isinstance(each, Failure) and each.kind == "timeout"
        ]
        return sum(times_s) / len(times_s) if times_s else None

    def forget_weights(self) -> None:
        """Removes the files of weights, which no later search will ask for."""
        for file in Path(self._scratch.name).iterdir():
            file.unlink()

    def _variants(self, centres: Sequence[Weights]) -> Iterator[Weights]:
        yield centres[0]
        while True:
            for centre in centres:
                yield vary(centre, self._rng, float(self._rng.choice(_SIGMAS)))

    def _job(self, searches: tuple[SearchOptions, ...]) -> SearchesJob:
        return SearchesJob(
            spec=self._subject.spec,
            target=self._subject.target.name,
            searches=searches,
            timeout_s=self._options.search_timeout_s,
        )

    def _file(self, weights: Weights) -> Path:
        path = Path(self._scratch.name) / f"{weights_hash(weights)}.weights"
        write_bytes(path, encode_weights(weights))
        return path


def origin_of(options: SearchOptions | Mutation, round_number: int) -> Origin:
    """Where a candidate came from, as the store keeps it."""
    if isinstance(options, Mutation):
        return Origin(round=round_number, search=options.text())
    document = {"autoscheduler": options.autoscheduler, **options.parameters()}
    weights = document.pop("weights_path", None)
    if isinstance(options, Adams2019Options) and options.num_passes is not None:
        document["num_passes"] = str(options.num_passes)
    return Origin(round=round_number, search=json.dumps(document), weights_hash=Path(weights).stem if weights else None)
