"""What outputs are checked against: further schedules to compute it with, and what people are told about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hltune.machine.inputs import real_data
from hltune.machine.reference import MoreSchedules
from hltune.machine.verify import Verification
from hltune.runtime.progress import Progress
from hltune.runtime.worker import usable_cores
from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options, SearchOptions
from hltune.search.pool import SearchPool
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from hltune.workspace.subject import Subject

_SEARCH_TIMEOUT_S = 30.0
"""Limit on each search: what takes longer would not be the cheapest schedule either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Further:
    """A value, so that it can be asked on another computer.

    Attributes:
        known: schedules that nobody has to search, by name.
    """

    spec: PipelineSpec
    target: str
    threads: int
    known: Mapping[str, Schedule]

    def __call__(self) -> dict[str, Schedule]:
        if self.known:
            return {**self.known}
        searches: tuple[SearchOptions, ...] = (
            Li2018Options(parallelism=self.threads),
            Mullapudi2016Options(parallelism=self.threads),
            Adams2019Options(parallelism=self.threads, beam_size=1),
        )
        with SearchPool(min(usable_cores(), len(searches)), timeout_s=_SEARCH_TIMEOUT_S) as pool:
            outcomes = pool.run(self.spec, self.target, searches)
        found = zip(searches, outcomes, strict=True)
        return {search.autoscheduler: each.schedule for search, each in found if isinstance(each, Candidate)}


def further_schedules(subject: Subject, threads: int) -> MoreSchedules:
    """What was written by hand, or quick searches: for pipelines that do not run both inlined and with all at root."""
    return _Further(spec=subject.spec, target=subject.target.name, threads=threads, known=subject.hand_written)


class _Verified(Protocol):
    @property
    def verification(self) -> Verification: ...


def verified_against(session: _Verified, spec: PipelineSpec, progress: Progress) -> Verification:
    """Waits for what is expected, and says once what there is to know about it."""
    found = session.verification
    for note in found.notes:
        progress.note(f"{spec.name}: {note}")
    for output in found.outputs:
        if output.chaotic:
            progress.note(
                f"{spec.name}: output {output.output} is chaotic: {output.reason}. Right schedules may be called "
                f"wrong, and wrong ones right; give {real_data(spec)}, a --target with strict_float, or --tolerance "
                "and --integer-tolerance"
            )
    return found
