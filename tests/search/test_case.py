"""What is said of all Funcs together, of accounts that are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from hltune.lowered.account import Account, Body
from hltune.lowered.features import BODY
from hltune.search.case import Case
from hltune.values.directives import Schedule
from hltune.values.pipeline import FuncInfo
from hltune.values.roles import Stage
from tests.search.made_up import pipeline

LONG = 3000
"""Funcs in a chain: more than Python lets calls be nested."""


def case(funcs: list[str], root: Account, account: Account) -> Case:
    spec = pipeline(*(FuncInfo(name=func, args=("x",)) for func in funcs))
    return Case(
        spec=spec, schedule=Schedule(), account=account, root=root, cores=2, vector_bytes=32, caches=(), counted=False
    )


def account(**loaded: Mapping[str, float]) -> Account:
    """Of Funcs of 10 points, each with what it loads of others."""
    bodies = tuple(
        Body(
            stage=Stage(func),
            buffer=func,
            levels=(),
            features={**dict.fromkeys(BODY, 0.0), "points": 10.0},
            terms={"compute": 1.0},
            loaded=each,
            run_bytes=0.0,
            element_bytes=4,
            lanes=1.0,
        )
        for func, each in loaded.items()
    )
    return Account(bodies=bodies, allocations=(), held=(), terms={}, launches=0.0, program_hash="")


def test_an_inlined_func_is_computed_for_each_of_its_consumers() -> None:
    root = account(once={}, kept={"once": 10.0}, f={"once": 20.0, "kept": 30.0}, output={"f": 20.0, "kept": 10.0})
    found = case(["once", "kept", "f", "output"], root, account(kept={}, output={})).repeats
    # f twice, so that it asks for `once` four times, and the buffer of `kept` for it once.
    assert found == {"once": 5.0, "kept": 1.0, "f": 2.0, "output": 1.0}


def test_of_a_tuple_the_element_counts_that_is_wanted_most() -> None:
    """The other one may have no consumer at all."""
    (pair,) = account(pair={}).bodies
    elements = tuple(replace(pair, buffer=buffer) for buffer in ("pair.0", "pair.1"))
    consumers = account(output={"pair.0": 20.0}).bodies
    root = replace(account(), bodies=(*elements, *consumers))
    assert case(["pair", "output"], root, account(output={})).repeats == {"pair": 2.0, "output": 1.0}


def test_a_long_chain_may_be_inlined() -> None:
    funcs = [f"f{number}" for number in range(LONG)]
    loads = {"f0": dict[str, float]()} | {new: {old: 10.0} for old, new in pairwise(funcs)}
    found = case(funcs, account(**loads), account(**{funcs[-1]: {}}))
    assert found.repeats == dict.fromkeys(funcs, 1.0)
    assert sum(found.computing.values()) == pytest.approx(1.0)
