"""Which candidates the next bundle has: what a round of tuning would measure, for a device that is elsewhere.

The first one begins with all known schedules; mutants of these are ranked by what they are predicted to cost. What
comes back is a history as any other one: the models learn from it, and the parents are what was measured.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.pretrained import Pretrained
from hltune.runtime.progress import Progress
from hltune.schedule.repair import is_outside, repaired
from hltune.search.climb import Memory, by_finder
from hltune.search.mutation import PARENTS, Parent
from hltune.search.pool import SearchPool
from hltune.tuning.drafts import Drafts
from hltune.tuning.history import History
from hltune.tuning.model import Model
from hltune.tuning.options import TuneOptions
from hltune.tuning.pace import Limits, Pace
from hltune.tuning.predicted import Predicted
from hltune.tuning.proposals import MUTANT_SHARE, Costs, Proposals, mixed, mutant_share
from hltune.tuning.searcher import Searcher
from hltune.values.candidate import Candidate
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.provenance import REPAIR, Mutated
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.subject import Subject

_LEARNING_S = 60.0
"""How long what was measured is lowered."""
_LOWERING_S = 30.0
"""The same of known schedules."""
_WRONG = 0.5
"""By how much forecasts of known schedules are wrong, one against the other, in logarithms."""
_REPAIRED_SHARE = 0.25
"""Share of a bundle that may be schedules which left their images on the device, made to stay inside."""


class Chosen(NamedTuple):
    """Candidates by the hash of their schedule, in the order in which they are worth measuring, and names of some."""

    candidates: dict[str, Candidate]
    names: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Bundled:
    """Chooses candidates for one pipeline and one device.

    Attributes:
        options: `TuneOptions.batch` is how many are wanted.
        machine: the device, as far as it is known.
        initial: weights that searches start from.
        lineage: where those are that were learned from the device.
        elsewhere: what is best on other devices, by hash.
    """

    subject: Subject
    options: TuneOptions
    machine: MachineId
    pool: SearchPool
    ranker: Pretrained | None
    initial: Weights
    lineage: Lineage
    memory: Memory
    elsewhere: Mapping[str, Candidate]
    rng: np.random.Generator
    _searcher: Searcher = field(init=False)

    def __post_init__(self) -> None:
        self._searcher = Searcher(self.subject, self.options, self.pool, self.rng, self.memory)

    def first(self, progress: Progress) -> Chosen:
        """All known schedules, what searches find, and mutants of each that the ranker, or T0, thinks most of."""
        known, names = self._known(progress)
        forecasts = Predicted(known=set(known))
        drafts = self._drafts(forecasts)
        progress.phase(f"{self.subject.spec.name}: what the known schedules are predicted to cost")
        forecasts.forecasts = _forecasts(known.values(), drafts)
        model = self._model(freeze=True)
        wanted = self.options.batch - len(known)
        mutants = max(0, round(MUTANT_SHARE * wanted))
        found = self._proposals(forecasts, model, drafts, wanted - mutants, 0.0, 1, progress)
        for key, count in _shares(forecasts.best(PARENTS), mutants).items():
            forecasts.known.update(found)
            only = Predicted(forecasts={key: forecasts.forecasts[key]}, known=forecasts.known)
            found = mixed(found, self._proposals(only, model, drafts, count, None, 1, progress))
        forecasts.known.update(found)
        more = self._proposals(forecasts, model, drafts, wanted - len(found), None, 1, progress)
        return Chosen(known | found | more, names)

    def next(self, history: History, progress: Progress) -> Chosen:
        """What is worth measuring after what was; first whatever is known and was not."""
        name = self.subject.spec.name
        known, names = self._known(progress)
        known = {key: each for key, each in known.items() if key not in history}
        drafts, model = self._drafts(history), self._model(freeze=False)
        progress.phase(f"{name}: learning from {len(history)} schedules that were measured there")
        samples = history.samples()
        if model.learn(samples, history.last_round) is None:
            model.prepare(samples)
        drafts.learn(end_s=time.monotonic() + _LEARNING_S)
        first = known | self._repairs(history, drafts)
        share, number = mutant_share(history.least_searched(), history.best_cost), history.last_round + 1
        wanted = self.options.batch - len(first)
        found = self._proposals(history, model, drafts, wanted, share, number, progress)
        return Chosen(first | found, {key: names[key] for key in known if key in names})

    def _known(self, progress: Progress) -> Chosen:
        """All that was not found for this device: what has a name, and what is best on others."""
        known, names = dict[str, Candidate](), dict[str, str]()
        for name, each in self._named(progress).items():  # of equal ones the first
            known.setdefault(schedule_hash(each.schedule), each)
            names.setdefault(schedule_hash(each.schedule), name)
        return Chosen(known | {key: each for key, each in self.elsewhere.items() if key not in known}, names)

    def _named(self, progress: Progress) -> dict[str, Candidate]:
        """Those written by hand, the default one, and what each autoscheduler's largest search found, by name."""
        name = self.subject.spec.name
        progress.phase(f"{name}: what Halide's autoschedulers find")
        with contextlib.closing(self._searcher.baselines(time.monotonic() + self.options.search_timeout_s)) as climbing:
            found = by_finder(climbing)
        known = self.subject.known_by_name()
        for finder, steps in found.items():
            outcome = steps[0].outcome
            if isinstance(outcome, Failure):
                progress.note(f"{name}: {finder} failed. {outcome}")
            else:
                known[finder] = outcome
        return known

    def _repairs(self, history: History, drafts: Drafts) -> dict[str, Candidate]:
        """What left its images on the device, with other tails: there is nobody who would repair it there."""
        failures, found = history.failures(), dict[str, Candidate]()
        outside = [key for key in history.failed() if key in failures and is_outside(failures[key].message)]
        schedules = history.schedules(outside)
        for parent in (key for key in outside if key in schedules):
            new = [
                (key, other) for other in repaired(schedules[parent]) if (key := schedule_hash(other)) not in history
            ]
            for key, other in new[:1]:
                origin = Mutated(parent=parent, changes=(REPAIR,))
                found[key] = Candidate(schedule=other, provenance=origin)
        most, end_s = round(_REPAIRED_SHARE * self.options.batch), time.monotonic() + _LOWERING_S
        return drafts.pick(found, most, random_share=0.0, rng=self.rng, end_s=end_s).chosen

    def _drafts(self, history: History | Predicted) -> Drafts:
        subject, threads = self.subject, self.machine.threads
        return Drafts(subject.spec, subject.target, threads, self.pool.workers, history, self.ranker)

    def _model(self, *, freeze: bool) -> Model:
        return Model(self.subject.spec, self.machine.key, self.initial, self.lineage, freeze=freeze)

    def _proposals(
        self,
        history: Costs,
        model: Model,
        drafts: Drafts,
        wanted: int,
        share: float | None,
        number: int,
        progress: Progress,
    ) -> dict[str, Candidate]:
        """So many proposals of a round; see `Proposals.find`."""
        if wanted < 1:
            return {}
        # There is no hurry: with a second for each candidate, the bundle takes longer to run than to make.
        seconds = max(self.options.round_s, float(wanted))
        options = replace(self.options, batch=wanted, beams=min(self.options.beams, wanted), round_s=seconds)
        proposals = Proposals(
            subject=self.subject,
            options=options,
            history=history,
            model=model,
            searcher=self._searcher,
            drafts=drafts,
            pace=Pace(options),
            kept=None,
            rng=self.rng,
        )
        return proposals.find(share, Limits(), number, progress).candidates


