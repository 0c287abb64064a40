"""Which machine an emulated DSP is, and what people see its costs in."""

from hltune.machine.hexagon.options import CacheModel, emulator_options
from hltune.machine.hexagon.target import version_of
from hltune.machine.hexagon.toolchain import toolchain_key
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.runtime.halide_wheel import halide_version
from hltune.values.machine_id import MachineId
from hltune.values.unit import Unit

PACKETS_PER_S = 1e9
"""A nominal rate, see `hltune.values.unit`."""
PACKETS = Unit(
    name="packets", label="packets issued (QEMU)", heading="packets issued\n(QEMU)", per_second=PACKETS_PER_S, digits=0
)


def identify(target: TargetInfo, options: MeasureOptions) -> MachineId:
    """The identity of the emulated DSP: all that takes part in counting."""
    emulator = emulator_options(options)
    cache, heap_mib = emulator.cache, emulator.heap_limit_bytes / 2**20
    counted = "packets" if cache is None else str(cache)
    version = version_of(target.name)
    return MachineId(
        cpu=f"Hexagon {version} in QEMU, {counted}, heap {heap_mib:g} MiB, tools {toolchain_key()}",
        target=target.name,
        threads=options.threads,
        halide=halide_version(),
        unit=PACKETS if cache is None else packets_and_misses(cache),
    )


def packets_and_misses(cache: CacheModel) -> Unit:
    """The unit of packets with weighted misses of a simulated cache added."""
    return Unit(
        name="packets+misses", label=f"= {cache}, QEMU", heading="packets\n+misses", per_second=PACKETS_PER_S, digits=0
    )
