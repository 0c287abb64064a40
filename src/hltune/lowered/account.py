"""What a lowered program spends where: its bodies by name, what each runs, touches, and costs by T0."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hltune.lowered.access import LANE_BY_LANE, Access, pattern
from hltune.lowered.estimate import TERMS, estimate
from hltune.lowered.features import BODY, bodies, features, iterations
from hltune.lowered.footprint import touched
from hltune.lowered.job import Lowering
from hltune.lowered.memory import Allocation, Held
from hltune.lowered.names import dimension_of, func_of, loop_of
from hltune.lowered.sites import Loop, Site, Walked
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.roles import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A loop around a body.

    Attributes:
        stage: whose loop it is.
        var: its name in the schedule.
        dimension: see `hltune.lowered.names.dimension_of`.
        touched: cache lines that one iteration of it reads or writes for the body, in bytes.
    """

    stage: Stage
    var: str
    dimension: str
    kind: str
    extent: float
    entries: float
    touched: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """All stores to one buffer in the same loops; see `hltune.lowered.features`.

    Attributes:
        levels: the loops around, the outermost first.
        features: by `hltune.lowered.features.BODY`.
        terms: seconds by the first of `hltune.lowered.estimate.TERMS`.
        loaded: elements that it reads of each buffer, by names as `buffer` is one.
        run_bytes: cache lines that one run of it touches.
        element_bytes: size of what it stores.
        lanes: elements that are computed at once: what it stores, or combines into what it stores, as a sum does.
        clamped: what it accesses lane by lane lies side by side nearly always: indices are clamped to an image, say.
        scatters: data decides where it stores.
        by_data: data decides where all is that it accesses lane by lane.
        gathered: buffers that it loads so, by the names of Funcs.
    """

    stage: Stage
    buffer: str
    levels: tuple[Level, ...]
    features: Mapping[str, float]
    terms: Mapping[str, float]
    loaded: Mapping[str, float]
    run_bytes: float
    element_bytes: int
    lanes: float
    clamped: bool = False
    scatters: bool = False
    by_data: bool = False
    gathered: frozenset[str] = frozenset()

    @property
    def seconds(self) -> float:
        """What it costs."""
        return sum(self.terms.values())

    @property
    def vector(self) -> bool:
        """It computes several elements at once."""
        return self.lanes > 1.0

    @property
    def reads(self) -> frozenset[str]:
        """Funcs and images whose values it reads."""
        return frozenset(map(func_of, self.loaded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A whole program.

    Attributes:
        terms: seconds by `hltune.lowered.estimate.TERMS`.
        launches: how often a parallel loop is entered.
        program_hash: the same for the same program, whatever its loops are called.
    """

    bodies: tuple[Body, ...]
    allocations: tuple[Allocation, ...]
    held: tuple[Held, ...]
    terms: Mapping[str, float]
    launches: float
    program_hash: str

    @property
    def seconds(self) -> float:
        """T0."""
        return sum(self.terms.values())

    def of(self, func: str) -> list[Body]:
        """The bodies that store a Func."""
        return [each for each in self.bodies if each.stage.func == func]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountJob:
    """Lowers a schedule, and says what it spends where. Runs in a worker."""

    lowering: Lowering
    schedule: Schedule

    def run(self, process: Process) -> Account | Failure:
        """See `hltune.lowered.job.read`."""
        return self.lowering.read(self.schedule, process, partial(account, cores=self.lowering.cores))


def account(walked: Walked, program_hash: str, *, cores: int) -> Account:
    """What a program spends on so many cores."""
    found = features(walked, program_hash, cores=cores)
    by_t0 = estimate(found, cores=cores)
    rows = zip(bodies(walked), found.bodies, by_t0.parts, strict=True)
    return Account(
        bodies=tuple(_body(sites, *map(_numbers, arrays)) for sites, *arrays in rows),
        allocations=walked.allocations,
        held=walked.held,
        terms=dict(zip(TERMS, map(float, by_t0.terms), strict=True)),
        launches=walked.launches,
        program_hash=program_hash,
    )


def _numbers(array: NDArray[np.float64]) -> list[float]:
    return list(map(float, array))


def _body(sites: Sequence[Site], row: Sequence[float], parts: Sequence[float]) -> Body:
    first = sites[0]
    func = func_of(first.store.buffer)
    extents = iterations(sites)
    loads = [access for site in sites for access in site.loads]
    accesses = [*loads, *(site.store for site in sites)]
    lines = [each.lines for each in touched(accesses, extents)]  # once, of what is read and written
    levels = tuple(_level(loop, each) for loop, each in zip(first.loops, lines[1:], strict=True))
    own = [each.stage for each in levels if each.stage.func == func]
    loaded: defaultdict[str, float] = defaultdict(float)
    for access in loads:
        loaded[access.buffer] += access.runs * access.lanes * access.enabled
    named = dict(zip(BODY, row, strict=True))
    return Body(
        stage=own[-1] if own else Stage(func),
        buffer=first.store.buffer,
        levels=levels,
        features=named,
        terms=dict(zip(TERMS, parts, strict=False)),
        loaded=dict(loaded),
        run_bytes=lines[-1],
        element_bytes=first.store.bytes,
        lanes=max(named["lanes"], *(site.reduced for site in sites)),
        clamped=_clamped(accesses),
        scatters=any(site.store.by_data for site in sites),
        by_data=all(each.by_data for each in _apart(accesses)),
        gathered=frozenset(func_of(each.buffer) for each in _apart(loads) if each.by_data),
    )


def _apart(accesses: Iterable[Access]) -> list[Access]:
    """What is accessed lane by lane."""
    return [each for each in accesses if pattern(each) in LANE_BY_LANE]


def _clamped(accesses: Iterable[Access]) -> bool:
    apart = _apart(accesses)
    return bool(apart) and all(each.lane_stride == 1.0 for each in apart)


def _level(loop: Loop, lines: float) -> Level:
    stage, var = loop_of(loop.name)
    return Level(
        stage=stage,
        var=var,
        dimension=dimension_of(loop.name),
        kind=loop.kind,
        extent=loop.extent,
        entries=loop.entries,
        touched=lines,
    )
