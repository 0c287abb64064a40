"""Faults of buffers: how large they are, how often they are taken, and what malloc keeps of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from hltune.lowered.features import returned, trim_bytes
from hltune.lowered.memory import HEAP, LARGEST_ON_STACK, Allocation
from hltune.lowered.names import func_of
from hltune.runtime.malloc import LARGEST_MOVING
from hltune.search import remedies
from hltune.search.case import Case, cache_of
from hltune.search.fault import Fault
from hltune.values.directives import ComputeRoot
from hltune.values.roles import Stage
from hltune.values.unit import size

_LARGEST = 2
"""Buffers, any of which may be the one that malloc goes by."""
_LARGEST_KEPT = LARGEST_MOVING - (8 << 10)
"""With what Halide and malloc add to it, a buffer of so many bytes is no larger than malloc keeps."""
_LEAST_MARGIN, _MARGIN = 1.1, 1.5
"""How much larger one is made than it seems that it has to be: threads take more at a time than the text says."""


def memory(case: Case) -> Iterator[Fault]:
    """Buffers at root that no near cache holds."""
    if case.counted or not case.caches:
        return
    heap = sum(each.bytes for each in case.taken.values())
    for func, largest in case.sizes.items():
        if cache_of(largest, case.caches[:2]) or not isinstance(case.patient.place(func), ComputeRoot):
            continue
        bodies = [each for each in case.account.bodies if func in (each.stage.func, *each.reads)]
        share = case.taken[func].bytes / heap if func in case.taken else 0.0
        yield Fault(
            kind="memory",
            stage=Stage(func),
            seconds=sum(each.terms[name] for each in bodies for name in ("l1", "l2", "l3"))
            + case.account.terms["faults"] * share,
            text=f"goes through {cache_of(largest, case.caches) or 'memory'}, {size(largest)} written and read "
            "again: compute it for a part of its consumer at a time",
            remedy=partial(remedies.further_in, case.patient, func),
        )


def page_faults(case: Case) -> Iterator[Fault]:
    """Memory that malloc gives back to the system in each call."""
    heap = [each for each in case.account.allocations if each.memory in HEAP]
    trim = trim_bytes(each.bytes for each in heap)
    grown = max((each.grown for each in returned(case.account.held, trim)), default=0.0)
    largest = _largest_kept(case, heap)
    if case.counted or not grown or not largest:
        return
    slices = {func: count for func, each in largest.items() if (count := _slices(case, func, each, grown))}
    advice = ": pad one, by aligning its storage, until that is enough" if slices else ""
    yield Fault(
        kind="faults",
        stage=Stage(next(iter(largest))),
        seconds=case.account.terms["faults"],
        text=f"is the largest buffer that malloc keeps, and {size(grown)} come from the system anew in each call, page "
        f"by page, for it keeps twice as much as that one{advice}",
        remedy=partial(remedies.padded, case.patient, slices),
    )


def _largest_kept(case: Case, heap: Sequence[Allocation]) -> dict[str, Allocation]:
    """Funcs with the largest buffers; not those with several, as a Tuple has, which would all become larger."""
    buffers: dict[str, set[str]] = {}
    for each in heap:
        buffers.setdefault(func_of(each.buffer), set()).add(each.buffer)
    by_size = sorted((each for each in heap if each.bytes <= LARGEST_MOVING), key=lambda each: each.bytes)
    found = {func_of(each.buffer): each for each in by_size}  # of several, the largest one
    named = [func for func in found if func in case.funcs and func in case.patient.view.nests.args]
    single = [func for func in named if len(buffers[func]) == 1]
    return {func: found[func] for func in single[::-1][:_LARGEST]}


def _slices(case: Case, func: str, buffer: Allocation, grown: float) -> int:
    """How many slices a buffer has that is large enough for nothing to go back; 0 if malloc keeps none that large."""
    view = case.patient.view
    extents = dict(zip(view.nests.args[func], buffer.extents, strict=False))
    slice_bytes = buffer.bytes / extents.get(view.outermost_stored(func) or "", 1.0)
    # Twice as much may lie free, which is then as much as all that is needed, whether or not it is a part of that.
    needed = max(grown - buffer.bytes, grown / 2)
    least, wanted, most = (each / slice_bytes for each in (_LEAST_MARGIN * needed, _MARGIN * needed, _LARGEST_KEPT))
    found = math.floor(min(math.ceil(wanted), most))
    return found if found >= least else 0


def allocations(case: Case) -> Iterator[Fault]:
    """What is taken from the heap too often, or too much of it."""
    terms, taken = case.account.terms, case.taken
    runs, total = (sum(getattr(each, name) for each in taken.values()) or 1.0 for name in ("runs", "bytes"))
    for func, each in taken.items():
        # What goes where Halide sees fit, and is on the heap though it is small, has a size that it does not know.
        small = each.largest <= LARGEST_ON_STACK and case.says_memory(func)
        advice = "use the stack, or take it once further out" if small else "take it once further out"
        remedy = partial(remedies.fewer_allocations, case.patient, func, small=small)
        if not small and isinstance(case.patient.place(func), ComputeRoot):
            advice, remedy = "compute less of it at a time", partial(remedies.further_in, case.patient, func)
        yield Fault(
            kind="allocations",
            stage=Stage(func),
            seconds=terms["allocations"] * each.runs / runs + terms["heap_bytes"] * each.bytes / total,
            text=f"takes memory from the heap {_times(each.runs)}, {size(each.bytes)} in all: {advice}",
            remedy=remedy,
        )


def _times(number: float) -> str:
    return "once" if round(number) <= 1 else f"{number:,.0f} times"
