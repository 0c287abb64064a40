"""Which machine an emulated DSP is, and what people see its costs in."""

from hltune.machine.hexagon.options import emulator_options
from hltune.machine.hexagon.target import version_of
from hltune.machine.hexagon.toolchain import toolchain_key
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.values.machine_id import MachineId
from hltune.values.unit import Unit

PACKETS_PER_S = 1e9
"""A nominal rate, see `hltune.values.unit`."""


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of the emulated DSP: all that takes part in counting."""
    emulator = emulator_options(options)
    cache, heap_mib = emulator.cache, emulator.heap_limit_bytes / 2**20
    counted, name, label, heading = "packets", "packets", "packets issued (QEMU)", "packets issued\n(QEMU)"
    if cache is not None:
        counted, name, label, heading = str(cache), "packets+misses", f"= {cache}, QEMU", "packets\n+misses"
    version = version_of(target.name)
    return MachineId(
        cpu=f"Hexagon {version} in QEMU, {counted}, heap {heap_mib:g} MiB, tools {toolchain_key()}",
        target=target.name,
        threads=options.threads,
        halide=halide_version(),
        unit=Unit(name=name, label=label, heading=heading, per_second=PACKETS_PER_S, digits=0),
    )
