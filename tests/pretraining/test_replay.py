from __future__ import annotations

import hashlib

import pytest

from hltune.pretraining.replay import HELD_OUT, is_held_out
from hltune.pretraining.replay import chosen as choose

HASHES = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000))


def test_the_share_of_held_out_programs() -> None:
    assert sum(map(is_held_out, HASHES)) / len(HASHES) == pytest.approx(HELD_OUT, abs=0.02)


def test_all_the_newest_and_some_of_the_others_are_learned() -> None:
    chosen = choose(HASHES, 100, seed=1)
    assert len(set(chosen)) == 100
    assert chosen[-50:] == list(HASHES[-50:])
    assert chosen == sorted(chosen, key=HASHES.index)
    assert chosen == choose(HASHES, 100, seed=1) != choose(HASHES, 100, seed=2)
    assert choose(HASHES[:7], 100, seed=1) == list(HASHES[:7])
