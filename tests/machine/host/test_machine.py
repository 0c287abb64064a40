"""What only timing on this machine does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hltune.machine.host import lane
from hltune.machine.host.jobs import Prepared, TimeJob
from hltune.machine.host.lane import Lane, Trial
from hltune.machine.host.machine import HostMachine
from hltune.machine.inputs import Inputs
from hltune.machine.open import open_machine, resolve, target_job
from hltune.machine.options import MeasureOptions
from hltune.machine.reference import References
from hltune.machine.sensitivity import every_func_at_root, vectorised
from hltune.machine.task import Task
from hltune.pipeline.target import HOST, TargetInfo
from hltune.runtime.worker import Running, Worker
from hltune.schedule.parse import parse_schedule
from hltune.values.cost import Cost
from hltune.values.directives import Schedule, Split
from hltune.values.errors import Failure, HltuneError, InputError
from hltune.values.pipeline import PipelineSpec
from tests.machine.opened import OPTIONS, Opened, fast, load, opened, sharing, strips


@pytest.fixture(scope="module")
def shared() -> Iterator[Opened]:
    """Those with the same options are on the same machine, except where tests look at how its processes end."""
    with sharing() as opened:
        yield opened


def test_a_slow_pipeline_is_not_called_bad_input(host: TargetInfo) -> None:
    hasty = replace(OPTIONS, run_timeout_s=0.3)
    with (
        opened(load("slow", host), host, options=hasty) as session,
        pytest.raises(HltuneError, match="does not finish within its limits") as caught,
    ):
        session.ready()
    assert not isinstance(caught.value, InputError)


def test_a_requirement_answers_in_its_own_words(shared: Opened, host: TargetInfo) -> None:
    zero = Inputs(scalars=(("divisor", 0),))
    with (
        shared(load("counted", host), host, inputs=zero) as session,
        pytest.raises(InputError, match="the divisor is zero") as caught,
    ):
        session.ready()
    assert str(caught.value.todo).startswith("give other images or scalars with -i")


def test_what_several_threads_say_at_once_is_said_by_one(host: TargetInfo) -> None:
    """Halide has one message for all of them, of up to 4 kB; what reads more of it than that may crash."""
    spec = load("careful", host)
    threads = parse_schedule("quotient.parallel(y, 60);", spec.funcs)
    with open_machine(host, OPTIONS, workers=1) as machine:
        for _ in range(3):
            session = machine.session(spec, Inputs(), References(believed=threads))
            with session, pytest.raises(InputError) as caught:
                session.ready()
            assert str(caught.value.found).count("Requirement Failed: (false)") == 1


def test_slow_schedules_are_pruned(blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    take_real_turn = Lane.take_turn

    def take_turn(its: Lane, trial: Trial, options: MeasureOptions, *, last: bool) -> bool:
        ended = take_real_turn(its, trial, options, last=last)
        trial.turns[-1] = (0.010 if trial.key == "slow" else 0.004,)
        return ended

    monkeypatch.setattr(Lane, "take_turn", take_turn)
    options = replace(OPTIONS, turns=6, turn_s=0.005, prune_ratio=2.0)
    with opened(blur, host, options=options) as session:
        measured = session.measure({"slow": strips(blur, 1)[0][1], "fast": fast(blur)})
    slow, quick = measured["slow"], measured["fast"]
    assert isinstance(slow, Cost) and isinstance(quick, Cost)
    assert (slow.pruned, len(slow.turns)) == (True, 1)
    assert (quick.pruned, len(quick.turns)) == (False, 6)


def test_a_process_is_replaced_when_nobody_takes_turns(
    blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were pruned take none, either."""
    recycled: list[Worker] = []
    recycle = Worker.recycle
    monkeypatch.setattr(lane, "_RECYCLED_AFTER", 2)
    monkeypatch.setattr(Worker, "recycle", lambda worker: recycled.append(worker) or recycle(worker))
    options = replace(OPTIONS, turn_s=1e-9, prune_ratio=0.5)  # all are pruned
    with opened(blur, host, options=options) as session:
        session.measure(dict(strips(blur, 2)))
        recycled.clear()  # of those that computed what is expected
        session.measure(dict(strips(blur, 1)))
        assert recycled


