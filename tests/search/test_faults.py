"""Flaws that were planted are named, and a change without them is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from hltune.lowered.account import Account, AccountJob
from hltune.lowered.features import CACHES
from hltune.lowered.job import Lowering
from hltune.lowered.memory import Held
from hltune.machine.open import target_job
from hltune.machine.sensitivity import every_func_at_root
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.malloc import KEPT
from hltune.runtime.worker import Worker
from hltune.schedule.loops import loop_nests
from hltune.schedule.parse import parse_schedule
from hltune.search.advice import advise
from hltune.search.case import Case
from hltune.search.faults import KINDS, faults
from hltune.search.mutation import ALIKE
from hltune.search.remedied import REMEDY, remedied
from hltune.search.remedies import Patient
from hltune.values.directives import AlignStorage, ComputeRoot, Directive, Schedule, StoreIn, StoreRoot, Vectorize
from hltune.values.errors import Failure
from hltune.values.pipeline import PipelineSpec
from hltune.values.provenance import Mutated
from hltune.values.roles import Stage
from hltune.values.schedule_codec import schedule_hash
from tests.cache import CACHE
from tests.loading import Unchecked
from tests.search.flawed import FLAWS, GOOD, Flaw

CORES = 2
TOGETHER = (
    ("sharpened", "paired", "bordered", "dashed", "windowed", "coloured"),
    ("sharpened_roots", "summed", "counted", "stepped", "chained"),
)
"""Pipelines that one process makes: names that were used in it before get numbers."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(preload=("halide",)) as opened:
        yield opened


@pytest.fixture(scope="module")
def target(worker: Worker) -> TargetInfo:
    return worker.run(target_job("host"))


class Reader:
    """Accounts of one pipeline's schedules."""

    def __init__(self, worker: Worker, spec: PipelineSpec, target: TargetInfo) -> None:
        self._worker, self.spec, self.target = worker, spec, target
        self.root = self(every_func_at_root(spec))

    def __call__(self, schedule: Schedule) -> Account:
        found = self.try_(schedule)
        assert isinstance(found, Account), found
        return found

    def try_(self, schedule: Schedule) -> Account | Failure:
        lowering = Lowering(spec=self.spec, target=self.target, cores=CORES)
        return self._worker.run(AccountJob(lowering=lowering, schedule=schedule))

    def case(self, text: str) -> Case:
        schedule = parse_schedule(text, self.spec.funcs)
        return Case(
            spec=self.spec,
            schedule=schedule,
            account=self(schedule),
            root=self.root,
            cores=CORES,
            vector_bytes=self.target.vector_bytes,
            caches=CACHES,
        )


@pytest.fixture(scope="module")
def readers(worker: Worker, target: TargetInfo) -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    for entries in TOGETHER:
        with Worker(preload=("halide",)) as loader:
            for entry in entries:
                source = Source(kind="module", location="tests.search.flawed", entry=entry)
                spec = loader.run(Unchecked(source=source, target=target.name, cache=CACHE))
                found[entry] = Reader(worker, spec, target)
    return found


@pytest.fixture
def reader(readers: dict[str, Reader]) -> Reader:
    return readers["sharpened"]


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.kind)
def test_a_planted_flaw_is_the_first_advice(readers: dict[str, Reader], flaw: Flaw) -> None:
    reader = readers[flaw.entry]
    case = reader.case(flaw.text)
    first, *_ = advise(case, lambda changes: {key: reader.try_(each) for key, each in changes.items()})
    assert (first.fault.kind, str(first.fault.stage)) == (flaw.kind, flaw.stage)
    assert first.seconds is not None and first.seconds < case.account.seconds / 1.05
    assert first.change in first.fault.changes and not first.untried


@pytest.mark.parametrize("kind", ["scalar", "inlined"])
def test_what_nobody_had_time_to_read_is_not_tried(readers: dict[str, Reader], kind: str) -> None:
    """Nor is it dropped if it may be worth its price."""
    (flaw, *_) = (each for each in FLAWS if each.kind == kind)
    case = readers[flaw.entry].case(flaw.text)
    found = advise(case, lambda _: {})
    assert (kind, flaw.stage) in {(each.fault.kind, str(each.fault.stage)) for each in found}
    assert all(each.change is None and each.untried == len(each.fault.changes) for each in found)


