"""Changes to a schedule that an expert would try against one fault, each a whole new schedule.

None of them knows whether it helps: whoever asks lowers what comes of it, or measures it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from hltune.schedule.loops import Loop, loop_nests
from hltune.search.shapes import like, outermost, roots_of
from hltune.search.view import Directives, View, after, legal
from hltune.values.directives import (
    OUTERMOST,
    AlignStorage,
    ComputeAt,
    ComputeRoot,
    Directive,
    Fuse,
    HoistStorage,
    HoistStorageRoot,
    Parallel,
    Partition,
    Reorder,
    ReorderStorage,
    Schedule,
    Split,
    StoreAt,
    StoreIn,
    StoreRoot,
    Unroll,
    Vectorize,
)
from hltune.values.pipeline import PipelineSpec
from hltune.values.roles import Stage

_PLACES = (ComputeRoot, ComputeAt, StoreRoot, StoreAt, HoistStorageRoot, HoistStorage)
_STORES = (StoreRoot, StoreAt, HoistStorageRoot, HoistStorage)
_SHORTEST_VECTOR, _LONGEST_VECTOR = 4, 64
"""Lanes of what a loop that is there already is vectorised to."""
_VECTORS_OF_A_TASK = (1, 4)
"""How many vectors side by side a task gets, of a loop that the threads shared element by element."""
_EXACT = "GuardWithIf"
"""With which no more is computed than is needed."""
_DONORS = 2
"""Funcs whose vectors are tried for another one."""
_FINER = (2, 4, 8)
"""How many times as many tasks are tried."""


@dataclass(frozen=True)
class Patient:
    """A schedule to be changed.

    Attributes:
        consumers: of every Func, those that read it.
        vector_bytes: size of the target's vectors.
    """

    spec: PipelineSpec
    schedule: Schedule
    consumers: Mapping[str, frozenset[str]]
    vector_bytes: int

    @cached_property
    def view(self) -> View:
        """Its directives, and the loops that they make."""
        return View(list(self.schedule.directives), loop_nests(self.schedule, self.spec.funcs), self.spec)

    def place(self, func: str) -> ComputeRoot | ComputeAt | None:
        """Where a Func is computed; None for an output, or where no directive says."""
        found = [each for each in self.view.directives if each.stage.func == func]
        return next((each for each in reversed(found) if isinstance(each, ComputeRoot | ComputeAt)), None)

    def placed_consumers(self, func: str) -> list[str]:
        """The nearest Funcs with loops of their own that need a Func: those that are inlined need it for others."""
        waiting, found, seen = [*self.consumers.get(func, ())], set[str](), set[str]()
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self.view.outputs or self.place(each) is not None:
                found.add(each)
            else:
                waiting += self.consumers.get(each, ())
        return sorted(found)

    def neighbours(self, func: str) -> list[str]:
        """Some Funcs with buffers that read a Func, or that it reads: those that have most variables in common."""
        args = {*self.view.nests.args[func]}
        read = [each for each, users in self.consumers.items() if func in users and self.place(each) is not None]
        found = dict.fromkeys((*self.placed_consumers(func), *sorted(read)))
        return sorted(found, key=lambda each: -len(args.intersection(self.view.nests.args.get(each, ()))))[:_DONORS]

    def stored(self, stage: Stage, consumer: str, var: str) -> StoreAt | StoreRoot:
        """Stores a Func in a loop of a consumer; outside of all loops of one that is at root, there as well."""
        at_root = consumer in self.view.outputs or isinstance(self.place(consumer), ComputeRoot)
        return StoreRoot(stage) if at_root and var == OUTERMOST else StoreAt(stage, consumer, var)

    def hoisted(self, stage: Stage, consumer: str, var: str) -> HoistStorage | HoistStorageRoot:
        """Takes the memory of a Func in a loop of a consumer; see `stored`."""
        at_root = isinstance(self.stored(stage, consumer, var), StoreRoot)
        return HoistStorageRoot(stage) if at_root else HoistStorage(stage, consumer, var)

    def changed(self, directives: Sequence[Directive]) -> Iterator[Schedule]:
        """The new schedule, if it is one, and another one than this."""
        schedule = legal(directives, self.spec.funcs)
        if schedule is not None and schedule != self.schedule:
            yield schedule


def vectorised(patient: Patient, stage: Stage, element_bytes: int) -> Iterator[Schedule]:
    """Computes a stage by vectors: of the dimension that is dense in memory, or of its innermost loop.

    Where the threads share the dense dimension, each gets vectors of it, which it takes through the loops inside.
    """
    view = patient.view
    pure = [each for each in view.nests.loops.get(stage, ()) if not each.rvar]
    roots, innermost = roots_of(view, stage), view.innermost_stored(stage.func)
    lanes = max(_SHORTEST_VECTOR, patient.vector_bytes // element_bytes)
    serial, shared = ([each for each in pure if each.kind == kind] for kind in ("for", "parallel"))
    dense, shared_dense = ([each for each in some if roots.get(each.name) == innermost] for some in (serial, shared))
    for loop in dict.fromkeys((*dense[:1], *serial[:1])):
        yield from patient.changed(_with_vector(view.directives, view, stage, loop, lanes))
    for loop in () if dense else shared_dense[:1]:
        for times in _VECTORS_OF_A_TASK:
            yield from patient.changed(_with_vectors_of_a_task(view, stage, loop, lanes, times))


def revectorised(patient: Patient, stage: Stage, element_bytes: int) -> Iterator[Schedule]:
    """Computes a stage by vectors of another dimension than now, or not by vectors."""
    plain = legal(patient.view.without(stage, Vectorize), patient.spec.funcs)
    if plain is None or plain == patient.schedule:
        return
    yield plain
    other = Patient(patient.spec, plain, patient.consumers, patient.vector_bytes)
    yield from vectorised(other, stage, element_bytes)


def partitioned(patient: Patient, stages: Collection[Stage]) -> Iterator[Schedule]:
    """Lets the ends of loops have code of their own, where these were to stay whole."""
    directives = patient.view.directives
    whole = [each for each in directives if isinstance(each, Partition) and each.policy == "Never"]
    if whole := [each for each in whole if each.stage in stages]:
        yield from patient.changed([each for each in directives if each not in whole])


def stored_otherwise(patient: Patient, func: str) -> Iterator[Schedule]:
    """Stores a Func with another dimension innermost in memory."""
    if patient.place(func) is None or func in patient.view.outputs:
        return
    args, now = patient.view.nests.args[func], patient.view.innermost_stored(func)
    others = patient.view.without(Stage(func), ReorderStorage)
    for first in args:
        order = (first, *(each for each in args if each != first))
        new = [] if order == args else [ReorderStorage(Stage(func), order)]
        if first != now:
            yield from patient.changed(after(others, Stage(func), *new))


def brought_inside(patient: Patient, stage: Stage, factors: Sequence[int], *, unrolled: bool) -> Iterator[Schedule]:
    """Goes through a part of an outer loop, of as many iterations as a factor says, inside of the innermost one."""
    view = patient.view
    loops = view.nests.loops.get(stage, ())
    names = [each.name for each in loops]
    innermost = next((number for number, each in enumerate(loops) if each.kind == "for"), len(loops))
    # What is split keeps its kind, and what is brought inside is for one thread.
    threads = [each for each in view.directives if each.stage == stage and isinstance(each, Parallel)]
    others = view.without(stage, Parallel)
    for number in range(innermost + 1, len(loops)):
        loop = loops[number]
        if loop.rvar or loop.kind not in ("for", "parallel"):
            continue
        for factor in factors:
            inner = view.new_loop()
            new: Directives = [Split(stage, loop.name, loop.name, inner, factor)]
            new.append(Reorder(stage, (inner, *names[innermost:number])))
            new += [Unroll(stage, inner)] if unrolled else []
            yield from patient.changed(after(others, stage, *new, *threads))


def further_out(patient: Patient, func: str) -> Iterator[Schedule]:
    """Computes a Func for more of its consumer at a time, or keeps what the next iteration needs as well."""
    level = patient.place(func)
    if not isinstance(level, ComputeAt):
        return
    stage, view = Stage(func), patient.view
    for var in view.serially_outside(level):
        slid = after(view.without(stage, *_STORES), stage, patient.stored(stage, level.consumer, var))
        yield from patient.changed(slid)
    for loop in view.outside(level):
        if loop.kind != "vectorized":
            place = ComputeAt(stage, level.consumer, loop.name)
            yield from patient.changed(placed(view.directives, stage, place))
    yield from patient.changed(placed(view.directives, stage, ComputeRoot(stage)))


def further_in(patient: Patient, func: str) -> Iterator[Schedule]:
    """Computes a Func for a part of its consumer at a time, so that it stays in a cache; or slides over them."""
    consumers = patient.placed_consumers(func)
    if func in patient.view.outputs or len(consumers) != 1:
        return
    stage, view, consumer = Stage(func), patient.view, consumers[0]
    alone = serial(view.directives, func)
    for var in view.levels(consumer):
        level = ComputeAt(stage, consumer, var)
        inside = placed(alone, stage, level)
        yield from patient.changed(inside)
        for outer in view.serially_outside(level)[:1]:
            yield from patient.changed(after(inside, stage, patient.stored(stage, consumer, outer)))


def computed(patient: Patient, func: str, element_bytes: int) -> Iterator[Schedule]:
    """Computes a Func that no directive places into a buffer, by vectors, wherever there is a loop for it.

    Its loops and its memory are as those of a Func that it reads or that reads it, where these have the same variables,
    or else vectors go along its first one.
    """
    stage, view = Stage(func), patient.view
    args = view.nests.args[func]
    lanes = max(_SHORTEST_VECTOR, patient.vector_bytes // element_bytes)
    places: list[tuple[Directive, ...]] = [(ComputeRoot(stage),)]
    for consumer in patient.placed_consumers(func):
        for var in view.levels(consumer):
            level = ComputeAt(stage, consumer, var)
            places.append((level,))
            places += [(level, patient.stored(stage, consumer, var)) for var in view.serially_outside(level)[:1]]
    donors = (like(view, donor, func) for donor in patient.neighbours(func))
    inner = view.new_loop()
    plain: Directives = [Split(stage, args[0], args[0], inner, lanes), Vectorize(stage, inner)] if args else []
    for place, shape in product(places, (*filter(None, donors), plain)):
        new: Directives = [*place, *shape]
        if isinstance(place[0], ComputeRoot) and len(args) > 1:
            new.append(Parallel(stage, outermost(args, shape)))
        yield from patient.changed([*view.directives, *new])


def parallel(patient: Patient, stage: Stage) -> Iterator[Schedule]:
    """Gives the threads more tasks: another loop of a stage, two in one, or smaller parts of what they share."""
    view = patient.view
    loops = view.nests.loops.get(stage, ())
    shared = [each for each in loops if each.kind == "parallel"]
    serial = [each for each in loops if each.kind == "for" and not each.rvar]
    others = view.without(stage, Parallel)
    for loop in serial[::-1][:2]:
        yield from patient.changed(after(others, stage, Parallel(stage, loop.name)))
    outer = [each for each in loops if each.kind in ("for", "parallel") and not each.rvar][-2:]
    if len(outer) == 2 and outer[0] != loops[0]:  # else each element would be a task
        fused = view.new_loop()
        both = Fuse(stage, outer[0].name, outer[1].name, fused)
        yield from patient.changed(after(others, stage, both, Parallel(stage, fused)))
    for loop in shared or serial[-1:]:
        for at, each in enumerate(view.directives):
            if isinstance(each, Split) and each.stage == stage and each.outer == loop.name:
                for times in _FINER:
                    if each.factor // times > 1:
                        yield from patient.changed(view.replaced(at, factor=each.factor // times))


def fewer_launches(patient: Patient, stage: Stage, outermost: Stage) -> Iterator[Schedule]:
    """Takes the loops of a stage off the threads, or gives these a loop further out, which may be another stage's."""
    for plain in patient.changed(patient.view.without(stage, Parallel)):
        yield plain
        shared = parallel(replace(patient, schedule=plain), outermost)
        yield from (each for each in shared if each != patient.schedule)


