"""Programs whose costs follow a rule that T0 does not know: what is learned from some holds for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hltune.cost_model import pretrained
from hltune.cost_model.pretrained import Group, Pretrained, evaluate, evaluate_t0, fitted_scales, pretrain
from hltune.cost_model.programs import Programs
from hltune.cost_model.ranker import by_t0, fit
from hltune.cost_model.ranker_file import RankerOrigin, Rankers, read_ranker, write_ranker
from hltune.lowered.estimate import TERMS
from hltune.values.errors import InputError

COLUMNS = 12
SCHEDULES = 24
FEW = 20
"""Trees."""
SCALES = np.array([4.0, 0.25, *[1.0] * (len(TERMS) - 2)])
ORIGIN = RankerOrigin(machine="some", programs=3, samples=9, metrics={"r2": None, "pair_accuracy": 0.8})


def group(seed: int, *, noise: float = 0.05, shift: float = 0.0, rule: float = 1.0) -> Group:
    """Schedules of a program, which as a whole takes any number of times as long as T0 says."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SCHEDULES, COLUMNS)) + shift
    terms = 1e-3 * np.exp(rng.normal(size=(SCHEDULES, len(TERMS))))
    hidden = rule * (0.8 * np.sign(x[:, 3]) + 0.5 * (x[:, 7] > x[:, 1]))
    logs = np.log((terms * SCALES).sum(axis=1)) + hidden + rng.normal() + noise * rng.normal(size=SCHEDULES)
    return Group(programs=Programs(x=x, terms=terms), costs=np.exp(logs))


@pytest.fixture(scope="module")
def ranker() -> Pretrained:
    return pretrain([group(seed) for seed in range(80)], seed=1)