def test_every_kind_of_fault_is_planted_or_about_memory() -> None:
    assert {flaw.kind for flaw in FLAWS} | {"allocations", "faults"} == KINDS.keys()


def test_a_good_schedule_has_fewer_faults(reader: Reader) -> None:
    kinds = {(each.kind, str(each.stage)) for each in faults(reader.case(GOOD))}
    assert not kinds & {(flaw.kind, flaw.stage) for flaw in FLAWS}


def test_changes_are_schedules_of_the_pipeline(readers: dict[str, Reader]) -> None:
    for flaw in FLAWS:
        reader = readers[flaw.entry]
        case = reader.case(flaw.text)
        for fault in faults(case):
            for change in fault.changes:
                loop_nests(change, reader.spec.funcs)
                assert change != case.schedule


def test_what_explain_would_try_is_drafted(readers: dict[str, Reader]) -> None:
    for flaw in FLAWS:
        case = readers[flaw.entry].case(flaw.text)
        drafted, parent = dict(remedied(case)), schedule_hash(case.schedule)
        assert {schedule_hash(change) for fault in faults(case) for change in fault.changes} <= drafted.keys()
        origins = [each.provenance for each in drafted.values()]
        assert origins and all(isinstance(each, Mutated) and each.parent == parent for each in origins)
        assert {each.changes for each in origins if isinstance(each, Mutated)} <= {(REMEDY,), (REMEDY, ALIKE)}


def test_shares_are_of_all_the_time(reader: Reader) -> None:
    case = reader.case(GOOD)
    assert case.shares.keys() == case.funcs
    assert all(each > 0 for each in case.shares.values()) and sum(case.shares.values()) <= 1.0 + 1e-9


_BY_TILE = (
    "sharp.split(y, y, yi, 16).split(x, x, xi, 64, TailStrategy::ShiftInwards).reorder(xi, yi, x, y).parallel(y);"
)


def stored_on_stack(schedule: Schedule) -> bool:
    return any(isinstance(each, StoreIn) and each.memory == "Stack" for each in schedule.directives)


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        ("rows.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);", False),
        (f"{_BY_TILE} rows.compute_at(sharp, x).store_in(MemoryType::Heap);", True),
    ],
)
def test_the_stack_is_for_what_is_small(reader: Reader, text: str, *, advised: bool) -> None:
    case = reader.case(text)
    patient, (buffer,) = case.patient, case.account.allocations
    (fault,) = KINDS["allocations"](case)
    changes = [each for each in fault.changes if stored_on_stack(each)]
    assert bool(changes) == ("use the stack" in fault.text) == advised
    for change in changes:
        (changed,) = reader(change).allocations
        assert (changed.memory, changed.beyond_stack) == ("Stack", False) and case.is_told(reader(change))
    assert not buffer.beyond_stack and patient.place("rows") is not None


def test_what_has_no_constant_size_is_not_on_the_stack(reader: Reader) -> None:
    """Three rows: how long they are, is known when it runs."""
    case = reader.case(GOOD)
    changed = reader.case("sharp.parallel(y); rows.compute_at(sharp, y).store_in(MemoryType::Stack);").account
    (buffer,) = changed.allocations
    assert buffer.memory == "Stack" and buffer.beyond_stack
    assert not case.is_told(changed) and case.is_told(case.account)


def test_buffers_of_a_tuple_are_one_fault(readers: dict[str, Reader]) -> None:
    case = readers["paired"].case(
        "pair.compute_root().split(x, x, xi, 8).vectorize(xi).parallel(y);"
        "both.split(x, x, xi, 8).vectorize(xi).parallel(y);"
    )
    assert len(case.account.allocations) == 2
    (memory,) = KINDS["memory"](case)
    (heap,) = KINDS["allocations"](case)
    terms = case.account.terms
    levels = sum(each.terms[name] for each in case.account.bodies for name in ("l1", "l2", "l3"))
    assert memory.seconds == pytest.approx(levels + terms["faults"])
    assert heap.seconds == pytest.approx(terms["allocations"] + terms["heap_bytes"])
    assert "16 MiB" in memory.text and "takes memory from the heap 2 times, 16 MiB in all: " in heap.text


_EDGE = "repeat_edge.compute_root().split(_0, _0, v, 8).vectorize(v).parallel(_1).partition(_0, Partition::Never);"