def fewer_allocations(patient: Patient, func: str, *, small: bool) -> Iterator[Schedule]:
    """Takes the memory of a Func from the stack, if it is so small that it goes there, or once for many iterations."""
    level = patient.place(func)
    stage, view = Stage(func), patient.view
    if level is None:
        return
    if small:
        yield from patient.changed(after(view.without(stage, StoreIn), stage, StoreIn(stage, "Stack")))
    if isinstance(level, ComputeAt):
        for var in view.serially_outside(level)[::-1]:
            hoisted = patient.hoisted(stage, level.consumer, var)
            yield from patient.changed(after(view.without(stage, HoistStorage, HoistStorageRoot), stage, hoisted))


def padded(patient: Patient, slices: Mapping[str, int]) -> Iterator[Schedule]:
    """Lets the memory of a Func end with slices that nobody touches, so that it has so many; each Func in turn."""
    view = patient.view
    for func, count in slices.items():
        var, stage = view.outermost_stored(func), Stage(func)
        if var is not None:
            others = [each for each in view.directives if not _pads(each, stage, var)]
            yield from patient.changed(after(others, stage, AlignStorage(stage, var, count)))


def _pads(directive: Directive, stage: Stage, var: str) -> bool:
    return isinstance(directive, AlignStorage) and (directive.stage, directive.var) == (stage, var)


