"""The expected outputs of a pipeline, computed on this computer, whatever machine the candidates run on."""

import contextlib
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from hltune.machine.bounds import CoverJob, HasInputsJob, growth, growth_notes, shrunk
from hltune.machine.inputs import ImageTooSmall, Inputs, smooth
from hltune.machine.options import MeasureOptions
from hltune.machine.reference_job import AT_ROOT, AUTHORS, INLINED, ReferenceJob, Undecided
from hltune.machine.runs import Folders
from hltune.machine.sensitivity import every_func_at_root
from hltune.machine.task import NumPyReference, Task, checked
from hltune.machine.verify import Verification
from hltune.pipeline.operations import takes_signs
from hltune.runtime.files import ScratchFolder
from hltune.runtime.worker import AnyWorker, Running, Worker
from hltune.schedule.repair import is_about_sizes, is_outside
from hltune.values.directives import Schedule
from hltune.values.errors import Failure, HltuneError, InputError, JobFailed, NothingRuns
from hltune.values.pipeline import Number, PipelineSpec

MoreSchedules = Callable[[], Mapping[str, Schedule]]
"""Finds further schedules by name, where too few of those that are at hand can be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the expected outputs of a pipeline may be computed and checked by; a picklable value.

    Attributes:
        believed: the schedule that computes them; None for two that agree.
        numpy: an independent version of the algorithm that they are checked against.
        more: finds further schedules that may compute them, where too few others can be run.
        memory: folder of what earlier runs found out about them; None where nothing is to be remembered.
    """

    believed: Schedule | None = None
    numpy: NumPyReference | None = None
    more: MoreSchedules | None = None
    memory: Path | None = None


ANY_TWO = References()
"""Whatever schedules agree."""
_SMOOTH, _SIGNED = "smooth inputs", "signed smooth inputs"
"""Names of folders."""
_BOUND = re.compile(r"Bounds given for (\S+) in (\S+)")
"""Halide of a `Func::bound` that a schedule does not keep."""
_STRIDE = re.compile(r"Constraint violated: \S+\.stride\.\d+ \(-?\d+\) == (.+) \(-?\d+\)")
"""Halide of a stride that is not as an expression of scalars says."""
_MOST_GROWTHS = 4
"""How often inputs grow to what is read: a pipeline may read further the larger its inputs are, without end."""


