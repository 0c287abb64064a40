"""Which machine a measurement belongs to."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from hltune.machine.hexagon.toolchain import toolchain_key
from hltune.machine.hexagon.versions import version_of
from hltune.machine.options import MeasureOptions
from hltune.pipeline.target import TargetInfo
from hltune.runtime.halide_wheel import halide_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What has to agree before two measurements may be compared.

    Attributes:
        target: the full Halide target string, with all CPU features.
        threads: size of the thread pool.
    """

    cpu: str
    target: str
    threads: int
    halide: str

    @property
    def key(self) -> str:
        """Short and usable as the name of a directory."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:12]


def fingerprint(target: TargetInfo, options: MeasureOptions) -> Fingerprint:
    """Of what runs this target, as far as it is used."""
    cpu = _emulated_cpu(target, options) if target.machine == "hexagon" else _cpu_model()
    return Fingerprint(cpu=cpu, target=target.name, threads=options.threads, halide=halide_version())


def _emulated_cpu(target: TargetInfo, options: MeasureOptions) -> str:
    counted = options.emulator.cache or "packets"
    heap_mib = options.emulator.heap_limit_bytes / 2**20
    return f"Hexagon {version_of(target.name)} in QEMU, {counted}, heap {heap_mib:g} MiB, tools {toolchain_key()}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
