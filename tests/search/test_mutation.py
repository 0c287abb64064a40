"""Mutants are schedules of the same pipeline; those that run at all compute the same."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.machine.open import resolve
from hltune.machine.task import NumPyReference
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search import mutation
from hltune.search.gains import GAIN
from hltune.search.mutation import ALIKE, COMBINE, Parent, mutants, mutate, neighbours
from hltune.search.operators import OPERATORS
from hltune.search.remedied import MOVE, REMEDY
from hltune.search.sizes import EVERYWHERE
from hltune.search.view import View, legal
from hltune.values import provenance
from hltune.values.cost import Cost
from hltune.values.directives import ComputeAt, Schedule, Split, StoreAt
from hltune.values.errors import Failure
from hltune.values.pipeline import FuncInfo, PipelineSpec
from hltune.values.provenance import Mutated
from hltune.values.schedule_codec import from_json, schedule_hash, to_json
from tests.cache import CACHE
from tests.loading import Unchecked, fresh
from tests.machine.opened import OPTIONS, opened
from tests.search.made_up import pipeline

FUNCS = (FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="blurred", args=("x", "y")))
TEXT = """blurred.split(y, y, yi, 16, TailStrategy::ShiftInwards).split(x, x, xi, 16, TailStrategy::ShiftInwards)
    .vectorize(xi).compute_root().reorder(xi, x, yi, y).parallel(y);
