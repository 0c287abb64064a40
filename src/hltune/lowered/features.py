"""Features of a program: named numbers, of each of its bodies and of the whole.

A body is all stores to one buffer in the same loops: what was unrolled there, or is computed for several rows at once,
shares what it loads.

| symbol | what                                          |
|--------|-----------------------------------------------|
| K      | bodies                                        |
| F      | features of a body, `BODY`                    |
| G      | features of the whole program, `WHOLE`        |

Counts and sizes are plain numbers here, up to 1e12 and more; a model takes their logarithms.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hltune.lowered import operations
from hltune.lowered.access import LANE_BY_LANE, PATTERNS, Access, pattern
from hltune.lowered.footprint import touched
from hltune.lowered.memory import HEAP, Held
from hltune.lowered.sites import PARALLEL, Site, Walked
from hltune.runtime.malloc import KEPT, LARGEST_MOVING, LEAST_MAPPED
from hltune.values.errors import InputError
from hltune.values.program_features import ProgramFeatures

VERSION = 12
"""Of the set of features: what was computed by another version is computed anew."""

CACHES = (32 << 10, 512 << 10, 16 << 20)
"""Bytes of the levels of cache that features refer to: those of a common server's core, for models to be comparable."""
_LEVELS = ("l1", "l2", "l3")
TRANSLATIONS = (64, 1536)
"""Pages whose places in memory a core knows at once, quickly, and at all: those of a common server, too."""
_TABLES = ("l1", "l2")

_EXECUTION = (
    "runs",
    "points",
    "stores",
    "lanes",
    "guarded",
    "depth",
    "innermost",
    "inner_bodies",
    "serial",
    "tasks",
    "inner_parallel",
    "chained",
    "operations",
    "instructions",
)
_MEMORY = (
    *(f"{what} {each}" for what in ("load", "store") for each in PATTERNS),
    "lane_by_lane",
    "load_bytes",
    "store_bytes",
    *(f"{what}_beyond_{level}" for what in ("read", "written") for level in _LEVELS),
    *(f"pages_beyond_{level}" for level in _TABLES),
    "unique_read",
    "unique_written",
    "task_read",
    "task_written",
    "streams",
    "kept_bytes",
)
BODY = (*_EXECUTION, *operations.NAMES, *_MEMORY)
"""Names of the features of a body."""
MEANS = frozenset((*_EXECUTION[2:-3], "operations", "task_read", "task_written", "streams", "kept_bytes"))
"""Those that are said of one run or task; all others are totals over the runs."""

WHOLE = (
    "bodies",
    "launches",
    "task_starts",
    "allocations",
    "heap_bytes",
    "heap_sizes",
    "fault_bytes",
    "stack_bytes",
    "serial_share",
    "idle",
    "scalar_share",
)


def decoded(stored: Mapping[str, tuple[str, bytes]]) -> dict[str, ProgramFeatures]:
    """Features that a store kept by key; those that are damaged are as good as not there."""
    found: dict[str, ProgramFeatures] = {}
    for key, (program_hash, data) in stored.items():
        with contextlib.suppress(InputError):
            found[key] = ProgramFeatures.decode(data, program_hash=program_hash, columns=len(BODY), whole=len(WHOLE))
    return found


def features(walked: Walked, program_hash: str, *, cores: int) -> ProgramFeatures:
    """The features of a program on so many cores; an `ArithmeticError` if they are not finite."""
    register_bytes = _registers(walked.vector_bits) * walked.vector_bits / 8
    rows = [_body_features(sites, register_bytes) for sites in bodies(walked)]
    table = np.array([[row[name] for name in BODY] for row in rows]).reshape(-1, len(BODY))
    whole = _whole(walked, rows, cores)
    found = ProgramFeatures(bodies=table, whole=np.array([whole[name] for name in WHOLE]), program_hash=program_hash)
    if not (np.isfinite(found.bodies).all() and np.isfinite(found.whole).all()):
        raise ArithmeticError("its features are not finite")
    return found


def bodies(walked: Walked) -> list[list[Site]]:
    """The stores of each body of a program, in the order in which `features` has them."""
    groups: dict[tuple[object, ...], list[Site]] = {}
    for site in walked.sites:
        if site.runs > 0:
            groups.setdefault((site.store.buffer, *(loop.number for loop in site.loops)), []).append(site)
    return [*groups.values()]


def _registers(vector_bits: int) -> int:
    """Vectors that a core keeps: AVX-512 and HVX have 32 registers, AVX2 and SSE 16."""
    return 32 if vector_bits >= 512 else 16


