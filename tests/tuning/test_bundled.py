"""What the first bundle has, of which nothing was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from hltune.cost_model.adams2019.weights import builtin_weights
from hltune.runtime.progress import Silent
from hltune.search.mutation import Parent
from hltune.tuning import bundled
from hltune.tuning.bundled import Bundled
from hltune.values.candidate import Candidate
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import schedule_hash
from hltune.workspace.searches import Searches
from tests.tuning.conftest import Place, make_options


def test_every_known_schedule_has_mutants(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forecasts are wrong by tens of percent; what seems to cost twice as much may be the best one."""
    costs = dict[str, float]()

    def forecasts(known: Iterable[Candidate], _drafts: object) -> dict[str, Parent]:
        schedules = {schedule_hash(each.schedule): each.schedule for each in known}
        costs.update((key, 1 + 0.5 * number) for number, key in enumerate(schedules))
        return {key: Parent(schedules[key], cost) for key, cost in costs.items()}

    monkeypatch.setattr(bundled, "_forecasts", forecasts)
    options = make_options(batch=40)
    chosen = Bundled(
        subject=place.subject,
        options=options,
        machine=place.machine,
        pool=place.pool,
        ranker=None,
        initial=builtin_weights(),
        lineage=place.lineage,
        memory=Searches(place.workspace.searches(place.subject.spec)),
        elsewhere={},
        rng=np.random.default_rng(1),
    ).first(Silent())
    assert len(chosen.candidates) == options.batch
    origins = [each.provenance for each in chosen.candidates.values()]
    mutants = Counter(each.parent for each in origins if isinstance(each, Mutated))
    likely = [key for key, cost in costs.items() if cost <= 2]
    assert len(likely) == 3 and all(mutants[key] >= 2 for key in likely), mutants
    assert mutants[likely[0]] > mutants[[*costs][-1]]
