"""The table of machines, and which of them runs what."""

from pathlib import Path

from hltune.machine.hexagon.machine import KIND as HEXAGON
from hltune.machine.host.cpu import cpu_model
from hltune.machine.host.machine import KIND as HOST
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Finding, Machine, MachineKind
from hltune.pipeline.target import TargetInfo, TargetJob
from hltune.runtime.worker import Worker, usable_cores
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId

_KINDS = (HOST, HEXAGON)
_BY_NAME = {kind.name: kind for kind in _KINDS}
_TARGETS = {name: text for kind in _KINDS for name, text in kind.targets.items()}


def target_job(text: str, host: str | None = None) -> TargetJob:
    """Resolves what the user called the target.

    Args:
        host: target of the computers that are to run the code; None for this one.
    """
    return TargetJob(text=text, host=host, names=_TARGETS, claims=tuple(kind.claim for kind in _KINDS))


def resolve(text: str, elsewhere: MachineId | None = None) -> TargetInfo:
    """A target by what the user called it, in a worker of its own; see `MeasureOptions.elsewhere`."""
    with Worker() as worker:
        return worker.run(target_job(text, elsewhere and elsewhere.target))


def open_machine(target: TargetInfo, options: MeasureOptions, *, workers: int) -> Machine:
    """A machine that runs code for a target, or an `InputError`; so many of its workers compile side by side."""
    if (elsewhere := options.elsewhere) is not None:
        raise InputError(
            "this computer does not measure for another kind of machine",
            where="--machine",
            expected=f"a computer of the cluster that is {elsewhere.cpu}",
            found=cpu_model(),
            todo="give --cluster as well",
        )
    if target.machine is None:
        raise InputError(
            "code for this target does not run on this machine",
            where=target.name,
            expected="host, or hexagon: the DSP in an emulator",
            todo="hltune schedule searches for any target without measuring, and hltune export compiles for it",
        )
    check_options(target, options)
    return _BY_NAME[target.machine].open(target, options, workers)


def check_options(target: TargetInfo, options: MeasureOptions) -> None:
    """Raises an `InputError` if some are for another machine than the one that runs code for a target."""
    own = options.machine_options
    if own is not None and own.machine != target.machine:
        flags = ", ".join(own.flags)
        raise InputError(
            f"only for the machine that runs code for --target {own.machine}",
            where=flags,
            found=f"--target {target.name}",
            todo=f"leave {flags} out, or give --target {own.machine}",
        )


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of the machine that runs code for a target; this computer's where nothing does.

    Raises:
        InputError: some options are for another machine.
    """
    check_options(target, options)
    return _BY_NAME.get(target.machine or HOST.name, HOST).identify(target, options)


def this_computer() -> MachineId:
    """This computer with all its cores, for all that its processor can do; see `MeasureOptions.elsewhere`."""
    return identify(resolve(HOST.name), MeasureOptions(threads=usable_cores()))


def default_threads(target: str) -> int:
    """Size of the thread pool, if the user asks for none, by what the user called the target."""
    return _kind_of(target).threads or usable_cores()


def measured_on(target: str) -> str:
    """The target whose machine knows schedules for a target: its own one, or else this computer."""
    return HOST.name if _kind_of(target) is HOST else target


def shipped_weights(target: TargetInfo) -> Path | None:
    """Folder of the weights and the ranker that come with this package for such targets; None if there are none."""
    return _BY_NAME[target.machine].weights if target.machine else None


def caches_of(target: TargetInfo, options: MeasureOptions) -> tuple[int, ...]:
    """Bytes of the caches of the machine that runs code for a target, the smallest first; empty if nobody knows."""
    return _BY_NAME[target.machine].caches() if target.machine and options.elsewhere is None else ()


def _kind_of(target: str) -> MachineKind:
    return next((kind for kind in _KINDS if target.startswith(kind.name)), HOST)


def findings() -> list[Finding]:
    """What the machines need, and whether it is there."""
    return [finding for kind in _KINDS for finding in kind.findings()]
