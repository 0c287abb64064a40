"""What a pre-trained ranker adds to a search: mutants of what was found, and which of all is the best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hltune.cost_model.pretrained import Pretrained
from hltune.runtime.worker import AnyWorker
from hltune.search.mutation import Parent, mutants
from hltune.tuning.cases import Cases
from hltune.tuning.drafts import Drafts
from hltune.tuning.predicted import Predicted
from hltune.values.candidate import Candidate
from hltune.values.cost import Prediction
from hltune.values.directives import Schedule
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

MEASURED = 8
"""Mutants that are worth measuring."""
_DRAFTING_S = 15.0
"""How long mutants are made and lowered."""
_READING_SHARE = 0.3
"""How long the program of the best may take to read, of what is left of that."""


class Ranked:
    """Changes the schedules of one pipeline that searches have found."""

    def __init__(
        self,
        subject: Subject,
        ranker: Pretrained,
        workers: Sequence[AnyWorker],
        *,
        cores: int,
        seed: int,
        budget_s: float,
        counted: bool,
    ) -> None:
        self._subject = subject
        self._ranker = ranker
        self._rng = np.random.default_rng(seed)
        self._budget_s = min(_DRAFTING_S, budget_s)
        self._known = Predicted()
        self._drafts = Drafts(subject.spec, subject.target, cores, workers, self._known, ranker)
        self._cases = Cases(lowering=self._drafts.programs.lowering, workers=workers, counted=counted)

    @property
    def unlike(self) -> bool:
        """Nothing like this pipeline was seen in pre-training."""
        return self._drafts.unlike

    def choose(
        self, found: Sequence[Schedule], others: Sequence[Candidate] = ()
    ) -> dict[Schedule, tuple[Candidate | None, Prediction]]:
        """The most promising of others and of mutants, `MEASURED` at most, and what was found, with predicted costs.

        Nothing comes of what Halide refuses to lower, or takes long to.
        """
        end_s = time.monotonic() + self._budget_s
        known = {schedule_hash(each): each for each in found if each.base is None}
        self._known.known |= known.keys()
        costs = self._costs(known, end_s=end_s)
        probes = {key: each for each in others if (key := schedule_hash(each.schedule)) not in known}
        half_s = (time.monotonic() + end_s) / 2
        likely = self._costs({key: each.schedule for key, each in probes.items()}, end_s=half_s)
        parents = [Parent(known[key], prediction.seconds) for key, prediction in costs.items()]
        parents += [Parent(probes[key].schedule, prediction.seconds) for key, prediction in likely.items()]

        parents.sort(key=lambda each: each.cost)
        self._cases.read(parents, end_s=time.monotonic() + _READING_SHARE * max(0.0, end_s - time.monotonic()))
        padded = {key: each for key, each in self._cases.padded(parents) if key not in known and key not in probes}

        def make(further: Sequence[Parent], count: int, taken: Callable[[str], bool]) -> dict[str, Candidate]:
            new = padded | {key: probes[key] for key in likely}
            new = {key: each for key, each in new.items() if not taken(key)}
            return new | mutants(
                [*parents, *further],
                self._subject.spec,
                self._rng,
                wanted=count,
                known=lambda key: key in known or key in probes or key in padded or taken(key),
                end_s=(time.monotonic() + end_s) / 2,  # the rest is for lowering them
            )

        made = self._drafts.choose(make, MEASURED, random_share=0.0, rng=self._rng, end_s=end_s) if parents else None
        chosen = {} if made is None else made.chosen
        costs |= self._costs({key: each.schedule for key, each in chosen.items()}, end_s=end_s)
        schedules = known | {key: each.schedule for key, each in chosen.items()}
        return {schedules[key]: (chosen.get(key), prediction) for key, prediction in costs.items()}

    def _costs(self, schedules: Mapping[str, Schedule], *, end_s: float) -> dict[str, Prediction]:
        if (predicted := self._drafts.predict(schedules, end_s=end_s)) is None:
            return {}
        keys, scores = predicted
        pairs = zip(keys, scores.mean, scores.spread, strict=True)
        return {
            key: Prediction(seconds=float(np.exp(mean)), factor=self._ranker.factor(float(spread)))
            for key, mean, spread in pairs
        }
