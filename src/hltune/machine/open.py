"""The one place that knows which machine runs which target."""

from __future__ import annotations

import hltune.machine.hexagon.identity as hexagon
import hltune.machine.host.identity as host
from hltune.machine.hexagon.machine import HexagonMachine
from hltune.machine.host.machine import HostMachine
from hltune.machine.options import EmulatorOptions, MeasureOptions
from hltune.machine.protocol import Machine
from hltune.pipeline.target import TargetInfo
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId


def open_machine(target: TargetInfo, options: MeasureOptions, *, workers: int) -> Machine:
    """A machine that runs code for a target.

    Args:
        target: resolved.
        options: how to measure.
        workers: processes that compile side by side.

    Raises:
        InputError: there is none, or its tools are missing.
    """
    match target.machine:
        case "host":
            if options.emulator != EmulatorOptions():
                raise InputError(
                    "--heap-limit and --objective are for emulated machines",
                    where=target.name,
                    todo="leave them out, or give --target hexagon",
                )
            return HostMachine(target, options, lanes=workers)
        case "hexagon":
            return HexagonMachine(target, options, workers=workers)
        case None:
            raise InputError(
                "code for this target does not run on this machine",
                where=target.name,
                expected="host, or hexagon: the DSP in an emulator",
                todo="hltune schedule searches for any target without measuring, and hltune export compiles for it",
            )


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of the machine that runs code for a target; this computer's where nothing does."""
    return hexagon.identify(target, options) if target.machine == "hexagon" else host.identify(target, options)