def _body_features(sites: Sequence[Site], register_bytes: float) -> dict[str, float]:
    """The features of a body by `BODY`."""
    found = dict.fromkeys(BODY, 0.0)
    kept_bytes = _kept_bytes(sites)
    if kept_bytes > register_bytes:
        sites = [_spilled(site, 1.0 - register_bytes / kept_bytes) for site in sites]
    first = sites[0]
    loops = first.loops
    parallel = [loop for loop in loops if loop.kind in PARALLEL]
    extents = iterations(sites)
    inner = [extent for loop, extent in zip(loops, extents, strict=True) if loop.kind not in PARALLEL]
    runs = max(site.runs for site in sites)
    for site in sites:
        for name, count in site.operations.items():
            found[name] += count * site.runs
        for access in site.loads:
            _add_access(found, access, "load")
        _add_access(found, site.store, "store")
    work = sum(found[name] for name in operations.NAMES)
    found["instructions"] = work + sum(each.instructions for site in sites for each in (*site.loads, site.store))
    found |= {
        "runs": runs,
        "points": sum(site.points for site in sites),
        "stores": float(len(sites)),
        "lanes": float(max(site.store.lanes for site in sites)),
        "guarded": first.guarded,
        "depth": float(len(loops)),
        "innermost": inner[-1] if inner else 1.0,
        "inner_bodies": math.prod(inner[-2:]),
        "serial": math.prod(loop.extent for loop in loops[: _first_parallel(first)]),
        "tasks": parallel[0].extent if parallel else 1.0,
        "inner_parallel": math.prod(loop.extent for loop in parallel[1:]),
        "chained": _chained(sites),
        "kept_bytes": kept_bytes,
        "operations": work / runs,
    }
    _add_footprints(found, sites, extents)
    return found


def _chained(sites: Sequence[Site]) -> float:
    """Runs one after the other, each of which waits for a float of the one before: sums, and recursions.

    What a store reads of its own buffer was written before it in the same iteration of the innermost loop, or in the
    iteration before. A sum that begins anew in each iteration waits for none.
    """
    longest = 0.0
    runs: dict[float, float] = {}
    stored = {site.store.offset for site in sites}
    for site in sites:
        store = site.store
        step = store.strides[-1] if store.strides else None
        waits = 0.0
        for place in _own(site):
            if place in runs:
                waits = max(waits, runs[place] + site.runs if runs[place] else 0.0)
            elif step is not None and place + step in stored:
                waits = max(waits, site.runs)
        if store.offset is not None:
            runs[store.offset] = waits
        longest = max(longest, waits)
    return longest


def _kept_bytes(sites: Sequence[Site]) -> float:
    """Of registers in which what the innermost loop leaves where it is would be kept: if there are so many."""
    accesses = [access for site in sites for access in (*site.loads, site.store)]
    kept = {(each.buffer, each.offset): each.lanes * each.bytes for each in accesses if each.executed < each.runs}
    return float(sum(kept.values()))


def _spilled(site: Site, share: float) -> Site:
    """A store that keeps all but a share of what stays where it is: there are no registers for more."""

    def access(each: Access) -> Access:
        return replace(each, executed=each.executed + share * (each.runs - each.executed))

    return replace(site, store=access(site.store), loads=tuple(map(access, site.loads)))


def _own(site: Site) -> list[float]:
    """Where a store of floats reads its own buffer, if that is in steps like its own."""
    store = site.store
    own = [each for each in site.loads if each.buffer == store.buffer and each.strides == store.strides]
    return [each.offset for each in own if each.offset is not None] if store.type.kind == "float" else []


def _first_parallel(site: Site) -> int:
    return next((number for number, loop in enumerate(site.loops) if loop.kind in PARALLEL), len(site.loops))


def _add_access(found: dict[str, float], access: Access, what: str) -> None:
    which = pattern(access)
    found[f"{what} {which}"] += access.instructions
    if which in LANE_BY_LANE:
        found["lane_by_lane"] += access.executed * access.lanes * access.enabled
    found[f"{what}_bytes"] += access.executed * access.lanes * access.bytes * access.enabled


