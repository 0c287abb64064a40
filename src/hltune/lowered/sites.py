"""Stores of a lowered program, the loops around them, and what the whole program does: what a walk finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hltune.lowered.access import Access
from hltune.lowered.memory import Allocation, Held

PARALLEL = frozenset(("parallel", "gpu_block", "gpu_thread", "gpu_lane"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop: its mean extent, how often it is entered, and which of the program's loops it is.

    Attributes:
        share: of its iterations in which what is spoken of is done: those in which branches directly within it come to
            it, and one of several where `as_vectors` does them at once.
        side: which side of these branches, by number; 0 if there is none.
    """

    number: int
    name: str
    kind: str
    extent: float
    entries: float
    share: float = 1.0
    side: int = 0

    @property
    def iterations(self) -> float:
        """Of one entry, those in which it is done."""
        return self.extent * self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A store, and what is computed for it alone.

    Attributes:
        runs: how often it runs.
        guarded: the share of iterations in which guards around it hold.
        loops: around it, the outermost first.
        operations: instructions of one run by `hltune.lowered.operations.NAMES`.
        reduced: lanes of the widest vector whose elements it combines with each other; 1 if there is none.
    """

    store: Access
    loads: tuple[Access, ...]
    operations: Mapping[str, float]
    runs: float
    guarded: float
    loops: tuple[Loop, ...]
    reduced: int

    @property
    def points(self) -> float:
        """Elements that it stores altogether."""
        return self.runs * self.store.lanes * self.store.enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a program does.

    Attributes:
        launches: how often a parallel loop is entered.
        tasks: iterations of all parallel loops, each of which threads have to agree on.
        stack_peak: most bytes, of what is wanted elsewhere than on the heap, at a time.
        vector_bits: of the target's registers.
    """

    sites: tuple[Site, ...]
    allocations: tuple[Allocation, ...]
    held: tuple[Held, ...]
    launches: float
    tasks: float
    stack_peak: float
    vector_bits: int


def as_vectors(site: Site, own: int, vector_bits: int) -> Site:
    """What LLVM makes of a loop that only fills an array, or copies one, element by element: `memset`, or `memcpy`.

    Args:
        site: the only store in its innermost loop, without arithmetic and branches in there.
        own: how many of its loads, the first ones, are what it copies; others are computed outside, once for many runs.
    """
    store, loads, inside = site.store, site.loads[:own], site.loops[-1]
    one_by_one = all(each.lanes == 1 and each.strides[-1] == 1.0 and each.enabled == 1.0 for each in (store, *loads))
    lanes = min(vector_bits // (8 * store.bytes), int(inside.extent))
    if lanes < 2 or not one_by_one or inside.kind in PARALLEL or store.buffer in {each.buffer for each in loads}:
        return site

    def access(each: Access) -> Access:
        strides = (*each.strides[:-1], float(lanes))
        runs, executed = each.runs / lanes, each.executed / lanes
        return replace(
            each, lanes=lanes, lane_stride=1.0, one_by_one=False, strides=strides, runs=runs, executed=executed
        )

    return replace(
        site,
        store=access(store),
        loads=(*map(access, loads), *site.loads[own:]),
        operations={name: lanes * count for name, count in site.operations.items()},
        runs=site.runs / lanes,
        loops=(*site.loops[:-1], replace(inside, share=inside.share / lanes)),
    )