@pytest.fixture(scope="module")
def small() -> Pretrained:
    """Of few trees, for what is the same with more: packing all of them into a file takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "_TREES", FEW)
        return pretrain([group(seed) for seed in range(80)], seed=1)


def test_it_orders_the_schedules_of_programs_that_it_has_not_seen(ranker: Pretrained) -> None:
    unseen = [group(seed) for seed in range(100, 120)]
    found, plain = evaluate(ranker, unseen), evaluate_t0(unseen)
    assert found.pipelines == 20 and found.samples == 20 * SCHEDULES
    assert found.pair_accuracy is not None and plain.pair_accuracy is not None
    assert found.pair_accuracy > 0.88 > 0.75 > plain.pair_accuracy
    assert found.regret_at_1 is not None and found.regret_at_1 < 1.15


def test_scales_are_those_that_order_schedules() -> None:
    groups = [group(seed, rule=0.0) for seed in range(60)]
    found = fitted_scales(groups)
    assert found[0] / found[1] == pytest.approx(16.0, rel=0.1)
    fitted, plain = evaluate_t0(groups, found).pair_accuracy, evaluate_t0(groups).pair_accuracy
    assert fitted is not None and plain is not None and fitted > plain


def test_absolute_costs_are_said_with_their_uncertainty(ranker: Pretrained) -> None:
    assert 0.7 < ranker.offset_spread < 1.3  # programs are shifted by a normal of deviation 1
    unseen = [group(seed) for seed in range(200, 260)]
    errors = [float(np.mean(np.log(each.costs) - ranker(each.programs).mean)) for each in unseen]
    assert abs(np.mean(errors)) < 0.6 and 0.7 < np.std(errors) < 1.4


def test_what_is_unlike_all_that_was_seen_is_told(ranker: Pretrained) -> None:
    assert sum(ranker.unlike(group(seed).programs) for seed in range(300, 340)) <= 4
    assert ranker.unlike(group(1, shift=9.0).programs)


def test_where_nothing_alike_was_learned_t0_speaks_alone(ranker: Pretrained) -> None:
    strange, usual = group(1, shift=9.0), group(301)
    assert evaluate(ranker, [strange]).pair_accuracy == evaluate_t0([strange], ranker.scales).pair_accuracy
    assert np.allclose(ranker.scaled_t0(strange.programs).mean - strange.programs.log_t0(ranker.scales), ranker.offset)
    assert not ranker.unlike(usual.programs) and evaluate(ranker, [usual]).r2 != evaluate_t0([usual], ranker.scales).r2


def test_of_nothing_that_could_be_lowered_nothing_is_said(ranker: Pretrained) -> None:
    for scorer in (ranker, ranker.scaled_t0, by_t0):
        assert len(scorer(Programs.of([], cores=2)).mean) == 0


def test_one_pipelines_ranker_starts_from_it(ranker: Pretrained) -> None:
    """From few samples, it orders better than one that starts from T0."""
    whole = group(400)
    few, rest = np.arange(SCHEDULES) < 8, np.arange(SCHEDULES) >= 8
    unseen = Group(programs=whole.programs.where(rest), costs=whole.costs[rest])
    accuracies = []
    for start in (ranker, by_t0):
        learned = fit(whole.programs.where(few), whole.costs[few], start=start, seed=0)
        order = np.argsort(learned(unseen.programs).mean)
        accuracies.append(np.corrcoef(order.argsort(), unseen.costs.argsort().argsort())[0, 1])
    assert accuracies[0] > accuracies[1] and accuracies[0] > 0.8


def test_a_file_brings_it_back(small: Pretrained, tmp_path: Path) -> None:
    path = Rankers(tmp_path / "new").write(7, small, ORIGIN)
    assert path.name == "best-00007.ranker.json"
    stored = read_ranker(path)
    assert stored.origin == ORIGIN
    programs = group(500).programs
    for before, after in zip(_scores(small, programs), _scores(stored.ranker, programs), strict=True):
        assert np.allclose(before, after, rtol=1e-5)
    assert stored.ranker.unlike(programs) == small.unlike(programs)


def _scores(ranker: Pretrained, programs: Programs) -> tuple[np.ndarray, np.ndarray]:
    scores = ranker(programs)
    return scores.mean, scores.spread


def test_the_newest_counts_and_older_ones_go(small: Pretrained, tmp_path: Path) -> None:
    rankers = Rankers(tmp_path)
    assert rankers.path() is None and rankers.version() == 0
    for number in (3, 12, 12):
        rankers.write(number, small, ORIGIN)
    assert rankers.version() == 12 and [each.name for each in tmp_path.iterdir()] == ["best-00012.ranker.json"]
    rankers.clear()
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def written(small: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is in a file of it."""
    path = tmp_path_factory.mktemp("written") / "best-00001.ranker.json"
    write_ranker(path, small, ORIGIN)
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("columns", "0.1"),
        ("trees", []),
        ("trees", ["AAAA"]),
        ("trees", ["not base85 "]),
        ("scales", [1.0]),
        ("scales", "x"),
        ("format", "hltune-weights"),
    ],
)
def test_damage_is_named(field: str, value: object, written: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "best-00001.ranker.json"
    path.write_text(json.dumps(written | {field: value}))
    with pytest.raises(InputError) as raised:
        read_ranker(path)
    assert str(path) in str(raised.value) and "hltune pretrain" in str(raised.value)


def test_what_fails_is_learned_beside_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is far out in a column failed; in most programs nothing did."""
    monkeypatch.setattr(pretrained, "_TREES", FEW)  # which are not those that say what fails

    def some_failed(seed: int) -> Group:
        whole = group(seed)
        failed = whole.programs.x[:, 5] > 1.5
        return Group(
            programs=whole.programs.where(~failed), costs=whole.costs[~failed], failed=whole.programs.where(failed)
        )

    learned = pretrain([some_failed(seed) for seed in range(40)], seed=1)
    write_ranker(tmp_path / "best-00001.ranker.json", learned, ORIGIN)
    stored = read_ranker(tmp_path / "best-00001.ranker.json").ranker
    x = np.vstack([group(seed).programs.x for seed in range(100, 120)])
    assert learned.failing is not None and stored.failing is not None
    chances = learned.failing(x)
    assert np.allclose(chances, stored.failing(x), rtol=1e-5)
    assert chances[x[:, 5] > 1.6].min() > 0.5 > chances[x[:, 5] < 1.4].max()
    assert pretrain([group(seed) for seed in range(8)], seed=1).failing is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.ranker\.json"):
        read_ranker(tmp_path / "gone.ranker.json")


def test_other_features_are_refused(ranker: Pretrained) -> None:
    programs = group(1).programs
    with pytest.raises(InputError, match="12 columns"):
        ranker(Programs(x=programs.x[:, :5], terms=programs.terms))


def test_nothing_to_learn_from(ranker: Pretrained) -> None:
    with pytest.raises(InputError, match="no programs"):
        pretrain([], seed=0)
    assert len(ranker(group(1).programs.where(np.zeros(SCHEDULES, dtype=bool))).mean) == 0