def _add_footprints(found: dict[str, float], sites: Sequence[Site], extents: Sequence[float]) -> None:
    first = max(sites, key=lambda site: site.runs)
    loads = [access for site in sites for access in site.loads]
    read, written = touched(loads, extents), touched([site.store for site in sites], extents)
    entries = _entries(first)
    task = min(len(extents), _first_parallel(first) + 1)
    found["unique_read"], found["unique_written"] = read[0].bytes * entries[0], written[0].bytes * entries[0]
    found["task_read"], found["task_written"] = read[task].bytes, written[task].bytes
    found["streams"] = float(len({access.buffer for access in loads}))
    touch = [one + other for one, other in zip(read, written, strict=True)]
    for level, size in zip(_LEVELS, CACHES, strict=True):
        around = _fetched_by([each.lines for each in touch], size)
        found[f"read_beyond_{level}"] = read[around].lines * entries[around]
        found[f"written_beyond_{level}"] = written[around].lines * entries[around]
    for level, pages in zip(_TABLES, TRANSLATIONS, strict=True):
        around = _fetched_by([each.pages for each in touch], pages)
        found[f"pages_beyond_{level}"] = touch[around].pages * entries[around]


def iterations(sites: Sequence[Site]) -> list[float]:
    """The iterations of one entry of each loop around a body, the outermost first, in which it is done."""
    found: list[float] = []
    for same in zip(*(site.loops for site in sites), strict=True):
        sides = {loop.side: loop.iterations for loop in same}
        found.append(min(same[0].extent, sum(sides.values())))
    return found


def _entries(site: Site) -> Sequence[float]:
    """How often the loops from each level inwards are gone through."""
    counts = [site.loops[0].entries if site.loops else site.runs]
    counts += [loop.entries * loop.iterations for loop in site.loops]
    return counts


def _fetched_by(needs: Sequence[float], size: float) -> int:
    """The level of which one iteration fetches all it touches once: what the next one inwards touches stays for it."""
    fits = next((level for level, need in enumerate(needs) if need <= size), len(needs))
    return max(0, fits - 1)


def _whole(walked: Walked, rows: Sequence[Mapping[str, float]], cores: int) -> dict[str, float]:
    total = sum(row["instructions"] for row in rows) or 1.0
    heap = [each for each in walked.allocations if each.memory in HEAP]
    return {
        "bodies": float(len(rows)),
        "launches": walked.launches,
        "task_starts": walked.tasks,
        "allocations": sum(each.runs for each in heap),
        "heap_bytes": sum(each.runs * each.bytes for each in heap),
        "heap_sizes": sum(each.bytes for each in heap),
        "fault_bytes": _fault_bytes(walked),
        "stack_bytes": walked.stack_peak,
        "serial_share": sum(row["instructions"] for row in rows if all_tasks(row) <= 1.0) / total,
        "idle": sum(row["instructions"] * idle_share(all_tasks(row), cores) for row in rows) / total,
        "scalar_share": sum(row["instructions"] for row in rows if row["lanes"] == 1.0) / total,
    }


def _fault_bytes(walked: Walked) -> float:
    """Bytes of the heap that come from the system anew, page by page, whenever they are needed.

    As in a fresh process: what is returned to the heap's end goes back to the system as soon as more lies free there
    than `trim`, what was taken beyond the need included, but for what malloc leaves there. Those that are larger than
    any that malloc keeps always do. See `hltune.machine.heap`.
    """
    heap = [each for each in walked.allocations if each.memory in HEAP]
    trim = trim_bytes(each.bytes for each in heap)
    alone = sum(each.runs * each.bytes for each in heap if each.bytes > LARGEST_MOVING)
    return alone + sum(each.runs * (each.peak - KEPT) for each in returned(walked.held, trim))


def returned(held: Iterable[Held], trim: float) -> list[Held]:
    """What goes back to the system where so much may lie free at the heap's end."""
    return [each for each in held if each.grown > trim]


def trim_bytes(sizes: Iterable[float]) -> float:
    """How much may lie free at the heap's end, where buffers of these sizes were taken and given back before."""
    mapped = max((size for size in sizes if LEAST_MAPPED <= size <= LARGEST_MOVING), default=0.0)
    return max(2 * mapped, LEAST_MAPPED)


def all_tasks(row: Mapping[str, float]) -> float:
    """Those of a body that cores share: of parallel loops within parallel loops, too."""
    return row["tasks"] * row["inner_parallel"]


def idle_share(tasks: float, cores: int) -> float:
    """The share of the cores' time that waits for the last task, if all tasks take as long."""
    turns = math.ceil(max(1.0, round(tasks, 2)) / cores)
    return 1.0 - max(1.0, tasks) / (turns * cores)
