"""Which machine this computer is."""

import platform
from pathlib import Path

from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.values.machine_id import MachineId


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of this computer, as far as it is used."""
    return MachineId(cpu=_cpu_model(), target=target.name, threads=options.threads, halide=halide_version())


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
