from __future__ import annotations

import pytest

from hltune.values.directives import ComputeRoot, Reorder, Rfactor, Split, Stage, StoreIn, kinds
from hltune.values.errors import InputError


def test_every_directive_has_the_name_of_its_call() -> None:
    assert list(kinds()) == [
        "split",
        "fuse",
        "reorder",
        "vectorize",
        "unroll",
        "parallel",
        "partition",
        "atomic",
        "rfactor",
        "compute_root",
        "compute_at",
        "store_root",
        "store_at",
        "hoist_storage_root",
        "hoist_storage",
        "store_in",
        "reorder_storage",
        "align_storage",
        "fold_storage",
        "bound",
        "unscheduled",
    ]


def test_equal_directives_are_equal_values() -> None:
    assert len({Split(Stage("f"), "x", "x", "xi", 8), Split(Stage("f"), "x", "x", "xi", 8)}) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split(Stage("f"), "x", "x", "xi", 0), "split: factor is wrong"),
        (lambda: Split(Stage("f"), "x", "x", "xi", 2**31), "found: 2147483648"),
        (lambda: Split(Stage("f"), "", "x", "xi", 1), "split: old is wrong"),
        (lambda: StoreIn(Stage("f"), "GPU"), "expected: one of Auto, Heap, Stack, Register\n  found: 'GPU'"),
        (lambda: Reorder(Stage("f"), ("x", "x")), "reorder: vars is wrong"),
        (lambda: Reorder(Stage("f"), ()), "reorder: vars is wrong"),
        (lambda: ComputeRoot(Stage("f", 0)), "expected: a Func, not one of its updates"),
        (lambda: Rfactor(Stage("f"), (("r", "u"),), "g"), "expected: an update definition"),
        (lambda: Rfactor(Stage("f", 0), (), "g"), "rfactor: preserved is wrong"),
        (lambda: Rfactor(Stage("f", 0), (("r", "u"), ("r", "v")), "g"), "rfactor: preserved is wrong"),
    ],
)
def test_a_directive_that_makes_no_sense_cannot_exist(make, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
