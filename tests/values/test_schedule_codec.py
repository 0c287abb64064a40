from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hltune.values.directives import ComputeRoot, Reorder, Schedule, Split, Stage, Vectorize
from hltune.values.errors import InputError
from hltune.values.schedule_codec import from_json, schedule_hash, to_json
from tests.schedule.strategies import any_schedule

SCHEDULE = Schedule(
    (
        ComputeRoot(Stage("f")),
        Split(Stage("f"), "x", "x", "xi", 8, "RoundUp"),
        Reorder(Stage("f"), ("xi", "y", "x")),
        Vectorize(Stage("f", 0), "xi"),
    )
)
DIRECTIVES = [
    {"op": "compute_root", "func": "f"},
    {"op": "split", "func": "f", "old": "x", "outer": "x", "inner": "xi", "factor": 8, "tail": "RoundUp"},
    {"op": "reorder", "func": "f", "vars": ["xi", "y", "x"]},
    {"op": "vectorize", "func": "f", "update": 0, "var": "xi"},
]
DOCUMENT = {"format": "hltune schedule", "version": 1, "directives": DIRECTIVES}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=6,
)


def test_the_format() -> None:
    assert to_json(SCHEDULE) == DOCUMENT
    assert from_json(DOCUMENT) == SCHEDULE


def test_the_hash_is_stable_and_tells_schedules_apart() -> None:
    assert schedule_hash(SCHEDULE) == "d02594e4400730c0bef76faa0a4d4f96d853f033c99704f92291fa11dbb1cce6"
    assert schedule_hash(Schedule(SCHEDULE.directives[::-1])) != schedule_hash(SCHEDULE)


@given(any_schedule)
def test_round_trip(schedule: Schedule) -> None:
    again = from_json(json.loads(json.dumps(to_json(schedule))))
    assert again == schedule
    assert schedule_hash(again) == schedule_hash(schedule)


def _with(path: list[Any], value: object) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "expected: an object with keys\n  found: list"),
        ({}, "schedule: keys are missing or not known\n  expected: directives, format, version\n  found: no keys"),
        (_with(["format"], "png"), "expected: 'hltune schedule'\n  found: 'png'"),
        (_with(["version"], 2), "another version\n  expected: 1\n  found: 2"),
        (_with(["version"], True), "expected: 1\n  found: True"),
        (_with(["author"], "me"), "found: author, directives, format, version"),
        (_with(["directives"], "x"), "expected: a list\n  found: str"),
        (_with(["directives", 1], None), "directives[1]: not an object"),
        (_with(["directives", 1, "op"], "spilt"), "directives[1]: no such directive is known"),
        (_with(["directives", 1, "op"], []), "found: []"),
        (_with(["directives", 1, "tail"], ...), "directives[1]: keys are missing or not known"),
        (_with(["directives", 1, "hint"], 1), "found: factor, func, hint, inner"),
        (_with(["directives", 1, "factor"], 0), "directives[1]: split: factor is wrong"),
        (_with(["directives", 1, "factor"], 8.0), "expected: a whole number from 1 to 2147483647\n  found: 8.0"),
        (_with(["directives", 1, "factor"], True), "found: True"),
        (_with(["directives", 1, "tail"], "Roundup"), "expected: one of Auto, RoundUp"),
        (_with(["directives", 1, "old"], ""), "expected: the name of a loop\n  found: ''"),
        (_with(["directives", 2, "vars"], ["x", "x"]), "expected: different names of loops\n  found: ('x', 'x')"),
        (_with(["directives", 2, "vars"], "xy"), "reorder: vars is wrong"),
        (_with(["directives", 3, "update"], None), "directives[3]: update is null"),
        (_with(["directives", 3, "update"], -1), "directives[3]: vectorize: stage is wrong"),
        (_with(["directives", 0, "update"], 0), "expected: a Func, not one of its updates"),
    ],
)
def test_what_is_not_a_schedule_is_refused(document: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_json(document)
    assert message in str(caught.value)


@given(json_values)
def test_arbitrary_json_is_refused(document: object) -> None:
    with pytest.raises(InputError):
        from_json(document)


@given(st.data())
def test_damage_is_read_or_refused(data: st.DataObject) -> None:
    document: Any = copy.deepcopy(DOCUMENT)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    if data.draw(st.booleans()):
        place[key] = data.draw(json_values)
    else:
        del place[key]
    try:
        schedule = from_json(document)
    except InputError:
        return
    assert to_json(schedule) == document