def test_a_schedule_is_pruned_after_two_turns(shared: Opened, blur: PipelineSpec, host: TargetInfo) -> None:
    with shared(blur, host) as session:
        ((_, outcome),) = session.measure_each([("default", Schedule())], best=1e-9)
    assert isinstance(outcome, Cost) and outcome.pruned
    assert [len(turn) for turn in outcome.turns] == [1, 1]


def test_a_schedule_that_is_disturbed_in_its_first_turn_is_not_pruned(
    blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Worker.start

    def start(worker: Worker, job: Any) -> Any:
        running = started(worker, job)
        if isinstance(job, TimeJob) and not disturbed:
            disturbed.append(job)
            turn = running.result()
            slow = turn._replace(repeats=(2 * job.prune_s,))
            return SimpleNamespace(result=lambda: slow)
        return running

    disturbed: list[TimeJob] = []
    monkeypatch.setattr(Worker, "start", start)
    with opened(blur, host) as session:
        ((_, outcome),) = session.measure_each([("fast", fast(blur))], best=1e-3)
    assert disturbed and isinstance(outcome, Cost) and not outcome.pruned
    assert len(outcome.turns) == OPTIONS.short_turns


@pytest.mark.parametrize(
    ("call_s", "best", "turns"), [(0.06, 0.05, 3), (0.06, 0.02, 1), (0.4, 0.5, 1), (0.06, None, 3)]
)
def test_long_calls_have_several_turns_where_they_may_be_the_best(
    shared: Opened,
    call_s: float,
    best: float | None,
    turns: int,
    blur: PipelineSpec,
    host: TargetInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take_turn(_: Lane, trial: Trial, __: MeasureOptions, *, last: bool, long_s: float, **___: float) -> bool:
        trial.turns.append((call_s,))
        return last or call_s > long_s

    monkeypatch.setattr(Lane, "take_turn", take_turn)
    with shared(blur, host) as session:
        ((_, outcome),) = session.measure_each([("fast", fast(blur))], best=best)
    assert isinstance(outcome, Cost) and len(outcome.turns) == turns


@pytest.mark.parametrize(("call_s", "long_turns", "turns"), [(0.2, 3, 6), (0.4, 3, 3)])
def test_long_calls_have_fewer_turns_side_by_side_where_they_may(
    call_s: float, long_turns: int, turns: int, blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasts: list[bool] = []

    def take_turn(_: Lane, trial: Trial, __: MeasureOptions, *, last: bool) -> bool:
        trial.turns.append((call_s * (0.5 if trial.turns else 1.0),))
        lasts.append(last)
        return last

    monkeypatch.setattr(Lane, "take_turn", take_turn)
    with opened(blur, host, options=replace(OPTIONS, turns=6, long_turns=long_turns)) as session:
        outcome = session.measure({"fast": fast(blur)})["fast"]
    assert isinstance(outcome, Cost) and len(outcome.turns) == turns
    assert lasts == [False] * (turns - 1) + [True]


@pytest.mark.parametrize(("near", "again"), [(1e9, ["good"]), (0.0, [])], ids=["near the best", "far behind"])
def test_what_takes_the_process_down_has_only_the_best_compiled_again(
    blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch, near: float, again: list[str]
) -> None:
    """All lanes wait meanwhile: of others the turns that they have had count."""
    monkeypatch.setattr("hltune.machine.host.machine._NEAR", near)
    started: list[str] = []
    start, finish = Lane.start, Lane.finish

    def fail(its: Lane, trial: Trial, running: Running[Prepared | Failure]) -> None:
        finish(its, trial, running)
        if trial.key == "deadly":
            its._compiled.clear()
            trial.failure = Failure(stage="compile", kind="timeout", message="took longer than its limit of 4 s")

    monkeypatch.setattr(Lane, "start", lambda its, trial, given: started.append(trial.key) or start(its, trial, given))
    monkeypatch.setattr(Lane, "finish", fail)
    with opened(blur, host) as session:
        session.ready()
        started.clear()
        two = [("good", fast(blur)), ("deadly", strips(blur, 1)[0][1])]
        measured = dict(session.measure_each(two, best=10.0))
    assert started == ["good", "deadly", *again]
    assert isinstance(measured["good"], Cost) and len(measured["good"].turns) == (3 if again else 1)
    assert isinstance(measured["deadly"], Failure)


def test_what_waits_for_turns_is_compiled_again_when_the_system_ends_its_process(
    blur: PipelineSpec, host: TargetInfo
) -> None:
    with HostMachine(host, OPTIONS, workers=1) as machine:
        lane, trial = machine.lane, Trial("good", Task(spec=blur, schedule=fast(blur), target="host", inputs=Inputs()))
        lane.prepare(trial, OPTIONS)
        assert lane.holds(trial)
        lane.worker.kill()
        while lane.worker.process is not None:
            time.sleep(0.01)
        assert not lane.take_turn(trial, OPTIONS, last=False) and trial.failure is None
        lane.worker.recycle()
        assert not lane.holds(trial)
        assert lane.take_turn(trial, OPTIONS, last=True) and len(trial.turns) == 2
    assert isinstance(trial.measurement(), Cost)


@pytest.mark.parametrize(("times", "works"), [(1, True), (2, False)])
def test_what_the_system_kills_is_measured_once_more(
    shared: Opened, blur: PipelineSpec, host: TargetInfo, monkeypatch: pytest.MonkeyPatch, times: int, works: bool
) -> None:
    """After all others."""
    started: list[str] = []
    start = Lane.start

    def begin(its: Lane, trial: Trial, given: MeasureOptions) -> Running[Prepared | Failure]:
        running = start(its, trial, given)
        if trial.key == "killed" and started.count("killed") < times:
            its.worker.kill()
        started.append(trial.key)
        return running

    monkeypatch.setattr(Lane, "start", begin)
    two = {"killed": fast(blur), "good": strips(blur, 1)[0][1]}
    with shared(blur, host) as session:
        each = dict(session.measure_each(two.items(), best=None))
        started.clear()
        together = session.measure(two)
    assert list(each) == ["good", "killed"]
    for measured in (each, together):
        failure = measured["killed"]
        assert isinstance(measured["good"], Cost) and isinstance(failure, Cost if works else Failure)
        assert works or (isinstance(failure, Failure) and failure.kind == "memory")


def test_what_is_measured_once_more_is_what_it_was_repaired_to_and_says_so(
    shared: Opened, host: TargetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the cost would be that of the schedule that leaves its images."""
    spec, killed = load("two_steps", host), list[str]()
    outside = parse_schedule(
        "sums.compute_root().split(x, x, xi, 32, TailStrategy::RoundUp).vectorize(xi);", spec.funcs
    )
    start = Lane.start

    def begin(its: Lane, trial: Trial, given: MeasureOptions) -> Running[Prepared | Failure]:
        running = start(its, trial, given)
        if trial.key == "killed" and not killed:
            killed.append(trial.key)
            its.worker.kill()
        return running

    monkeypatch.setattr(Lane, "start", begin)
    with shared(spec, host) as session:
        measured = session.measure({"outside": outside, "killed": every_func_at_root(spec)})
    cost = measured["outside"]
    assert killed and isinstance(measured["killed"], Cost)
    assert isinstance(cost, Cost) and cost.repair is not None and cost.repair != outside


def test_sessions_share_the_processes_of_their_machine(blur: PipelineSpec, host: TargetInfo) -> None:
    with HostMachine(host, OPTIONS, workers=2) as machine:
        with machine.session(blur, Inputs()) as session:
            assert len(dict(session.measure_each(strips(blur, 3), best=None))) == 3
        assert all(each.worker.run(target_job("host")) for each in machine.lanes())


@pytest.mark.parametrize("kind", ["integers", "floats"])
def test_an_output_that_is_changed_in_place_is_bad_input(shared: Opened, host: TargetInfo, kind: str) -> None:
    with (
        shared(load(f"accumulated_{kind}", host), host) as session,
        pytest.raises(InputError, match="changes what its output contained") as caught,
    ):
        session.ready()
    assert "hl.undef" in str(caught.value.todo)


@pytest.mark.parametrize("name", ["fading", "brightest", "one_column"])
def test_however_little_of_what_an_output_contained_before_counts(shared: Opened, host: TargetInfo, name: str) -> None:
    with (
        shared(load(name, host, "tests.machine.doubtful"), host) as session,
        pytest.raises(InputError, match="changes what its output contained"),
    ):
        session.ready()


def test_an_output_that_is_written_in_part_is_the_same_each_time(shared: Opened, host: TargetInfo) -> None:
    with shared(load("written_in_part", host), host) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)


def test_integers_that_schedules_compute_differently_are_in_doubt(shared: Opened, host: TargetInfo) -> None:
    spec = load("shifted", host, "tests.machine.doubtful")
    with shared(spec, host) as session:
        (note,) = (each for each in session.verification.notes if each.startswith("output out"))
        failure = session.measure({"vectors": vectorised(spec)})["vectors"]
    advice = "shifted too far; give real data with -i"
    assert advice in note
    assert isinstance(failure, Failure) and advice in failure.message


def test_integers_that_all_compute_alike_are_not(shared: Opened, host: TargetInfo, blur: PipelineSpec) -> None:
    with shared(blur, host) as session:
        (output,) = session.verification.outputs
        assert not output.advice and not session.verification.notes


def test_a_chaotic_number_is_called_so(shared: Opened, host: TargetInfo) -> None:
    with shared(load("logistic", host), host) as session:
        assert session.verification.outputs[0].chaotic


def test_what_takes_no_time_may_lie_anyhow(shared: Opened, host: TargetInfo) -> None:
    """What an empty call takes is subtracted; it gets the same outputs, whatever their strides."""
    with shared(load("spread", host), host) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)


@pytest.fixture(scope="module")
def unchecked() -> TargetInfo:
    """A target whose code does not say that it leaves its images."""
    return resolve("host-no_asserts-no_bounds_query")


@pytest.mark.parametrize("feature", ["no_runtime", "user_context", "c_plus_plus_name_mangling"])
def test_how_code_is_linked_makes_no_difference_here(shared: Opened, feature: str) -> None:
    target = resolve(f"host-{feature}")
    assert target.machine == HOST and feature in target.name
    with shared(load("line", target), target) as session:
        assert isinstance(session.measure({"default": Schedule()})["default"], Cost)


def test_what_leaves_its_images_is_repaired_where_code_does_not_say_so(shared: Opened, unchecked: TargetInfo) -> None:
    spec = load("line", unchecked)
    beyond = parse_schedule("out.split(x, x, xi, 512, TailStrategy::RoundUp).parallel(x);", spec.funcs)
    with shared(spec, unchecked) as session:
        cost = session.measure({"beyond": beyond})["beyond"]
    assert isinstance(cost, Cost) and cost.repair is not None
    assert [each.tail for each in cost.repair.directives if isinstance(each, Split)] == ["ShiftInwards"]


def test_inputs_grow_where_code_does_not_say_what_it_reads(shared: Opened, unchecked: TargetInfo) -> None:
    with shared(load("out_of_bounds", unchecked), unchecked) as session:
        assert "image from 50 to 51" in " ".join(session.verification.notes)


def test_a_schedule_far_behind_the_best_fails(host: TargetInfo) -> None:
    """Inlined, each value costs all those before it; at root, which computes what is expected, it costs one."""
    options = replace(OPTIONS, least_run_timeout_s=0.2)
    spec = load("steep", host)
    with (
        HostMachine(host, options, workers=1) as machine,
        machine.session(spec, Inputs(), References(believed=every_func_at_root(spec))) as session,
    ):
        ((_, outcome),) = session.measure_each([("default", Schedule())], best=1e-6)
    assert isinstance(outcome, Failure)
    assert (outcome.stage, outcome.kind) == ("run", "timeout")
