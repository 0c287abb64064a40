"""`hltune bundle make`: candidates for a device that is elsewhere, compiled here, in one file."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from hltune.bundle.build import build_files, compile_candidates
from hltune.bundle.compilers import check_target, find_compiler
from hltune.bundle.expected import Expected, Setting, expected_outputs
from hltune.bundle.manifest import Entry, Manifest
from hltune.bundle.packing import device_notes, pack
from hltune.bundle.results import CONDITIONS
from hltune.bundle.tables import check_size
from hltune.commands.once_wrong import once_wrong
from hltune.commands.ours import check_bundle
from hltune.commands.store import hold_store, lock_store
from hltune.commands.verification import further_schedules, verified_against
from hltune.cost_model.adams2019.lineage import Lineage
from hltune.cost_model.pretrained import Pretrained
from hltune.machine.given import on_given
from hltune.machine.inputs import Inputs
from hltune.machine.open import identify
from hltune.machine.options import MeasureOptions
from hltune.machine.portable import initial_state
from hltune.machine.reference import References, ReferenceSession
from hltune.machine.sensitivity import REFERENCE_TARGET, STRICT
from hltune.machine.task import RUN, RUN_SMOOTH, SMOOTH, Task
from hltune.machine.verify import Verification
from hltune.pipeline.target import HOST
from hltune.runtime.files import ScratchFolder, cannot_write, check_file, check_writable, write_bytes
from hltune.runtime.halide_wheel import halide_version
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.samples.lock import WriterLock
from hltune.samples.reader import Reader
from hltune.search.pool import SearchPool
from hltune.tuning.bundled import Bundled, Chosen
from hltune.tuning.history import History
from hltune.tuning.options import TuneOptions
from hltune.values.candidate import Candidate
from hltune.values.directives import Schedule
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.values.pipeline import BufferArgument, PipelineSpec
from hltune.values.reasons import Reason, reasons
from hltune.values.sample import PipelineRecord
from hltune.workspace.default_weights import default_ranker, initial_weights, with_default_weights
from hltune.workspace.records import Workspace
from hltune.workspace.searches import Searches
from hltune.workspace.subject import Subject, SubjectOptions, load_subject

NEW_DEVICE = "new"
"""In place of a device's key: one that no bundle has come back from."""
_ELSEWHERE = 3
"""So many of the best of each other device are candidates."""
_SPARE = 1.1
"""So many times as many candidates are chosen as are wanted, for some do not compile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle.

    Attributes:
        compiler: what its runner was built with; None if the device has to build it.
        device: whose measurements the choice learned from; None if there are none.
        measured: how many schedules were measured there.
        left_out: why candidates did not compile.
    """

    manifest: Manifest
    file: Path
    compiler: str | None
    device: MachineId | None
    measured: int
    left_out: tuple[Reason, ...]
    verification: Verification


