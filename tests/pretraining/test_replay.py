from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from hltune.pretraining.replay import HELD_OUT, Replay, is_held_out
from hltune.pretraining.replay import chosen as choose
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.values.sample import PipelineRecord
from tests.samples.values import MACHINE, SPEC, sample

RANDOM = ("program-7", "program-12-5")
HASHES = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000))


def test_somebody_s_pipeline_of_such_a_name_is_no_random_program(tmp_path: Path) -> None:
    """Neither one whose name only begins so, nor one that was tuned."""
    specs = {name: replace(SPEC, name=name, hlpipe=name.encode()) for name in (*RANDOM, "program-blur", "program-3")}
    with Store(tmp_path / "samples.sqlite", progress=Silent(), wait_s=0) as store:
        for name, spec in specs.items():
            store.add_pipeline(PipelineRecord.of(spec))
            own = sample(1, pipeline=PipelineRecord.of(spec))
            store.add(replace(own, round=1 if name == "program-3" else 0))
        learned, held_out = Replay(store, MACHINE).programs()
    assert {*learned, *held_out} == {specs[name].content_hash for name in RANDOM}


def test_the_share_of_held_out_programs() -> None:
    assert sum(map(is_held_out, HASHES)) / len(HASHES) == pytest.approx(HELD_OUT, abs=0.02)


def test_all_the_newest_and_some_of_the_others_are_learned() -> None:
    chosen = choose(HASHES, 100, seed=1)
    assert len(set(chosen)) == 100
    assert chosen[-50:] == list(HASHES[-50:])
    assert chosen == sorted(chosen, key=HASHES.index)
    assert chosen == choose(HASHES, 100, seed=1) != choose(HASHES, 100, seed=2)
    assert choose(HASHES[:7], 100, seed=1) == list(HASHES[:7])