def _forecasts(known: Iterable[Candidate], drafts: Drafts) -> dict[str, Parent]:
    """What known schedules may cost; what cannot be read is thought to cost as much as the worst."""
    schedules = {schedule_hash(each.schedule): each.schedule for each in known if each.schedule.base is None}
    keys, scores = drafts.scores(schedules, end_s=time.monotonic() + _LOWERING_S)
    costs = dict(zip(keys, map(float, np.exp(scores.mean)), strict=True)) if keys else {}
    worst = max(costs.values(), default=1.0)
    return {key: Parent(schedule, costs.get(key, worst)) for key, schedule in schedules.items()}


def _shares(parents: Sequence[Parent], count: int) -> dict[str, int]:
    """How many mutants each schedule has, by its hash, where costs are forecasts: the fewer, the more it may cost.

    One that is forecast to cost so much more than the best one as forecasts are wrong by has e times fewer.
    """
    favour = np.array([(parents[0].cost / each.cost) ** (1 / _WRONG) for each in parents])
    ends = np.rint(count * np.cumsum(favour) / favour.sum()).astype(int) if parents else np.zeros(0, dtype=int)
    counts = map(int, np.diff(ends, prepend=0))
    return {schedule_hash(each.schedule): most for each, most in zip(parents, counts, strict=True) if most}