def make(
    pipeline: SubjectOptions,
    options: TuneOptions,
    *,
    device: str | None,
    output: Path,
    workspace: Workspace,
    measure: MeasureOptions,
    inputs: Inputs,
    progress: Progress,
) -> Made:
    """Chooses candidates, compiles them for the target and writes them into one file, with all that running them needs.

    Args:
        options: `TuneOptions.batch` is how many candidates the bundle has.
        device: key of the machine in the store whose results the choice learns from; None for the only one,
            `NEW_DEVICE` for none.
        output: the file.

    Raises:
        InputError: there are no bundles for the target or for so large a pipeline, it is not clear which device is
            meant, or a file cannot be written.
        HltuneError: no candidate compiles.
    """
    check_writable(workspace.root)
    check_file(output)
    check_bundle(output)
    progress.phase(f"loading {pipeline.pipeline}")
    subject = load_subject(pipeline, workspace)
    check_target(subject.target.name)
    check_size(subject.spec)
    for note in subject.notes:
        progress.note(f"{subject.spec.name}: {note}")
    compiler = find_compiler(subject.target.name)
    for note in device_notes(subject.target.name, compiler):
        progress.note(note)
    given = on_given(identify(subject.target, measure), subject.spec, inputs, measure).given
    inputs = replace(inputs, portable=True)
    with contextlib.ExitStack() as stack:
        with lock_store(workspace.samples, progress) as lock:  # no search is in vain, and none disturbs
            session = stack.enter_context(_reference(subject, measure, inputs, workspace.cache))
            choice = _choose(subject, options, device, given, workspace, measure, lock, progress)
        progress.phase(f"{subject.spec.name}: expected outputs")
        expected = session.expected
        assert expected.reference is not None
        verified_against(session, subject.spec, progress)
        with ScratchFolder() as scratch:
            try:
                folder = Path(scratch)
                entries, failures = compile_candidates(
                    subject.spec,
                    subject.target.name,
                    _entries(choice.chosen),
                    wanted=options.batch,
                    timeout_s=measure.compile_timeout_s,
                    folder=folder,
                    progress=progress,
                )
                settings = [_setting(RUN, "verify", inputs, expected.reference)]
                if expected.smooth_inputs is not None and expected.smooth_reference is not None:
                    settings.append(_setting(RUN_SMOOTH, SMOOTH, expected.smooth_inputs, expected.smooth_reference))
                manifest = Manifest(
                    spec=subject.spec,
                    target=subject.target.name,
                    threads=measure.threads,
                    halide=halide_version(),
                    number=choice.number,
                    inputs=tuple(chain.from_iterable(_inputs(expected.spec, each) for each in settings)),
                    outputs=tuple(_outputs(session.verification, settings)),
                    entries=entries,
                    given=given,
                    seed=options.search.seed,
                )
                progress.phase(f"{subject.spec.name}: building the runner")
                files = build_files(manifest, expected.spec, settings, measure, compiler, folder)
                write_bytes(workspace.bundle(subject.spec, manifest.id), manifest.encode())
                pack(files, output)
            except OSError as error:  # a full disk, say
                raise cannot_write(Path(error.filename or scratch), error) from None
    return Made(
        manifest=manifest,
        file=output,
        compiler=compiler and compiler.name,
        device=choice.device,
        measured=choice.measured,
        left_out=reasons(failures),
        verification=session.verification,
    )


@contextlib.contextmanager
def _reference(subject: Subject, measure: MeasureOptions, inputs: Inputs, memory: Path) -> Generator[ReferenceSession]:
    """Begins with the expected outputs, which this computer computes whatever the target."""
    here = subject.target.machine == HOST
    target = subject.target.name if here else REFERENCE_TARGET
    more = further_schedules(replace(subject, target=replace(subject.target, name=target)), measure.threads)
    with (
        Worker(environment=measure.environment, preload=("halide", "numpy")) as worker,
        ReferenceSession(
            Task(spec=subject.spec, schedule=Schedule(), target=target, inputs=inputs),
            measure,
            worker,
            References(numpy=subject.numpy_reference, more=more, memory=memory),
            strict=STRICT in subject.target.name.split("-"),
            own=here,
            twice=True,
        ) as session,
    ):
        yield session


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    chosen: Chosen
    number: int
    device: MachineId | None
    measured: int


def _choose(
    subject: Subject,
    options: TuneOptions,
    device: str | None,
    given: str,
    workspace: Workspace,
    measure: MeasureOptions,
    lock: WriterLock,
    progress: Progress,
) -> _Choice:
    """Candidates, a few more than are wanted."""
    spec, here = subject.spec, identify(subject.target, measure)
    asked = options.search.weights
    search = with_default_weights(options.search, workspace, subject.target, here, progress)
    ranker: Pretrained | None = default_ranker(asked, workspace, subject.target, here, progress)
    todo = "the same command begins again"
    with (
        hold_store(workspace.samples, progress, todo=todo, lock=lock) as store,
        SearchPool(options.workers, timeout_s=options.search_timeout_s) as pool,
    ):
        store.add_pipeline(PipelineRecord.of(spec))
        known = find_device(store, subject, measure.threads, given, device)
        if known is not None and device is None:
            progress.note(
                f"{spec.name}: learns from what was measured on {known.cpu} ({known.conditions}), the only device so "
                f"far; for another one, give --device {NEW_DEVICE}"
            )
        unknown = replace(here, cpu="", target=subject.target.name, conditions=CONDITIONS)
        machine = known or unknown.with_given(given)
        history = History(spec, machine, store, wrong=once_wrong(spec, machine, workspace, store))
        lineage = Lineage(workspace.weights(spec, machine))
        bundled = Bundled(
            subject=subject,
            options=replace(options, search=search, batch=round(_SPARE * options.batch)),
            machine=machine,
            pool=pool,
            ranker=ranker,
            initial=initial_weights(
                asked,
                search.weights,
                subject.target,
                parent=lineage.parent(),
                folders=workspace.all_default_folders(here),
            ),
            lineage=lineage,
            memory=Searches(workspace.searches(spec)),
            elsewhere=_best_elsewhere(store, spec, machine),
            rng=np.random.default_rng([options.search.seed, len(history)]),
        )
        chosen = bundled.next(history, progress) if len(history) else bundled.first(progress)
        number = history.last_round + 1
        return _Choice(chosen=chosen, number=number, device=known, measured=len(history))


