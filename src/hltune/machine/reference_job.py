"""What a worker does for the expected outputs: runs schedules until two agree, and measures how exact they are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from hltune.machine.bounds import compiled_key
from hltune.machine.doubts import little_shown, unconfirmed
from hltune.machine.inputs import input_arrays
from hltune.machine.options import MeasureOptions
from hltune.machine.outputs import Outputs
from hltune.machine.remembered import Known, Remembered, digest
from hltune.machine.repeats import depends_on_before
from hltune.machine.runs import Folders, Ran
from hltune.machine.sensitivity import Variant, fast_variant, in_another_order, moved_inputs, other_floats
from hltune.machine.task import Code, NumPyReference, Task, compile_code, with_buffers
from hltune.machine.tolerance import Tolerance
from hltune.machine.verify import COMPILE_RATIO, Verification, differences, limited_by, usual, write_tolerances
from hltune.pipeline.operations import forecast, has_undefined
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.documents import convert
from hltune.values.errors import Failure, HltuneError, InputError, Refused

INLINED, AT_ROOT = "everything inlined", "every Func at root"
AUTHORS = "the author's schedule"

_VARIANT_COMPILE_RATIO = 3.0
"""What `COMPILE_RATIO` is to references: all variants take their time, and one hardly ever tells what no other does."""
_COMPARED_PER_S = 1e6
"""Elements of large outputs that are compared in a second at least."""
_SENSITIVITY_S = 60.0
"""No further variant is begun after this time."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Further schedules are needed; these failed, by name."""

    failures: tuple[tuple[str, Failure], ...]


