"""`hltune pretrain` and `hltune programs`: flags to options, results to people."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hltune.cli.arguments import Panel, argument, default_of, flag
from hltune.cli.emulator import EmulatorFlags
from hltune.cli.flags import BeamFlags, RunLimits
from hltune.cli.output import JsonFlags, OutputFlags
from hltune.pretraining.options import PretrainOptions
from hltune.runtime import interrupts
from hltune.values.errors import InputError

_TURNS = 3
_ABORT_RATIO = 1000.0
"""A schedule that is hopeless for one program still teaches something."""
_FLOAT_SLACK = 100.0
"""Random expressions cancel out more often than those of people, and rounding then shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFlags(Panel):
    """What to learn for."""

    title: ClassVar[str] = "what to learn for"
    target: str = flag("host", "host, hexagon, or a Halide target string.")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFlags(Panel):
    """How much is measured, and what it begins with."""

    title: ClassVar[str] = "budget"
    batches: int = flag(
        default_of(PretrainOptions, "batches"), "Random programs in all, those of earlier runs included."
    )
    minutes: float | None = flag(None, "Begin no further batch after this time.", shown="until all are done")
    schedules: int = flag(default_of(PretrainOptions, "schedules"), "Distinct schedules per program.")
    from_scratch: bool = flag(False, "Start from random weights.")
    fresh: bool = flag(False, "Start over; keep samples.")
    benchmarks: bool = flag(True, "Judge the weights by the built-in benchmarks, too.")
    use: bool = flag(False, "Make the weights this workspace's default.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFlags(Panel):
    """What to advise on."""

    title: ClassVar[str] = "plan"
    plan: bool = flag(False, "Only say whether to pre-train or to tune.")
    pipelines: int | None = flag(None, "With --plan: how many to schedule.")
    hours: float | None = flag(None, "With --plan: for all of them.")

    def wanted(self) -> tuple[int, float] | None:
        """Pipelines and hours to plan for; None if no plan is asked for."""
        if not self.plan and self.pipelines is None and self.hours is None:
            return None
        if not self.plan or self.pipelines is None or self.hours is None:
            raise InputError("--plan, --pipelines and --hours belong together", todo="give all three, or none of them")
        if self.pipelines < 1:
            raise InputError(
                "option out of range", where="--pipelines", expected="1 or more", found=str(self.pipelines)
            )
        if not 0 < self.hours < float("inf"):
            raise InputError("option out of range", where="--hours", expected="more than 0", found=str(self.hours))
        return self.pipelines, self.hours


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainSearch(BeamFlags):
    """The searches for random programs."""

    beam_size: int = 8
    num_passes: int | None = flag(1, "Passes of the tree search.")
    seed: int = flag(0, "Of programs and searches.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainLimits(RunLimits):
    """The limits of pre-training."""

    compile_timeout: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFlags(JsonFlags):
    """Which program, and how."""

    seed: int = argument("Number of the program; `program-SEED` in the store.", "SEED")
    stages: int | None = flag(None, "Stages to put together.", shown="drawn")
    picture: Path | None = flag(None, "Draw the stages as .svg or .png.", "-o", "--picture", metavar="FILE")
    debug: bool = flag(False, "Show the traceback of an error.")


def pretrain(
    target: TargetFlags,
    batches: BatchFlags,
    plan: PlanFlags,
    search: PretrainSearch,
    limits: PretrainLimits,
    emulator: EmulatorFlags,
    output: OutputFlags,
) -> None:
    """`hltune pretrain`."""
    with interrupts.importing():  # JAX, which takes longer than most other commands
        from hltune.commands import pretrain as command
        from hltune.report import pretrain as report

    options = PretrainOptions(
        search=search.adams2019(target.target),
        batches=batches.batches,
        minutes=batches.minutes,
        schedules=batches.schedules,
        from_scratch=batches.from_scratch,
        fresh=batches.fresh,
        benchmarks=batches.benchmarks,
    )
    # That a slow schedule is slow is worth knowing.
    measure = limits.measure(
        search.threads(target.target),
        emulator.options(),
        turns=_TURNS,
        abort_ratio=_ABORT_RATIO,
        float_slack=_FLOAT_SLACK,
    )
    wanted = plan.wanted()
    place = output.place
    if wanted is not None:
        advice = command.plan_pretraining(options, *wanted, target=target.target, workspace=place, measure=measure)
        output.show(lambda: report.plan_document(advice), lambda console: report.print_plan(console, advice))
        return
    with report.show_pretraining() as progress:
        result = command.pretrain(
            options, target=target.target, workspace=place, measure=measure, use=batches.use, progress=progress
        )
    output.show(lambda: report.document(result), lambda console: report.print_pretrained(console, result))


def show_program(output: ShowFlags) -> None:
    """`hltune programs show`."""
    with interrupts.importing():
        from hltune.programs.job import ProgramJob
        from hltune.report import programs as report
        from hltune.runtime.worker import Worker

    job = ProgramJob(seed=output.seed, stages=output.stages)
    if output.picture is not None:
        report.check_picture(output.picture)
    with Worker(preload=("halide",)) as worker:
        program = worker.run(job)
    if output.picture is not None:
        report.plot_program(program, output.picture)
    output.show(lambda: report.document(program), lambda console: report.print_program(console, program))
