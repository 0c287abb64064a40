"""`hltune pretrain` and `hltune programs`: flags to options, results to people."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import BUDGET, LIMITS, OUTPUT, PLAN, PRETRAINED, SEARCH, Whole
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import ADAMS2019, BeamFlags, ClusterFlags, RunLimits, Seconds, Target, changed
from hltune.cli.output import JsonFlags, OutputFlags
from hltune.pretraining.options import PretrainOptions
from hltune.programs.program import INTEGER_TOLERANCE, TOLERANCE
from hltune.runtime import interrupts
from hltune.values.errors import InputError, out_of_range

_DEFAULTS = PretrainOptions(search=ADAMS2019)
_TURNS = 3
_ABORT_RATIO = 1000.0
"""A schedule that is hopeless for one program still teaches something."""


@Parameter(name="*", group=BUDGET)
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFlags:
    """How much is measured, and what it begins with.

    Attributes:
        batches: Random programs in all, those of earlier runs included.
        minutes: Begin no further batch after this time.
        schedules: Distinct schedules per program that searches find; as many mutants of these come on top.
        from_scratch: Start from random weights.
        fresh: Start over; keep samples.
        benchmarks: Judge the weights and the ranker by the built-in benchmarks, too.
    """

    batches: Whole = _DEFAULTS.batches
    minutes: Annotated[float | None, Parameter(show_default="until all are done")] = None
    schedules: Whole = _DEFAULTS.schedules
    from_scratch: bool = False
    fresh: bool = False
    benchmarks: Annotated[bool, Parameter(negative="--no-benchmarks")] = True


@Parameter(name="*", group=PLAN)
@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFlags:
    """What to advise on.

    Attributes:
        plan: Only say whether to pre-train or to tune.
        pipelines: With --plan: how many to schedule.
        hours: With --plan: for all of them.
    """

    plan: bool = False
    pipelines: Whole | None = None
    hours: float | None = None

    def wanted(self) -> tuple[int, float] | None:
        """Pipelines and hours to plan for; None if no plan is asked for."""
        if not self.plan and self.pipelines is None and self.hours is None:
            return None
        if not self.plan or self.pipelines is None or self.hours is None:
            raise InputError("--plan, --pipelines and --hours belong together", todo="give all three, or none of them")
        if self.pipelines < 1:
            raise out_of_range("--pipelines", "1 or more", self.pipelines)
        if not 0 < self.hours < float("inf"):
            raise out_of_range("--hours", "more than 0", self.hours)
        return self.pipelines, self.hours


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainSearch(BeamFlags):
    """The searches for random programs.

    Attributes:
        seed: Number that the random programs and searches start from.
    """

    beam_size: Whole = 8
    num_passes: Whole | None = 1
    seed: Whole = 0


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainLimits(RunLimits):
    """The limits of pre-training."""

    compile_timeout: Seconds = 10.0


def pretrain(
    *,
    target: Annotated[Target, Parameter(group=PRETRAINED)] = "host",
    budget: BatchFlags = BatchFlags(),
    use: Annotated[bool, Parameter(group=BUDGET)] = False,
    plan: PlanFlags = PlanFlags(),
    search: PretrainSearch = PretrainSearch(),
    limits: PretrainLimits = PretrainLimits(),
    emulator: EmulatorFlags = EmulatorFlags(),
    nodes: ClusterFlags = ClusterFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """`hltune pretrain`.

    Args:
        use: Make the weights and the ranker this workspace's default.
    """
    with interrupts.importing():  # JAX, which takes longer than most other commands
        from hltune.commands import pretrain as command
        from hltune.report import pretrain as report
        from hltune.report.progress import show_progress

    elsewhere = nodes.elsewhere(target)
    search = search.on(elsewhere)
    options = PretrainOptions(search=search.adams2019(target), **asdict(budget))
    measure = limits.measure(
        search.threads(target),
        emulator.options(),
        turns=_TURNS,
        abort_ratio=_ABORT_RATIO,
        tolerance=TOLERANCE,
        integer_tolerance=INTEGER_TOLERANCE,
        elsewhere=elsewhere,
    )
    wanted = plan.wanted()
    place = output.place
    if wanted is not None:
        _check_planned(budget, nodes, use=use)
        with show_progress() as progress:
            advice = command.plan_pretraining(
                options, *wanted, target=target, workspace=place, measure=measure, progress=progress
            )
        output.show(report.plan_document, report.print_plan, advice)
        return
    with report.show_pretraining() as progress:
        result = command.pretrain(
            options, target=target, workspace=place, measure=measure, use=use, progress=progress, cluster=nodes.cluster
        )
    output.show(report.document, report.print_pretrained, result)


def _check_planned(budget: BatchFlags, nodes: ClusterFlags, *, use: bool) -> None:
    """Raises an `InputError` for flags of what a plan does not do."""
    given = changed(budget, ("batches", "minutes", "schedules", "fresh"))
    given += ["--no-benchmarks"] * (not budget.benchmarks) + ["--use"] * use
    given += ["--cluster"] * (nodes.cluster is not None and nodes.machine is None)
    if given:
        raise InputError("--plan measures nothing", found=", ".join(given), todo="leave that out, or --plan")


def show_program(
    seed: Annotated[Whole, Parameter(group=OUTPUT)],
    /,
    *,
    stages: Annotated[Whole | None, Parameter(group=OUTPUT, show_default="drawn")] = None,
    picture: Annotated[Path | None, Parameter(name=("-o", "--picture"), group=OUTPUT, metavar="FILE")] = None,
    output: JsonFlags = JsonFlags(),
    debug: Annotated[bool, Parameter(group=OUTPUT)] = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """`hltune programs show`.

    Args:
        seed: Number of the program; `program-SEED` in the store.
        stages: Stages to put together.
        picture: Draw the stages as .svg or .png.
        debug: Show the traceback of an error.
    """
    with interrupts.importing():
        from hltune.programs.program import ProgramJob
        from hltune.report import programs as report
        from hltune.runtime.worker import Worker

    if seed < 0:
        raise out_of_range("SEED", "0 or more", seed)
    job = ProgramJob(seed=seed, stages=stages)
    if picture is not None:
        report.check_picture(picture)
    with Worker(preload=("halide",)) as worker:
        program = worker.run(job)
    if picture is not None:
        report.plot_program(program, picture)
    output.show(report.document, report.print_program, program)