def _best_elsewhere(store: Reader, spec: PipelineSpec, machine: MachineId) -> dict[str, Candidate]:
    """What is best on other devices with the same target, by hash."""
    found = dict[str, Candidate]()
    for row in store.statistics():
        other = row.machine
        bundled = other.conditions.startswith(CONDITIONS) and other.target == machine.target
        if row.pipeline_hash == spec.content_hash and bundled and other.key != machine.key:
            for each in store.best(row.pipeline_hash, other.key, _ELSEWHERE, distinct=True):
                if each.schedule is not None and each.schedule.base is None:
                    found[each.schedule_hash] = Candidate(schedule=each.schedule, provenance=each.provenance)
    return found


def find_device(store: Reader, subject: Subject, threads: int, given: str, key: str | None) -> MachineId | None:
    """The device that bundles of a pipeline ran on, with what was given; None if none has come back yet, or it is new.

    Raises:
        InputError: there are several, or none with this key.
    """
    found = {
        row.machine.key: row.machine
        for row in store.statistics()
        if row.pipeline_hash == subject.spec.content_hash
        and row.machine.conditions.startswith(CONDITIONS)
        and (row.machine.target, row.machine.threads) == (subject.target.name, threads)
        and row.machine.halide == halide_version()
        and row.machine.given == given
    }
    if key == NEW_DEVICE:
        return None
    listed = "; ".join(f"{each} ({machine.cpu}, {machine.conditions})" for each, machine in found.items())
    if key is not None and key not in found:
        none = f"no bundle of {subject.spec.name} for this target and so many threads came back"
        raise InputError(
            "no results of such a device are known",
            where=f"--device {key}",
            expected=f"{NEW_DEVICE}, or one of these: {listed or none}",
            found=key,
        )
    if key is None and len(found) > 1:
        todo = f"give --device KEY; to begin anew with another device, --device {NEW_DEVICE}"
        raise InputError("bundles ran on several devices", where=subject.spec.name, found=listed, todo=todo)
    return found[key] if key is not None else next(iter(found.values()), None)


def _entries(chosen: Chosen) -> list[Entry]:
    """Candidates in the order in which they are worth compiling; they run in that of their numbers.

    The default schedule may be slow without end, and is run last, for it is given up the sooner when others are known.
    """
    candidates = chosen.candidates
    order = sorted(candidates, key=lambda key: candidates[key].schedule == Schedule())
    return [
        Entry(number=order.index(key), name=chosen.names.get(key), candidate=each) for key, each in candidates.items()
    ]


def _setting(run: str, verify: str, inputs: Inputs, directory: Path) -> Setting:
    return Setting(run=run, verify=verify, inputs=inputs, expected=expected_outputs(directory, seed=inputs.seed))


def _inputs(spec: PipelineSpec, setting: Setting) -> Iterator[str]:
    """Where inputs come from, for people."""
    inputs = setting.inputs
    images: Mapping[str, Path] = inputs.assign(spec)
    for each in spec.inputs:
        if inputs.smooth:
            if isinstance(each, BufferArgument) and each.name not in images:
                yield f"{each.name}, to {setting.verify}: smooth data from seed {inputs.seed}"
        elif not isinstance(each, BufferArgument):
            yield f"{each.name}: {inputs.scalar(each)}"
        elif each.name in images:
            yield f"{each.name}: {images[each.name].name}"
        else:
            yield f"{each.name}: splitmix64 from state {initial_state(each.name, inputs.seed)}"


def _outputs(verification: Verification, settings: Sequence[Setting]) -> Iterator[str]:
    """How outputs are checked, for people."""
    first, *others = settings
    for tolerance, each in zip(verification.outputs, first.expected, strict=True):
        yield f"{tolerance.output}: {tolerance.text}, {_how(each)}"
    for setting in others:
        for tolerance, each in zip(verification.outputs, setting.expected, strict=True):
            yield f"{tolerance.output}, to {setting.verify}: {_how(each)}"


def _how(expected: Expected) -> str:
    return f"hash {expected.hash:016x}" if expected.exact else f"{expected.samples} samples"
