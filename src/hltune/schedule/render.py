"""The loop nest of a schedule as text for people, from the data alone.

Like Halide's ``print_loop_nest``, with three differences that make it shorter: what consumes a Func follows it at the
same depth, ``store f`` is a line (f is kept from here to the end of the enclosing loop; its memory is taken here, too,
unless ``allocate f`` stands further out), and loops that turn out to have one iteration are shown, since only Halide's
bounds inference knows them::

    produce output:
      parallel y:
        store blur
        for yi in 16:
          produce blur:
            ...
          vectorized xi in 64:
            output(...) = ...

Limits: which stage of a consumer calls a producer is not known here; the last stage that has the loop is taken. Funcs
with updates that are computed where they are used, having no place of their own, do not appear.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hltune.schedule.loops import Loop, LoopNests, loop_nests
from hltune.values.directives import (
    OUTERMOST,
    ComputeAt,
    ComputeRoot,
    HoistStorage,
    HoistStorageRoot,
    Rfactor,
    Schedule,
    StoreAt,
    StoreRoot,
)
from hltune.values.pipeline import PipelineSpec
from hltune.values.roles import Stage

_Site = tuple[str, str] | None
"""Where a Func is computed or stored: the Func and loop that it stands in, or None outside of all loops."""


def render_loop_nest(schedule: Schedule, spec: PipelineSpec) -> str:
    """The loop nest, two spaces per depth, one loop per line."""
    printer = _Printer(loop_nests(schedule, spec.funcs), _realization_order(schedule, spec), _sites(schedule, spec))
    return "\n".join(printer.site(None)) + "\n"


@dataclass(frozen=True)
class _Sites:
    """Where each Func is computed, stored, and given memory; Funcs that are not computed anywhere are inlined."""

    compute: dict[str, _Site]
    store: dict[str, _Site]
    memory: dict[str, _Site]


def _sites(schedule: Schedule, spec: PipelineSpec) -> _Sites:
    compute: dict[str, _Site] = {}
    store: dict[str, _Site] = {}
    memory: dict[str, _Site] = {}
    for directive in schedule.directives:
        func = directive.stage.func
        match directive:
            case ComputeRoot():
                compute[func] = None
            case ComputeAt(_, consumer, var):
                compute[func] = consumer, var
            case StoreRoot():
                store[func] = None
            case StoreAt(_, consumer, var):
                store[func] = consumer, var
            case HoistStorageRoot():
                memory[func] = None
            case HoistStorage(_, consumer, var):
                memory[func] = consumer, var
            case _:
                pass
    root = {output.name: None for output in spec.outputs}
    return _Sites(compute | root, compute | store | root, compute | store | memory | root)


def _realization_order(schedule: Schedule, spec: PipelineSpec) -> list[str]:
    """All Funcs, producers first; an intermediate Func comes just before the one that it was made from."""
    order = [func.name for func in spec.funcs]
    for directive in schedule.directives:
        if isinstance(directive, Rfactor):
            order.insert(order.index(directive.stage.func), directive.intermediate)
    return order


class _Printer:
    def __init__(self, nests: LoopNests, order: list[str], sites: _Sites) -> None:
        self._nests = nests
        self._order = order
        self._sites = sites

    def site(self, site: _Site) -> Iterator[str]:
        """What is stored and computed at a place."""
        for func in self._order:
            if func not in self._sites.compute:
                continue
            store = self._sites.store[func]
            if self._sites.memory[func] == site != store:
                yield f"allocate {func}"
            if store == site != self._sites.compute[func]:
                yield f"store {func}"
            if self._sites.compute[func] == site:
                yield f"produce {func}:"
                for stage in self._nests.stages(func):
                    yield from _indented(self._stage(stage))

    def _stage(self, stage: Stage) -> Iterator[str]:
        yield from self._inside(stage, OUTERMOST)
        yield from self._loops(stage, self._nests.loops[stage][::-1])

    def _loops(self, stage: Stage, loops: tuple[Loop, ...]) -> Iterator[str]:
        """The loops of a stage from here inwards, the outermost first."""
        if not loops:
            yield f"{stage.func}(...) = ..."
            return
        loop, inner = loops[0], loops[1:]
        extent = "" if loop.extent is None else f" in {loop.extent}"
        yield f"{loop.kind} {loop.name}{extent}:"
        yield from _indented(self._inside(stage, loop.name))
        yield from _indented(self._loops(stage, inner))

    def _inside(self, stage: Stage, loop: str) -> Iterator[str]:
        last, _ = self._nests.level(stage.func, loop)
        if stage == last:
            yield from self.site((stage.func, loop))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