@pytest.mark.parametrize("border", ["", _EDGE], ids=["inlined", "buffer"])
def test_lanes_that_are_clamped_are_dense_but_for_the_ends(readers: dict[str, Reader], border: str) -> None:
    """Other vectors would be clamped as well."""
    reader = readers["bordered"]
    case = reader.case(f"all.split(x, x, xi, 8).vectorize(xi).parallel(y).partition(x, Partition::Never); {border}")
    (fault,) = KINDS["scattered"](case)
    assert "clamped" in fault.text
    assert min(reader(each).seconds for each in fault.changes) < 0.6 * case.account.seconds
    with_buffer = [each for each in fault.changes if ComputeRoot(Stage("repeat_edge")) in each.directives]
    assert with_buffer and reader(with_buffer[0]).seconds < 0.8 * case.account.seconds
    for change in fault.changes:
        assert [each for each in change.directives if isinstance(each, Vectorize) and each.stage == Stage("all")]


def test_what_data_decides_is_not_to_be_vectorised_otherwise(readers: dict[str, Reader]) -> None:
    case = readers["counted"].case("counts.compute_root(); alike.split(x, x, xi, 8).vectorize(xi).parallel(y);")
    (gather,) = KINDS["scattered"](case)
    assert gather.text.startswith("gathers from counts: data decides where")
    (scalar,) = (each for each in KINDS["scalar"](case) if str(each.stage) == "counts.update(0)")
    assert "for it scatters: data decides where" in scalar.text and "vectorise it" not in scalar.text
    (idle,) = (each for each in KINDS["idle"](case) if str(each.stage) == "counts.update(0)")
    assert "runs on one thread, and it scatters: rfactor it over r_y for the threads, or atomic() and" in idle.text


def test_a_table_beside_columns_is_only_a_part_of_the_fault(readers: dict[str, Reader]) -> None:
    case = readers["counted"].case("counts.compute_root(); alike.split(y, y, yi, 8).reorder(yi, x, y).vectorize(yi);")
    (fault,) = KINDS["scattered"](case)
    assert "vectorise along what is dense in memory, though counts will be loaded so in any case" in fault.text


def test_whole_numbers_are_computed_as_well(readers: dict[str, Reader]) -> None:
    """Of 32 bits and one lane, as indices are; what only copies, whatever its addresses are, computes nothing."""
    case = readers["stepped"].case("bends.split(x, x, xi, 8).vectorize(xi).parallel(y);")
    assert case.repeats["copied"] > case.repeats["steps"] > 2.0
    assert [str(each.stage) for each in KINDS["inlined"](case)] == ["steps"]


_FACTORED = (
    "part = counts.update(0).rfactor({{r_y, u}}); part.compute_root(); part.update(0).parallel(u);"
    "counts.compute_root(); alike.split(x, x, xi, 8).vectorize(xi).parallel(y);"
)


def test_what_an_rfactor_makes_is_called_as_in_the_schedule(readers: dict[str, Reader]) -> None:
    """Halide calls it otherwise, and counts from one lowering to the next."""
    reader = readers["counted"]
    one, other = (reader.case(_FACTORED) for _ in range(2))
    for case in (one, other):
        stages = {str(stage) for stage in case.stages}
        assert stages == {"part", "part.update(0)", "counts", "counts.update(0)", "alike"}
        assert {"part", "counts"} <= case.sizes.keys()
        (merged,) = (each for each in case.account.bodies if str(each.stage) == "counts.update(0)")
        assert "part" in merged.reads
    assert one.account.program_hash == other.account.program_hash
    assert {each.buffer for each in one.account.allocations} == {each.buffer for each in other.account.allocations}
    scalar = [each for each in KINDS["scalar"](one) if each.stage.func == "part"]
    assert scalar and all(ComputeRoot(Stage("part")) in change.directives for each in scalar for change in each.changes)
    for fault in faults(one):
        for change in fault.changes:
            loop_nests(change, reader.spec.funcs)