rows.store_in(MemoryType::Stack).split(x, x, xi, 16, TailStrategy::RoundUp).vectorize(xi)
    .compute_at(blurred, yi).store_at(blurred, y);"""
PARENT = parse_schedule(TEXT, FUNCS)
SPEC = pipeline(*FUNCS)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_mutants_fit_the_pipeline_and_survive_a_file(seed: int, generations: int) -> None:
    rng = np.random.default_rng(seed)
    schedule = PARENT
    for _ in range(generations):
        mutant = mutate(schedule, SPEC, rng)
        assert mutant is not None
        child, mutation = mutant.schedule, mutant.provenance
        assert isinstance(mutation, Mutated) and mutation.parent == schedule_hash(schedule) and mutation.changes
        assert child != schedule
        loop_nests(child, FUNCS)
        assert from_json(json.loads(json.dumps(to_json(child)))) == child
        assert provenance.from_json(json.loads(json.dumps(provenance.to_json(mutation)))) == mutation
        schedule = child


def test_the_same_seed_gives_the_same_mutants() -> None:
    first, second = (mutate(PARENT, SPEC, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_parents_that_are_far_behind_have_few_children() -> None:
    child = mutate(PARENT, SPEC, np.random.default_rng(7))
    assert child is not None
    slow = child.schedule
    for costs, least, most in (((1.0, 1.02), 0.3, 0.7), ((1.0, 1.5), 0.0, 0.1), ((1.5, 1.0), 0.9, 1.0)):
        parents = [Parent(PARENT, costs[0]), Parent(slow, costs[1])]
        made = mutants(parents, SPEC, np.random.default_rng(0), wanted=100, known=lambda _: False)
        origins = [each.provenance for each in made.values()]
        share = sum(isinstance(each, Mutated) and each.parent == schedule_hash(slow) for each in origins) / len(made)
        assert least <= share <= most


def test_loops_of_every_output_are_changed() -> None:
    funcs = (*FUNCS[:1], FuncInfo(name="sharpened", args=("x", "y")), FuncInfo(name="blurred", args=("x", "y")))
    schedule = parse_schedule("blurred.split(x, x, xi, 16).vectorize(xi);", funcs)
    spec = pipeline(*funcs, outputs=("sharpened", "blurred"))
    view = View(list(schedule.directives), loop_nests(schedule, funcs), spec)
    assert {stage.func for stage, _ in view.serial_loops()} == {"sharpened", "blurred"}  # rows is inlined


def test_what_halide_would_refuse_is_not_made() -> None:
    """Loops of an inlined Func, and a buffer that tasks share although each computes its part of it."""
    funcs = (FuncInfo(name="inlined", args=("x", "y")), *FUNCS)
    rng = np.random.default_rng(0)
    text = TEXT.replace("compute_at(blurred, yi).store_at(blurred, y)", "compute_at(blurred, x)")
    parent = parse_schedule(text.replace("parallel(y)", "parallel(yi)"), funcs)
    made = [mutant for _ in range(500) if (mutant := mutate(parent, pipeline(*funcs), rng))]
    for mutant in made:
        of_inlined = [each for each in mutant.schedule.directives if each.stage.func == "inlined"]
        assert not of_inlined or any(isinstance(each, ComputeAt) for each in of_inlined)
    moved = [each.schedule for each in made if each.provenance.changes == ("store",)]
    levels = {each.var for schedule in moved for each in schedule.directives if isinstance(each, StoreAt)}
    assert levels == {"yi"}


def test_every_operator_is_used() -> None:
    rng = np.random.default_rng(0)
    unstored = Schedule(tuple(each for each in PARENT.directives if not isinstance(each, StoreAt)))
    folded = parse_schedule(TEXT.replace(".store_at(", ".fold_storage(y, 4).store_at("), FUNCS)
    parents = [PARENT, unstored, folded] * 200
    found = Counter(name for each in parents if (m := mutate(each, SPEC, rng)) for name in m.provenance.changes)
    assert found.keys() == {
        "scale",
        "tail",
        "unroll",
        "block",
        "reorder",
        "compute",
        "store",
        "hoist",
        "memory",
        "parallel",
        "partition",
        "materialise",
        "inline",
        "align",
        "fold",
    }


def test_operators_without_weight_are_not_used() -> None:
    weights = dict.fromkeys((each.name for each in OPERATORS), 0.0) | {"tail": 1.0, "align": 3.0}
    made = mutants(
        [Parent(PARENT, 1.0)], SPEC, np.random.default_rng(0), wanted=20, known=lambda _: False, weights=weights
    )
    changes = {name for each in made.values() for name in each.provenance.changes}
    assert changes == {"tail", "align"}


def test_neighbours_differ_in_one_factor() -> None:
    found = dict(neighbours(PARENT, FUNCS, np.random.default_rng(0)))
    before = [each.factor for each in PARENT.directives if isinstance(each, Split)]
    factors = [
        [each.factor for each in mutant.schedule.directives if isinstance(each, Split)] for mutant in found.values()
    ]
    ratios = {tuple(new / old for new, old in zip(each, before, strict=True)) for each in factors}
    assert ratios == {(2, 1, 1), (0.5, 1, 1), (1, 2, 1), (1, 0.5, 1), (1, 1, 2), (1, 1, 0.5)}
    assert all(key == schedule_hash(each.schedule) for key, each in found.items())
    assert not [*neighbours(parse_schedule("blurred.parallel(y);", FUNCS), FUNCS, np.random.default_rng(0))]


def test_neighbours_are_made_one_by_one_in_an_order_that_the_seed_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(mutation, "legal", lambda *given: made.append(0) or legal(*given))
    few = [*islice(neighbours(PARENT, FUNCS, np.random.default_rng(0)), 2)]
    assert len(made) == 2
    orders = {
        tuple(key for key, _ in neighbours(PARENT, FUNCS, rng)) for rng in map(np.random.default_rng, (0, 0, 1, 2))
    }
    assert len(orders) == 3 and any(order[:2] == tuple(key for key, _ in few) for order in orders)


def test_what_takes_the_time_is_changed_first() -> None:
    def by_rows(seed: int) -> bool:
        (_, first), *_ = neighbours(PARENT, FUNCS, np.random.default_rng(seed), shares={"rows": 1.0})
        return first.schedule.directives[:4] == PARENT.directives[:4]  # those of `blurred` are as they were

    assert PARENT.directives[0].stage.func == "blurred" and sum(map(by_rows, range(40))) > 24
    near, all_of_them = (
        {key for key, _ in neighbours(PARENT, FUNCS, np.random.default_rng(0), shares=shares)}
        for shares in ({"rows": 1.0}, None)
    )
    assert near == all_of_them
    weights = dict.fromkeys((each.name for each in OPERATORS), 0.0) | {"scale": 1.0}
    made = [mutate(PARENT, SPEC, np.random.default_rng(each), weights, shares={"rows": 1.0}) for each in range(40)]
    changed = [each.schedule.directives[-5:] != PARENT.directives[-5:] for each in made if each is not None]
    assert PARENT.directives[-5].stage.func == "rows" and sum(changed) > 0.6 * len(changed) > 20


def test_what_cannot_be_changed() -> None:
    rng = np.random.default_rng(0)
    assert mutants([], SPEC, rng, wanted=5, known=lambda _: False) == {}
    assert mutants([Parent(PARENT, 1.0)], SPEC, rng, wanted=5, known=lambda _: True) == {}
    scalar = FuncInfo(name="sum", args=())
    assert mutate(Schedule(), pipeline(scalar), rng) is None


@pytest.fixture(scope="module")
def host() -> TargetInfo:
    return resolve("host")


@pytest.fixture(scope="module")
def blur(host: TargetInfo) -> PipelineSpec:
    source = Source(kind="module", location="tests.machine.pipelines", entry="blur")
    return fresh(Unchecked(source=source, target=host.name, cache=CACHE))


@pytest.mark.long
def test_those_that_run_compute_the_same(blur: PipelineSpec, host: TargetInfo) -> None:
    parent = parse_schedule(TEXT, blur.funcs)
    rng = np.random.default_rng(1)
    found = mutants([Parent(parent, 1.0)], blur, rng, wanted=40, known=lambda _: False)
    assert len(found) == 40
    options = replace(OPTIONS, short_turn_s=0.002)
    reference = NumPyReference(module="tests.machine.pipelines", function="blur_reference")
    with opened(blur, host, options=options, numpy_reference=reference) as session:
        schedules = ((key, each.schedule) for key, each in found.items())
        outcomes = dict(session.measure_each(schedules, best=None)).values()
    failures = [each for each in outcomes if isinstance(each, Failure)]
    assert sum(isinstance(each, Cost) for each in outcomes) > 20
    # Halide itself refuses what would be wrong; a wrong output would mean that a replay does something else.
    assert not [failure for failure in failures if failure.kind == "wrong output"], failures


def test_each_change_is_explained() -> None:
    words = (Path(__file__).parents[2] / "docs" / "words.md").read_text()
    _, _, section = words.partition("## What a mutant changes\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")][2:]
    explained = [name for row in rows for name in row.split("|")[1].strip().split(", ")]
    made = [*(each.name for each in OPERATORS), ALIKE, COMBINE, EVERYWHERE, GAIN, MOVE, REMEDY, provenance.REPAIR]
    assert sorted(explained) == sorted(made)
