from __future__ import annotations

import pytest

from hltune.search.autoschedulers import Adams2019Options, Li2018Options, Mullapudi2016Options
from hltune.values.errors import InputError


@pytest.mark.parametrize(
    ("keyword", "value", "option"),
    [
        ("beam_size", 0, "--beam-size"),
        ("beam_size", 2**31, "--beam-size"),
        ("parallelism", -1, "--max-parallelism"),
        ("num_passes", 0, "--num-passes"),
        ("memory_limit_bytes", 0, "--memory-limit"),
        ("seed", -1, "--seed"),
        ("random_dropout", 101, "--random-dropout"),
        ("random_dropout", 0, "--random-dropout"),
    ],
)
def test_adams2019_refuses(keyword: str, value: int, option: str) -> None:
    with pytest.raises(InputError) as caught:
        Adams2019Options(**{"parallelism": 2, keyword: value})
    assert caught.value.where == option
    assert caught.value.found == str(value)


def test_others_refuse() -> None:
    with pytest.raises(InputError):
        Mullapudi2016Options(parallelism=0)
    with pytest.raises(InputError):
        Mullapudi2016Options(parallelism=1, balance=float("nan"))
    with pytest.raises(InputError):
        Mullapudi2016Options(parallelism=1, last_level_cache_bytes=0)
    with pytest.raises(InputError):
        Li2018Options(parallelism=0)


def test_builtin_weights_are_not_named() -> None:
    assert "weights_path" not in Adams2019Options(parallelism=2).parameters()