def test_nothing_is_changed_before_somebody_asks(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most faults are about so little of the time that nobody does."""
    case = reader.case(FLAWS[0].text)
    asked: list[Patient] = []

    def changed(patient: Patient, _: Sequence[Directive]) -> Iterator[Schedule]:
        asked.append(patient)
        return iter(())

    monkeypatch.setattr(Patient, "changed", changed)
    found = [fault for kind in KINDS.values() for fault in kind(case)]
    assert found and not asked
    assert found[0].changes == () and asked


def test_copies_of_a_loop_are_one_fault(readers: dict[str, Reader]) -> None:
    """The first and the last rows are loops of their own."""
    case = readers["bordered"].case(
        "all.split(x, x, xi, 512).split(xi, xi, xv, 8).vectorize(xv).parallel(y);"
        "sums.compute_at(all, x).store_in(MemoryType::Heap).split(x, x, xi, 8).vectorize(xi);"
    )
    runs = [each.runs for each in case.account.allocations]
    assert len(runs) > 1
    (fault,) = KINDS["allocations"](case)
    assert f"{sum(runs):,.0f} times" in fault.text
    assert fault.seconds == pytest.approx(case.account.terms["allocations"] + case.account.terms["heap_bytes"])


def test_edges_of_an_image_are_not_the_fault_of_a_stage(readers: dict[str, Reader]) -> None:
    """They are one column each, and all others go along the rows."""
    case = readers["bordered"].case("all.split(x, x, xi, 8).vectorize(xi).parallel(y);")
    pages = [each.terms["pages"] / each.seconds for each in case.account.bodies]
    assert min(pages) < 0.3 < max(pages)
    assert not [*KINDS["pages"](case)]


def test_page_faults_are_shared_out(readers: dict[str, Reader]) -> None:
    case = readers["sharpened"].case("rows.compute_root().parallel(y); blurred.compute_root().parallel(y);")
    found = {each.stage.func: each for each in KINDS["memory"](case)}
    assert found.keys() == {"rows", "blurred"}
    bodies = [(func, each) for func in found for each in case.account.bodies if func in (each.stage.func, *each.loaded)]
    levels = sum(each.terms[name] for _, each in bodies for name in ("l1", "l2", "l3"))
    assert sum(each.seconds for each in found.values()) == pytest.approx(levels + case.account.terms["faults"])


@pytest.mark.parametrize(
    ("caches", "what"),
    [
        ((32 << 10, 64 << 20), None),
        ((32 << 10, 2 << 20, 300 << 20), "through L3"),
        ((32 << 10, 2 << 20), "memory"),
        ((), None),  # nobody knows
    ],
)
def test_which_cache_a_func_goes_through_is_the_machine_s(
    reader: Reader, caches: tuple[int, ...], what: str | None
) -> None:
    case = replace(reader.case("rows.compute_root().parallel(y);"), caches=caches)
    found = [each.text for each in KINDS["memory"](case)]
    assert len(found) == (what is not None) and all(what is not None and what in each for each in found)


def test_a_padded_buffer_keeps_memory_from_going_back_to_the_system(readers: dict[str, Reader]) -> None:
    """Two buffers of nearly one size are more than twice the larger one, with what malloc takes beyond the need."""
    reader = readers["sharpened_roots"]
    case = reader.case("rows.compute_root(); blurred.compute_root();")
    (fault,) = KINDS["faults"](case)
    assert str(fault.stage) == "rows" and fault.seconds == case.account.terms["faults"] > 0.05 * case.account.seconds
    assert "MiB come from the system anew" in fault.text
    padded = [each for change in fault.changes for each in change.directives if isinstance(each, AlignStorage)]
    assert [(str(each.stage), each.var) for each in padded] == [("rows", "y"), ("blurred", "y")]
    assert all(1538 < each.alignment < 2400 for each in padded)
    assert all(reader(change).terms["faults"] == 0.0 for change in fault.changes)
    before = {each.buffer: each.bytes for each in case.account.allocations}
    after = {each.buffer: each.bytes for each in reader(fault.changes[0]).allocations}
    assert 1.1 * before["rows"] < after["rows"] < 1.6 * before["rows"] and before["blurred"] == after["blurred"]
    assert not [*KINDS["faults"](replace(case, counted=True))]
    turned = reader.case("rows.compute_root().reorder_storage(y, x).align_storage(x, 8); blurred.compute_root();")
    (change, _) = next(KINDS["faults"](turned)).changes
    (align,) = (each for each in change.directives if isinstance(each, AlignStorage))
    assert align.var == "x" and 2050 < align.alignment < 3200 and reader(change).terms["faults"] == 0.0
    assert not [*KINDS["faults"](reader.case(f"rows.compute_root().align_storage(y, {padded[0].alignment});"))]


@pytest.mark.parametrize(("mebibytes", "padded"), [(22, True), (31, False)])
def test_no_buffer_is_padded_beyond_what_malloc_keeps(readers: dict[str, Reader], mebibytes: int, padded: bool) -> None:
    reader = readers["sharpened_roots"]
    case = reader.case("rows.compute_root(); blurred.compute_root();")
    rows = next(each for each in case.account.allocations if each.buffer == "rows")
    times = (mebibytes << 20) / rows.bytes
    larger = [
        replace(each, bytes=each.bytes * times, extents=(each.extents[0], each.extents[1] * times))
        for each in case.account.allocations
    ]
    held = (Held(runs=1.0, peak=sum(each.bytes for each in larger), grown=sum(each.bytes for each in larger) + KEPT),)
    account = replace(case.account, allocations=tuple(larger), held=held)
    (fault,) = KINDS["faults"](replace(case, account=account))
    assert ("pad one" in fault.text) == padded == bool(fault.changes)
    for change in fault.changes:
        (align,) = (each for each in change.directives if isinstance(each, AlignStorage))
        assert (31 << 20) < align.alignment * larger[0].bytes / larger[0].extents[1] < (32 << 20) - 4096


def test_waiting_for_memory_is_no_fault_where_it_is_not_counted(readers: dict[str, Reader]) -> None:
    for kind in ("pages", "memory"):
        (flaw,) = (each for each in FLAWS if each.kind == kind)
        case = readers[flaw.entry].case(flaw.text)
        assert {*KINDS[kind](case)} and not {*KINDS[kind](replace(case, counted=True))}


def test_names_of_funcs_need_not_be_identifiers(readers: dict[str, Reader]) -> None:
    root = readers["dashed"].root
    for func in ("blur-x", "blur-xy"):
        (body,) = root.of(func)
        assert [(str(level.stage), level.var) for level in body.levels] == [(func, "y"), (func, "x-column")]
    assert root.of("blur-xy")[0].loaded == {"blur-x": 2 * 512 * 256}


def test_what_is_needed_is_what_is_computed_at_root(reader: Reader) -> None:
    rows = reader.root.of("rows")
    assert sum(each.features["points"] for each in rows) == 4096 * 3074
    assert sum(each.loaded["image_im"] for each in rows) == 3 * 4096 * 3074
    (output,) = reader.root.of("sharp")
    assert output.loaded.keys() == {"image_im", "blurred"}
    assert [(str(each.stage), each.var, each.extent) for each in output.levels] == [
        ("sharp", "y", 3072),
        ("sharp", "x", 4096),
    ]


def test_the_parts_of_a_program_add_up(reader: Reader) -> None:
    account = reader.case(GOOD).account
    bodies = sum(each.seconds for each in account.bodies)
    rest = sum(account.terms[name] for name in ("launches", "allocations", "heap_bytes", "faults"))
    assert bodies + rest == pytest.approx(account.seconds)


def test_what_is_unrolled_as_a_whole_is_not_computed_again(readers: dict[str, Reader]) -> None:
    """No loop is left that tells the update from the pure stage."""
    case = readers["summed"].case(
        "means.split(x, x, xi, 8).vectorize(xi); sums.compute_at(means, x).vectorize(x);"
        "sums.update(0).vectorize(x).unroll(r_x);"
    )
    assert {str(each.stage) for each in case.account.of("sums")} == {"sums"}
    assert not list(KINDS["recomputed"](case))


def test_a_func_of_whose_stages_some_have_no_loops_is_computed_again_once(readers: dict[str, Reader]) -> None:
    case = readers["windowed"].case(
        "columns.compute_at(twice, x).unroll(x);columns.update(0).unroll(x).unroll(r_x);columns.update(1).unroll(x);"
    )
    assert {str(each.stage) for each in case.account.of("columns")} == {"columns", "columns.update(1)"}
    (fault,) = (each for each in KINDS["recomputed"](case) if each.stage.func == "columns")
    assert str(fault.stage) == "columns" and "2.0 times" in fault.text


def test_an_update_that_no_directive_places_is_computed_once(readers: dict[str, Reader]) -> None:
    """Halide computes it in the innermost loop of its consumer."""
    reader = readers["windowed"]
    case = reader.case("columns.compute_root();")
    (name,) = {each.stage.func for each in case.account.bodies} - {"columns", "twice"}
    assert case.patient.place(name) is None
    faults = [each for each in KINDS["recomputed"](case) if each.stage.func == name]
    assert faults and all(each.changes for each in faults)
    once = [reader(each).of(name) for each in faults[0].changes[:1]]
    assert all(sum(each.features["points"] for each in bodies) < 1.1 * (256 + 1) * 5 for bodies in once)


def test_a_window_slides_over_the_outermost_loop(reader: Reader) -> None:
    vector = "split(x, x, xi, 8).vectorize(xi)"
    case = reader.case(f"sharp.{vector}; rows.compute_at(sharp, y).{vector};")
    (fault,) = (each for each in KINDS["recomputed"](case) if each.stage.func == "rows")
    (change,) = (each for each in fault.changes if StoreRoot(Stage("rows")) in each.directives)
    points = [sum(each.features["points"] for each in account.of("rows")) for account in (case.account, reader(change))]
    assert points[0] > 2.9 * 4096 * 3074 and points[1] < 1.1 * 4096 * 3074


def test_threads_share_the_loop_around_an_update_that_no_directive_places(readers: dict[str, Reader]) -> None:
    case = readers["windowed"].case("columns.compute_root();")
    inner = [each for each in KINDS["idle"](case) if each.stage.func not in ("columns", "twice")]
    assert inner and all(each.changes for each in inner)
    changes = {directive for each in inner for change in each.changes for directive in change.directives}
    assert {each.stage.func for each in changes.difference(case.schedule.directives)} == {"twice"}


def test_a_vectorised_reduction_computes_several_elements_at_a_time(readers: dict[str, Reader]) -> None:
    """Though it stores one: what models learn from says what it stores."""
    reader = readers["summed"]
    plain = reader.case("sums.compute_root();")
    vector = reader.case("sums.compute_root();sums.update(0).split(r_x, r_x, ri, 8).atomic().vectorize(ri);")
    for case, lanes in ((plain, 1.0), (vector, 8.0)):
        scalar = {str(each.stage) for each in KINDS["scalar"](case)}
        assert ("sums.update(0)" in scalar) == (lanes == 1.0)
        (body,) = (each for each in case.account.bodies if str(each.stage) == "sums.update(0)")
        assert (body.lanes, body.features["lanes"]) == (lanes, 1.0)


def test_rounding_up_at_root_is_not_called_computing_again(readers: dict[str, Reader]) -> None:
    case = readers["sharpened"].case("rows.compute_root().split(x, x, xi, 3000).parallel(y); blurred.compute_root();")
    assert case.account.of("rows")[0].features["points"] > 1.25 * 4096 * 3074
    assert not [each for each in KINDS["recomputed"](case) if each.stage.func == "rows"]


def test_parallel_loops_in_each_other_are_all_tasks(readers: dict[str, Reader]) -> None:
    nested = "sharp.split(y, strip, y, 1024).parallel(strip).parallel(y);"
    assert not [each for each in KINDS["idle"](readers["sharpened"].case(nested)) if each.stage.func == "sharp"]
    outer = nested.replace(".parallel(y)", "")
    (fault,) = (each for each in KINDS["idle"](readers["sharpened"].case(outer)) if each.stage.func == "sharp")
    assert "3 tasks for 2 threads" in fault.text


def test_what_is_alike_in_many_stages_is_said_of_all_of_them(readers: dict[str, Reader]) -> None:
    reader = readers["chained"]
    case = replace(reader.case(""), schedule=every_func_at_root(reader.spec), account=reader.root)
    each = [*KINDS["scalar"](case)]
    assert not any(case.matters(fault.seconds) for fault in each)
    found = {fault.kind: fault for fault in faults(case)}
    assert found["scalar"].others == len(each) - 1 == 39  # not the image, which is copied by `memcpy`
    assert found["scalar"].seconds > 0.5 * case.account.seconds and found["scalar"].changes


def test_threads_may_share_the_loop_around(reader: Reader) -> None:
    case = reader.case(
        "sharp.split(x, x, xi, 8).vectorize(xi);rows.compute_at(sharp, y).split(x, x, xi, 8).vectorize(xi).parallel(y);"
    )
    (fault,) = KINDS["launches"](case)
    assert (str(fault.stage), "3,072 times" in fault.text) == ("rows", True)
    best = min(map(reader, fault.changes), key=lambda each: each.seconds)
    assert best.seconds < 0.8 * case.account.seconds and (case.account.launches, best.launches) == (3072, 1)