def serial(directives: Sequence[Directive], func: str) -> Directives:
    """A Func off the threads, in as many iterations as are needed where the loop that these shared was split for them.

    Else it would compute as many rows as a task had wherever one is needed.
    """
    own = [each for each in directives if each.stage.func == func]
    shared = {(each.stage, each.var) for each in own if isinstance(each, Parallel)}
    vectors = {(each.stage, each.var) for each in own if isinstance(each, Vectorize)}
    found: Directives = []
    for each in directives:
        if isinstance(each, Split) and (each.stage, each.outer) in shared and (each.stage, each.inner) not in vectors:
            found.append(replace(each, tail=_EXACT))
        elif not (isinstance(each, Parallel) and each.stage.func == func):
            found.append(each)
    return found


def placed(directives: Sequence[Directive], stage: Stage, place: ComputeAt | ComputeRoot) -> Directives:
    """With a Func computed elsewhere, and stored there."""
    others = [each for each in directives if not (each.stage == stage and isinstance(each, _PLACES))]
    return after(others, stage, place)


def _with_vector(directives: Sequence[Directive], view: View, stage: Stage, loop: Loop, lanes: int) -> Directives:
    order = [each.name for each in view.nests.loops[stage]]
    if loop.extent is not None and _SHORTEST_VECTOR <= loop.extent <= _LONGEST_VECTOR:
        inner, new = loop.name, []
        order.remove(inner)
    else:
        inner = view.new_loop()
        new: Directives = [Split(stage, loop.name, loop.name, inner, lanes)]
    if order and order[0] != inner and not (new and order[0] == loop.name):
        new.append(Reorder(stage, (inner, *order)))
    return after([*directives], stage, *new, Vectorize(stage, inner))


def _with_vectors_of_a_task(view: View, stage: Stage, loop: Loop, lanes: int, times: int) -> Directives:
    """With a part of a parallel loop in the innermost one, by vectors, and the rest for the threads, as it was."""
    # What is split keeps its kind, and what is brought inside is for one thread.
    threads = [each for each in view.directives if each.stage == stage and isinstance(each, Parallel)]
    names = [each.name for each in view.nests.loops[stage]]
    inside = names[: names.index(loop.name)]
    part, vector = view.new_loops(2)
    new: Directives = [Split(stage, loop.name, loop.name, part, lanes * times)]
    if times > 1:
        new.append(Split(stage, part, part, vector, lanes))
    order = (vector, part) if times > 1 else (part,)
    new += [Reorder(stage, (*order, *inside))] if inside else []
    return after(view.without(stage, Parallel), stage, *new, Vectorize(stage, order[0]), *threads)
