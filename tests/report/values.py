"""Small results, as commands return them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from hltune.commands.attempt import Tried
from hltune.commands.compare import Comparison
from hltune.commands.pretrain import Pretrained
from hltune.commands.schedule import Scheduled
from hltune.commands.tune_one import Tuned
from hltune.cost_model.metrics import NO_PAIRS, Evaluation, PairCount
from hltune.cost_model.scorer import Validation
from hltune.pipeline.target import TargetInfo
from hltune.pretraining.batch import Batch
from hltune.pretraining.journal import Journal
from hltune.pretraining.learning import Checkpoint, Evaluations
from hltune.pretraining.ranking import RankerCheckpoint
from hltune.programs.program import Node, Program
from hltune.search.climb import Step
from hltune.search.ladder import Rung
from hltune.tuning.finals import Finals
from hltune.tuning.operators import Successes
from hltune.tuning.outlook import Expectation, Outlook
from hltune.tuning.round import Round
from hltune.values.candidate import Candidate
from hltune.values.cost import Cost, Counters, Measurement
from hltune.values.directives import Parallel, Schedule, Split, Vectorize
from hltune.values.errors import Failure
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, FuncInfo, OutputArgument, PipelineSpec
from hltune.values.provenance import Mutated, Named, Searched
from hltune.values.reasons import reasons
from hltune.values.roles import Stage
from hltune.values.unit import MILLISECONDS, Unit
from hltune.workspace.rows import Row
from hltune.workspace.subject import Subject

PACKETS = Unit(
    name="packets", label="packets issued (QEMU)", heading="packets issued\n(QEMU)", per_second=1e9, digits=0
)
HOST = MachineId(cpu="some CPU", target="x86-64-linux-avx2", threads=2, halide="21.0.0")
DSP = MachineId(cpu="QEMU", target="hexagon-32-noos-hvx", threads=1, halide="21.0.0", unit=PACKETS)
SPEC = PipelineSpec(
    name="blur",
    hlpipe=b"algorithm",
    inputs=(BufferArgument(name="in", dtype="uint8", estimate=((0, 64), (0, 48))),),
    outputs=(OutputArgument(name="out", dtypes=("uint8",), estimate=((0, 64), (0, 48))),),
    funcs=(FuncInfo(name="rows", args=("x", "y")), FuncInfo(name="out", args=("x", "y"))),
)
SUBJECT = Subject(
    spec=SPEC, target=TargetInfo(name=HOST.target, vector_bytes=32, machine="host"), benchmark=None, hand_written={}
)
ON_DSP = replace(SUBJECT, target=TargetInfo(name=DSP.target, vector_bytes=128, machine="hexagon"))
SCHEDULE = Schedule(
    (Split(Stage("out"), "x", "x", "xi", 8), Vectorize(Stage("out"), "xi"), Parallel(Stage("out"), "y"))
)
SEARCHED = Searched(autoscheduler="Adams2019", parameters=(("beam_size", "32"),))
CANDIDATE = Candidate(schedule=SCHEDULE, provenance=SEARCHED, predicted_ms=1.25, search_s=3.21987)
CRASH = Failure(stage="run", kind="crash", message="killed by signal 11", log="many\nlines")
TIMEOUT = Failure(stage="search", kind="timeout", message="took longer than its limit of 20 s")
COUNTERS = Counters(
    packets=1_200_000, hvx_instructions=345_678, instructions=2_345_678, allocations=3, peak_heap_bytes=4321
)
STORE = Path(".hltune/samples.sqlite")


EXPECTED = Expectation(
    stages=3, search_s=1.26, candidate_s=0.5, samples_per_minute=84.0, minutes=0.25, given=0.5, most=math.inf
)


def cost(*repeats: float) -> Cost:
    return Cost(unit=MILLISECONDS, turns=tuple((each,) for each in repeats))


def packets(number: int, *, line_misses: int | None = None) -> Cost:
    counters = replace(COUNTERS, packets=number, line_misses=line_misses)
    return Cost(unit=PACKETS, turns=((number / 1e9,),), counters=counters)


def row(name: str, measurement: Measurement, *, finder: str | None = None, found: bool = True) -> Row:
    candidate = Candidate(schedule=SCHEDULE, provenance=Named(name=name)) if found else None
    return Row(name=name, finder=finder or name, candidate=candidate, measurement=measurement)


FASTEST = cost(1e-3, 1.1e-3, 1.2e-3)


def tried(rung: Rung, outcome: Candidate | Failure, measured: Measurement | None, **others: bool) -> Tried:
    return Tried(step=Step(rung=rung, outcome=outcome, **others), measurement=measured)


def scheduled(measured: Cost | None = FASTEST, candidate: Candidate = CANDIDATE, *, runnable: bool = True) -> Scheduled:
    small, large = (
        Rung(finder="adams2019", label=f"beam {size}, 2 passes", searches=(), effort=2.0 * size) for size in (8, 16)
    )
    other = Rung(finder="mullapudi2016", label="mullapudi2016", searches=())
    return Scheduled(
        subject=SUBJECT,
        name="adams2019",
        candidate=candidate,
        rung="beam 8, 2 passes",
        cost=measured,
        unit=measured.unit if measured else MILLISECONDS,
        runnable=runnable,
        tried=(
            tried(small, candidate, measured, remembered=True),
            tried(other, candidate, CRASH),
            tried(large, TIMEOUT, None, skipped=True),
        ),
        files=(Path("out/blur.txt"), Path("out/blur.json")),
    )


def compared(*, bound: float | None = 5e-4) -> Comparison:
    rows = (
        row("expert", cost(1e-3, 1.02e-3, 1.03e-3)),
        row("default", cost(12.3456e-3, 13e-3)),
        row("adams2019", TIMEOUT, found=False),
        row("mine", CRASH),
    )
    return Comparison(subject=SUBJECT, rows=rows, unit=MILLISECONDS, bandwidth_bound=bound)


def counted(*, line_misses: int | None = None) -> Comparison:
    rows = (
        row("expert", packets(1_200_000, line_misses=line_misses)),
        row("default", packets(98_765_432, line_misses=line_misses)),
        row("mine", CRASH),
    )
    return Comparison(subject=ON_DSP, rows=rows, unit=PACKETS, bandwidth_bound=4e-4)


def validation(name: str, right: float, r2: float | None) -> Validation:
    return Validation(name=name, pairs=PairCount(right=right, total=100), regret_at_1=1.034, r2=r2)


ROUNDS = (
    Round(
        pipeline="blur",
        number=1,
        best=None,
        beam=None,
        searches=4,
        known=1,
        drafted=0,
        refused=0,
        measured=3,
        failures=(CRASH, CRASH, CRASH),
        repaired=0,
        validations=(),
        held_out=0,
        selected=None,
        search_s=1.5,
        measure_s=2.0,
        learn_s=0.0,
    ),
    Round(
        pipeline="blur",
        number=2,
        best=1e-3,
        beam=1.5e-3,
        searches=8,
        known=2,
        drafted=120,
        refused=7,
        measured=40,
        failures=(CRASH,),
        repaired=0,
        validations=(
            validation("network", 71.5, 0.4),
            validation("trees", 80, None),
            validation("ranker", 78.0, 0.5),
            Validation(name="chance", pairs=NO_PAIRS, regret_at_1=2.5, r2=-1.25),
        ),
        held_out=12,
        selected="trees",
        search_s=1.50049,
        measure_s=20.25,
        learn_s=3.125,
    ),
)


def tuned(subject: Subject = SUBJECT, *rows: Row) -> Tuned:
    rows = rows or (
        row("tuned-0123abcd", cost(1e-3, 1.02e-3, 1.03e-3), finder="tuned"),
        row("expert", cost(1.5e-3, 1.52e-3)),
        row("adams2019", cost(2e-3, 2.02e-3)),
        row("li2018", CRASH),
    )
    exact = any(isinstance(each.measurement, Cost) and each.measurement.counters for each in rows)
    return Tuned(
        subject=subject,
        machine=DSP if exact else HOST,
        rounds=ROUNDS,
        finals=Finals(rows=rows),
        measured=43,
        failed=4,
        reasons=reasons((CRASH, CRASH, CRASH, TIMEOUT)),
        repaired=2,
        known=3,
        distinct=50,
        seconds=31.4159,
        weights=Path("weights/best-2.weights"),
        history=((1000.0, 5e-3), (1030.0, 2e-3), (90_000.0, 3e-3), (90_059.0, 1e-3)),
        files=(Path("blur.txt"),),
        expected=EXPECTED,
        outlook=Outlook(rounds=9, idle=4, late_gain=0.0321),
        successes=Successes(tries={"tail": 3, "scale": 20, "block": 5}, wins={"scale": 4, "block": 4}),
    )


TUNED = tuned()
TUNED_ON_DSP = tuned(
    ON_DSP,
    row("tuned-0123abcd", packets(1_200_000), finder="tuned"),
    row("adams2019", packets(2_400_000)),
    row("default", CRASH),
)
TUNED_WITHOUT_BASELINE = replace(
    TUNED,
    rounds=(),
    expected=None,
    outlook=Outlook.of(()),
    weights=None,
    finals=Finals(rows=(row("default", cost(1e-3)),)),
)


def evaluation(accuracy: float | None) -> Evaluation:
    return Evaluation(
        pipelines=9, samples=900, pair_accuracy=accuracy, regret_at_1=1.23456, regret_at_8=1.01, r2=accuracy
    )


CHECKPOINT = Checkpoint(
    batches=10,
    programs=8,
    held_out=Evaluations(new=evaluation(0.8765), initial=evaluation(0.75)),
    benchmarks=Evaluations(new=evaluation(0.9), initial=evaluation(None)),
    weights=Path("pretrained/best-10.weights"),
    seconds=12.34,
)
RANKER = RankerCheckpoint(
    batches=10,
    programs=8,
    held_out=evaluation(0.8),
    held_out_t0=evaluation(0.7),
    benchmarks=evaluation(0.85),
    path=Path("pretrained/best-00010.ranker.json"),
    seconds=2.5,
)
BATCH = Batch(
    number=9,
    name="random-17",
    measured=30,
    failures=(CRASH, TIMEOUT),
    rejected=("too cheap", "too few Funcs"),
    seconds=61.0,
    search_s=21.04,
)
JOURNAL = Journal(
    seed=1,
    schedules=32,
    initial_hash="0" * 64,
    batches=10,
    measured=300,
    failed=12,
    rejected={"too cheap": 2, "too few Funcs": 1},
    seconds=654.321,
)
PRETRAINED = Pretrained(
    journal=JOURNAL,
    batches=(BATCH, replace(BATCH, number=10, rejected=())),
    checkpoint=CHECKPOINT,
    ranker=RANKER,
    seconds=125.6,
    default=Path(".hltune/default/best.weights"),
    store=STORE,
)
PROGRAM = Program(
    seed=17,
    stages=2,
    spec=SPEC,
    nodes=(
        Node(name="in", kind="input", dtype="uint8", extents=(64, 48), reads=()),
        Node(name="edge", kind="clamp", dtype="uint8", extents=(64, 48), reads=("in",)),
        Node(name="out", kind="stencil", dtype="uint16", extents=(64, 48), reads=("edge", "in")),
    ),
    text=("edge(x, y) = in(clamp(x), y)", "out(x, y) = edge(x, y)[0] + [bold]in(x, y)"),
)
MUTATED = Mutated(parent="a" * 64, changes=("tail", "unroll"))