class ReferenceSession:
    """What every `Session` has: a folder of expected outputs, which a worker begins with as soon as this exists.

    Args:
        task: without a schedule.
        strict: candidates compute floats strictly.
        own: the author's schedule is one for this computer.
        twice: on smooth inputs as well, if inputs are random, see `hltune.machine.smooth`.
    """

    def __init__(
        self,
        task: Task,
        options: MeasureOptions,
        worker: Worker,
        references: References,
        *,
        strict: bool,
        own: bool,
        twice: bool = False,
    ) -> None:
        twice = task.inputs.are_drawn(task.spec) and twice
        self._folder = ScratchFolder()
        self._directory = Path(self._folder.name)
        self._given = task.spec
        self._task: Task = task
        self._own = own and task.spec.manual is not None
        self._grown: int = 0
        self._on_noise: Verification | None = None
        self._verification: Verification | None = None
        self._signed = takes_signs(task.spec)
        self._smooth: tuple[Inputs, Path] | None = None
        self._more = references.more
        spec = task.spec
        schedules = {INLINED: Schedule(), AT_ROOT: every_func_at_root(spec)}
        if self._own:
            schedules[AUTHORS] = Schedule(base=spec.manual_hash)
        if (believed := references.believed) is not None:
            schedules = {"reference": believed}
        self._job = ReferenceJob(
            task=replace(task, target=checked(task.target)),
            options=options,
            directory=self._directory,
            numpy_reference=references.numpy,
            schedules=tuple(schedules.items()),
            single=believed is not None,
            last=believed is not None or references.more is None,
            strict=strict,
            memory=None if believed is not None else references.memory,
            followed=twice,
        )
        self._running: Running[Verification | Undecided] = worker.start(self._job)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the files, and stops the worker if it is still busy with what nobody waits for."""
        self._running.cancel()
        self._folder.cleanup()

    def settled(self) -> bool:
        """See `Session.settled`."""
        while self._verification is None and self._running.done():
            self._advance()
        return self._verification is not None

    def nodes(self) -> int:
        """See `Session.nodes`."""
        return 1

    def has_news(self) -> bool:
        """See `Session.has_news`; nobody has to know here, where one measures at a time."""
        return True

    @contextlib.contextmanager
    def beside(self, workers: Sequence[AnyWorker]) -> Generator[None]:  # noqa: ARG002 - counting is not disturbed
        """See `Session.beside`."""
        yield

    def waited(self) -> float | None:
        """See `Session.waited`."""
        return None

    @property
    def verification(self) -> Verification:
        """See `Session.verification`."""
        self.ready()
        assert self._verification is not None
        return self._verification

    def task_of(self, schedule: Schedule) -> Task:
        """A schedule of this pipeline, with what is expected of it; `ready` comes first."""
        inputs, smooth = self._smooth or (None, None)
        task = replace(self._task, schedule=schedule, reference=self._directory)
        return replace(task, smooth_inputs=inputs, smooth_reference=smooth)

    @property
    def expected(self) -> Task:
        """The pipeline with inputs that are large enough, and what is expected of it; waits as `ready` does."""
        self.ready()
        return self.task_of(Schedule())

    def ready(self) -> None:
        """See `Session.ready`.

        Raises:
            InputError: the inputs do not fit, or are too small for what is read, or the pipeline cannot run on them.
            NothingRuns: no schedule can be run.
            HltuneError: it computes something else than its NumPy reference.
            JobFailed: finding that out failed.
        """
        while self._verification is None:
            self._advance()

    def _advance(self) -> None:
        """Waits for the job that is under way, and begins with what follows from its outcome."""
        outcome = self._outcome()
        if outcome is None:
            self._running = self._running.worker.start(self._job)
        elif self._on_noise is not None:
            self._believe_smooth(self._on_noise, outcome)
        elif isinstance(outcome, Verification):
            own, self._own = self._own, False
            # Its author runs it on images that are large enough for it. Where there are none, it alone fails.
            if not own or not self._cover(Schedule(base=self._given.manual_hash), others_run=True):
                notes = growth_notes(self._given, self._task.spec)
                self._believe(replace(outcome, notes=(*notes, *outcome.notes)))
        elif not self._covered(outcome):
            self._ask_for_more(outcome)

    def _believe(self, verification: Verification) -> None:
        """Takes what was found out, and begins with smooth inputs if these are wanted."""
        if not self._job.followed:
            self._verification = verification
            return
        self._on_noise = verification
        self._begin_smooth()

    def _begin_smooth(self) -> None:
        """Begins with what is expected of smooth inputs: with signs, as long as these are not in doubt."""
        directory = self._directory / (_SIGNED if self._signed else _SMOOTH)
        directory.mkdir()
        task = replace(self._job.task, inputs=smooth(self._task.inputs, signed=self._signed))
        self._job = replace(self._job, task=task, directory=directory, last=True, followed=False, finite=self._signed)
        self._running = self._running.worker.start(self._job)

    def _believe_smooth(self, on_noise: Verification, outcome: Verification | Undecided) -> None:
        """Smooth inputs are of use if what is expected of them is as certain as anything else."""
        reason = _doubt(outcome, single=self._job.single)
        if reason is None:
            self._smooth = self._job.task.inputs, self._job.directory
            self._verification = on_noise
        elif self._signed:
            self._signed = False  # as where it takes roots
            self._begin_smooth()
        else:
            note = f"outputs are compared on noise only, and not on smooth inputs, which may show more: {reason}"
            self._verification = replace(on_noise, notes=(*on_noise.notes, note))

    def _ask_for_more(self, outcome: Undecided) -> None:
        """Begins again with further schedules; raises an `HltuneError` if there are none."""
        if self._job.last:
            raise _nothing_runs(self._task.spec.name, outcome, self._task.inputs.scalars)
        assert self._more is not None
        known = dict(self._job.schedules)
        more = {name: each for name, each in self._more().items() if each not in known.values()}
        self._job = replace(self._job, schedules=(*known.items(), *more.items()), last=True)
        self._running = self._running.worker.start(self._job)

    def _covered(self, outcome: Undecided) -> bool:
        """Lets inputs grow that are too small for some schedules; False if that is not the reason."""
        schedules = dict(self._job.schedules)
        outside = [name for name, failure in outcome.failures if is_outside(failure.message)]
        others_run = len(outcome.failures) < len(schedules)
        return any(self._cover(schedules[name], others_run=others_run) for name in outside[:1])

    def _cover(self, schedule: Schedule, *, others_run: bool) -> bool:
        """Lets the inputs grow to what a schedule reads, and begins again; False if they are large enough.

        Args:
            others_run: on inputs as they are; these stay so if they cannot grow.
        """
        worker, before = self._running.worker, self._task.spec
        task = replace(self._job.task, schedule=schedule)
        try:
            after = worker.run(CoverJob(task=task, options=self._job.options))
            if after == before or self._grown == _MOST_GROWTHS:
                return False
            if others_run and not worker.run(HasInputsJob(task=replace(task, spec=after))):
                return False
        except JobFailed:
            return False
        self._grown += 1
        Folders(self._directory).remove([name for name, _ in self._job.schedules])
        self._task = replace(self._task, spec=after)
        self._job = replace(self._job, task=replace(self._job.task, spec=after))
        self._running = worker.start(self._job)
        return True

    def _outcome(self) -> Verification | Undecided | None:
        """What the worker found; None if a schedule took it down, which is not tried again."""
        try:
            return self._running.result()
        except JobFailed as failed:
            folders = Folders(self._job.directory)
            name = folders.running()
            if name is None and self._on_noise is not None:
                return Undecided(((_SMOOTH, failed.failure),))
            if name is None:
                raise
            folders.fail(name, failed.failure)
            folders.end()
            return None
        except ImageTooSmall as error:
            if self._task.spec == self._given:
                raise
            raise _outgrown(error, self._given, self._task.spec) from None
        except HltuneError as error:
            if self._on_noise is None:
                raise
            return Undecided(((_SMOOTH, Failure(stage="run", kind="error", message=str(error))),))


def _doubt(outcome: Verification | Undecided, *, single: bool) -> str | None:
    """Why what is expected is not certain; None if it is."""
    if isinstance(outcome, Undecided):
        return next((str(failure) for _, failure in outcome.failures), "nothing could be run")
    if outcome.confirmed_by is None and not single:
        return next(iter(outcome.notes), "nothing else computes the same")
    chaotic = next((each for each in outcome.outputs if each.chaotic), None)
    disputed = next((each for each in outcome.outputs if each.disputed), None)
    if chaotic is None and disputed is not None:
        return f"output {disputed.output}: {disputed.advice}"
    return chaotic and f"output {chaotic.output} is chaotic on them: {chaotic.reason}"


def _outgrown(error: ImageTooSmall, before: PipelineSpec, after: PipelineSpec) -> InputError:
    """The same error where it is not the estimates that ask for so much."""
    smaller = shrunk(before, after)
    return InputError(
        "the pipeline reads more than this image has",
        where=error.where,
        expected=error.expected,
        found=f"{error.found}; for the outputs as they are estimated, inputs had to grow: {growth(before, after)}",
        todo="give a larger image, or the pipeline a boundary condition, such as repeat_edge"
        + (f", or compute less of it: {smaller}" if smaller else ""),
    )


def _nothing_runs(name: str, outcome: Undecided, scalars: Sequence[tuple[str, Number]] = ()) -> HltuneError:
    failures = [failure for _, failure in outcome.failures]
    found = "; ".join(f"{schedule}: {failure}" for schedule, failure in outcome.failures)
    # Several threads that fail at once may crash, but what one says is the reason for all.
    said = [each.message for each in failures if each.kind == "error"]
    if said and all(each.stage == "run" and each.kind in ("error", "crash") for each in failures):
        return InputError(
            "the pipeline cannot run on these inputs, whatever its schedule",
            where=name,
            found=said[0],
            todo=_advice_on_inputs(said[0], scalars),
        )
    if all(each.stage == "run" and each.kind == "crash" for each in failures):
        return InputError(
            "the pipeline crashes on these inputs, whatever its schedule",
            where=name,
            found=found,
            expected="inputs that keep what it promises: hl.unsafe_promise_clamped, and what tables and RDoms read",
            todo="give other images or scalars with -i: random values may lie outside of a table",
        )
    if all(each.kind == "error" for each in failures):
        return NothingRuns("the pipeline does not compile, whatever its schedule", where=name, found=found)
    return NothingRuns(
        "the pipeline does not finish within its limits, whatever its schedule",
        where=name,
        found=found,
        todo=_advice(failures),
    )


def _advice_on_inputs(said: str, scalars: Sequence[tuple[str, Number]]) -> str:
    if (stride := _STRIDE.search(said)) is not None:
        names = re.findall(r"\w+", stride[1])
        flags = [f"-p {name}={value}" for name, value in scalars if name in names]
        if flags:
            return f"images lie in memory as scalars are estimated: give {' '.join(flags)} in place of -i"
    if (bound := _BOUND.search(said)) is not None:
        return (
            f"the bound of {bound[1]} in {bound[2]} is part of the algorithm, and every schedule has to keep it: one "
            "that fits the tiles of your own schedule alone belongs behind `if not using_autoscheduler()`"
        )
    if is_about_sizes(said):
        return "check that the estimates of inputs and outputs agree with what the pipeline reads"
    return "give other images or scalars with -i, or other parameters of the file with -p"


def _advice(failures: list[Failure]) -> str:
    raised = sorted({each.flag for each in failures if each.flag is not None})
    return f"raise {' and '.join(raised)}, or schedule for a smaller size" if raised else "schedule for a smaller size"