@dataclass(frozen=True, kw_only=True)
class ReferenceJob:
    """Finds the expected outputs, and writes them and their tolerances into a directory.

    Attributes:
        task: without a schedule.
        schedules: those that may compute what is expected, by name.
        single: the first one is believed.
        last: nobody knows further schedules.
        strict: candidates compute floats strictly.
        memory: folder of what earlier runs found out; None where nothing is to be remembered.
        followed: the same is to be found out for other inputs, with the same code.
        finite: outputs that are NaN or infinite show that the inputs are not for this pipeline.
    """

    task: Task
    options: MeasureOptions
    directory: Path
    numpy_reference: NumPyReference | None
    schedules: tuple[tuple[str, Schedule], ...]
    single: bool
    last: bool
    strict: bool
    memory: Path | None = None
    followed: bool = False
    finite: bool = False

    def run(self, process: Process) -> Verification | Undecided:
        """Runs in the worker."""
        try:
            return self._run_all(process)
        finally:
            if not self.followed:
                process.state.pop(_code_key(self.task), None)

    def _run_all(self, process: Process) -> Verification | Undecided:
        remembered = self._remembered(process)
        if remembered is not None and (known := self._as_known(process, remembered)) is not None:
            return known
        runs = self._references(process)
        pair = self._agreeing(runs)
        if not runs or (pair is None and not self.last):
            names = [name for name, _ in self.schedules]
            failures = [(name, self._folders.failure(name)) for name in names]
            return Undecided(tuple((name, failure) for name, failure in failures if failure))
        reference = pair[0] if pair else runs[0]
        if self.finite and not all(np.isfinite(each).all() for each in reference.outputs if each.dtype.kind == "f"):
            strange = Failure(stage="run", kind="error", message="outputs are NaN or infinite")
            return Undecided(((reference.variant.name, strange),))
        confirmed_by = self._check_numpy(process, reference) or (
            pair[1].variant.name if pair and not self.single else None
        )
        others = [
            each for each in runs if each is not reference and self._outputs.agree(reference.outputs, each.outputs)
        ]
        self._check_repeats(process, min([reference, *others], key=lambda each: each.run_s))
        whole = confirmed_by is not None
        more, all_known = self._variants(process, min([reference, *others], key=lambda each: each.run_s))
        others, whole = others + more, whole and (all_known or not any(self._outputs.measured))
        names = [each.variant.name for each in (*runs, *others)]
        process.enter("tolerance", timeout_s=self._comparing_s(reference, len(others)), one_thread=True)
        outputs = tuple(self._outputs.tolerances(reference, others))
        verification = Verification(
            reference=reference.variant.name,
            confirmed_by=confirmed_by,
            outputs=outputs,
            notes=tuple(self._doubts(reference, runs, confirmed_by, outputs)),
            compile_s=reference.compile_s,
            run_s=min(each.run_s for each in (reference, *runs)),
        )
        self._write(reference, verification)
        if remembered is not None and whole:
            fields, schedule = asdict(verification), reference.variant.schedule
            remembered.write(Known(schedule=schedule, outputs=digest(reference.outputs), fields=fields))
        self._folders.remove(names)
        self._keep_code(process)
        return verification

    def _comparing_s(self, reference: Ran, others: int) -> float:
        """Limit on finding the tolerances, which no flag could raise."""
        elements = sum(output.size for output in reference.outputs) * (1 + others)
        return max(self.options.verify_timeout_s, elements / _COMPARED_PER_S)

    def _doubts(
        self, reference: Ran, runs: Sequence[Ran], confirmed_by: str | None, tolerances: Sequence[Tolerance]
    ) -> Iterator[str]:
        if confirmed_by is None and not self.single:
            differ = [each.variant.name for each in runs if each is not reference]
            yield unconfirmed(self.task.spec, reference.variant.name, differ)
        for tolerance, output in zip(tolerances, reference.outputs, strict=True):
            yield from little_shown(self.task.spec, tolerance, output)

    def _write(self, reference: Ran, verification: Verification) -> None:
        self._folders.believe(reference)
        write_tolerances(self.directory, verification.outputs)

    def _remembered(self, process: Process) -> Remembered | None:
        if self.memory is None:
            return None
        arrays = input_arrays(process, self.task.spec, self.task.inputs)
        return Remembered.of(self.memory, self.task, arrays, self.options, self.numpy_reference, strict=self.strict)

    def _as_known(self, process: Process, remembered: Remembered) -> Verification | None:
        """What an earlier run found out, if what was to be believed computes the same as it did then."""
        known = remembered.read()
        if known is None:
            return None
        try:
            verification = convert(known.fields, Verification)
        except InputError:
            return None
        variant = Variant(name=verification.reference, target=self.task.target, schedule=known.schedule)
        ran = self._reference(process, variant, None)
        if ran is None:
            return None
        is_same = digest(ran.outputs) == known.outputs
        if is_same:
            verification = replace(verification, compile_s=ran.compile_s)
            self._write(ran, verification)
            self._keep_code(process)
        self._folders.remove([variant.name])
        return verification if is_same else None

    def _keep_code(self, process: Process) -> None:
        """Keeps the author's code for `CoverJob`."""
        code = _code(process, self.task)
        authors = dict(self.schedules).get(AUTHORS)
        known = None if authors is None else code.get((self.task.target, authors))
        if authors is not None and known is not None:
            process.state[compiled_key(replace(self.task, schedule=authors))] = known.function

    @cached_property
    def _folders(self) -> Folders:
        return Folders(self.directory)

    @cached_property
    def _outputs(self) -> Outputs:
        return Outputs(self.task.spec, self.options)

    def _references(self, process: Process) -> list[Ran]:
        """Runs schedules, the cheapest first, until two agree."""
        runs: list[Ran] = []
        for name, schedule in self._ordered():
            fastest = min(runs, key=lambda each: each.seconds, default=None)
            ran = self._reference(process, Variant(name=name, target=self.task.target, schedule=schedule), fastest)
            if ran is not None:
                runs.append(ran)
                if self._agreeing(runs):
                    break
        return runs

    def _ordered(self) -> Iterator[tuple[str, Schedule]]:
        """The cheapest first; without what is hopeless, as long as others may come."""
        schedules = dict(self.schedules)
        if INLINED not in schedules or AT_ROOT not in schedules:
            yield from schedules.items()
            return
        work = forecast(self.task.spec)
        inlined = (INLINED, schedules.pop(INLINED))
        if work.inlined_first:
            yield inlined
        yield AT_ROOT, schedules.pop(AT_ROOT)
        yield from schedules.items()
        if not work.inlined_first and (self.last or not work.inlined_hopeless):
            yield inlined

    def _run(
        self, process: Process, variant: Variant, fastest: Ran | None, *, compile_ratio: float = COMPILE_RATIO
    ) -> Ran | None:
        """Runs a variant, unless that was tried before; None if it fails."""
        import halide as hl  # the parent handles jobs without it

        folders = self._folders
        if folders.failure(variant.name) is not None:
            return None
        if (known := folders.load(variant, len(self._outputs.names))) is not None:
            return known
        folders.begin(variant.name)
        task = replace(self.task, schedule=variant.schedule, target=variant.target)
        arrays, options = (
            input_arrays(process, task.spec, task.inputs),
            limited_by(self.options, fastest.compile_s, fastest.run_s, compile_ratio) if fastest else self.options,
        )
        try:
            with moved_inputs(arrays, task.spec, variant.moved) as inputs:
                code = self._compile(process, task, options)
                compiled = with_buffers(process, task, code, inputs)
                began_s = time.perf_counter()
                compiled.run(process, options)
                run_s = time.perf_counter() - began_s
                # What follows is no part of the run, whose limit may be short.
                process.enter("comparing outputs", timeout_s=self.options.verify_timeout_s)
            folders.save(Ran(variant=variant, outputs=compiled.outputs, compile_s=code.compile_s, run_s=run_s))
        except (hl.HalideError, HltuneError) as error:
            folders.fail(variant.name, Failure.of(process.stage, error))
            return None
        finally:
            folders.end()
        return folders.load(variant, len(self._outputs.names))

    def _reference(self, process: Process, variant: Variant, fastest: Ran | None) -> Ran | None:
        """`_run` of what is needed; raises `Refused` where there is no room for its outputs."""
        try:
            return self._run(process, variant, fastest)
        except OSError as error:
            todo = "make room there, set TMPDIR to another folder, or schedule for a smaller size"
            where = str(self.directory.parent)
            raise Refused("no room for the expected outputs", where=where, found=str(error), todo=todo) from None

    def _variant(self, process: Process, variant: Variant, base: Ran) -> Ran | None:
        """`_run` of what nobody has to have: a computer that has no room for it does without."""
        try:
            return self._run(process, variant, base, compile_ratio=_VARIANT_COMPILE_RATIO)
        except (MemoryError, OSError) as error:
            self._folders.fail(variant.name, Failure(stage="run", kind="memory", message=str(error)))
            return None

    def _compile(self, process: Process, task: Task, options: MeasureOptions) -> Code:
        """Compiles, unless that was done before: inputs may differ, the code does not."""
        known, key = _code(process, self.task), (task.target, task.schedule)
        if key not in known:
            known[key] = compile_code(process, task, options)
        return known[key]

    def _agreeing(self, runs: Sequence[Ran]) -> tuple[Ran, Ran] | None:
        """Two that agree; what needs no second one agrees with itself."""
        if runs and (self.single or self.numpy_reference is not None):
            return runs[0], runs[0]
        return next(
            (pair for pair in combinations(runs, 2) if self._outputs.agree(*(each.outputs for each in pair))), None
        )

    def _variants(self, process: Process, base: Ran) -> tuple[list[Ran], bool]:
        """Runs variants while there is time, until they have shown that no tolerance is large enough.

        Says also whether that is all there is to know: none was left out, or failed for want of time.
        """
        end_s = time.monotonic() + _SENSITIVITY_S
        found: list[Ran] = []
        whole = True
        for variant in self._in_order(base, found):
            if found and self._outputs.chaotic(base, found[-1]):
                break
            ran = None
            if time.monotonic() < end_s:
                ran = self._variant(process, variant, base)
            if ran is not None:
                found.append(ran)
            else:
                failure = self._folders.failure(variant.name)
                whole = whole and failure is not None and failure.kind == "error"
        return found, whole

    def _in_order(self, base: Ran, found: Sequence[Ran]) -> Iterator[Variant]:
        """All variants, the quickest first.

        Where running takes longer than compiling, the fast one comes first, and if it agrees, the others are variants
        of it. Where floats are strict, or none take part, nothing else can differ.

        Args:
            found: what has become of those before, whenever the next one is asked for.
        """
        fast = fast_variant(self.task.spec, self.task.target)
        at_once = base.run_s > base.compile_s
        if at_once:
            yield fast
        agreeing = [each for each in found if self._outputs.agree(base.outputs, each.outputs)]
        schedule = min([base, *agreeing], key=lambda each: each.run_s).variant.schedule
        if not self.strict and any(self._outputs.measured):
            yield from other_floats(self.task.spec, schedule, self.task.target)
            if (turned := in_another_order(self.task.spec, self.task.target)) is not None:
                yield turned
        if not at_once:
            yield fast

    def _check_numpy(self, process: Process, reference: Ran) -> str | None:
        if self.numpy_reference is None:
            return None
        spec = self.task.spec
        arrays = input_arrays(process, spec, self.task.inputs)
        process.enter("NumPy reference", timeout_s=self.options.run_timeout_s)
        pairs = zip(spec.inputs, arrays, strict=True)
        images = {argument.name: value for argument, value in pairs if isinstance(value, np.ndarray)}
        expected = self.numpy_reference(images)
        tolerances = [usual(name, array) for name, array in zip(self._outputs.names, expected, strict=True)]
        wrong = differences(reference.outputs, expected, tolerances)
        if wrong:
            raise HltuneError(f"the default schedule disagrees with the NumPy reference: {wrong}", where=spec.name)
        return "NumPy"

    def _check_repeats(self, process: Process, ran: Ran) -> None:
        """Raises an `InputError` if outputs depend on what they contained before: calls are timed upon each other."""
        spec = self.task.spec
        if not has_undefined(spec):
            return
        task = replace(self.task, schedule=ran.variant.schedule)
        code = self._compile(process, task, self.options)
        compiled = with_buffers(process, task, code, input_arrays(process, spec, task.inputs))
        process.enter("run", timeout_s=3 * self.options.run_timeout_s + self.options.verify_timeout_s)
        if depends_on_before(process, compiled, self._outputs.agree):
            raise InputError(
                "the pipeline changes what its output contained before, so each call may compute something else",
                where=spec.name,
                expected="outputs that follow from the inputs",
                found="an update of hl.undef",
                todo="read the former contents from an image: another hl.ImageParam in place of hl.undef. "
                "In your program both may be the same memory if each element is read where it is written",
            )


def _code(process: Process, task: Task) -> dict[tuple[str, Schedule], Code]:
    """What the process has compiled for the expected outputs of a pipeline, by target and schedule."""
    return process.state.setdefault(_code_key(task), {})


def _code_key(task: Task) -> str:
    return f"code of references {task.spec.content_hash}"
