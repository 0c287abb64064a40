"""Which Func issues how many packets: Halide's own profiler, counted at every packet instead of sampled.

The target feature `profile` has code say which Func runs; a plug-in of the emulator looks at every packet. What the
feature adds to the code is counted as well. See `profiler/`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hltune.machine.hexagon.jobs import EmulatorJob, Run
from hltune.machine.hexagon.toolchain import Profiler
from hltune.pipeline.serialized import plain_name
from hltune.runtime.worker import Process
from hltune.values.errors import Failure, HltuneError
from hltune.values.profile import Part, Profile

_FEATURE = "profile"
_BASE = 1 << 36
"""Where the emulated process begins in the memory of the emulator; processes of 64 bits have at least 2**39 bytes."""
_SLOWDOWN = 20.0
"""How many times as long as a plain run one takes at most that is looked at after each packet."""
_PROFILED = 0x60000000
"""Where, as the emulated process sees it, what the profiler knows is: beyond all code and data."""
_HEAD = re.compile(r"^profiled (?P<funcs>\d+) (?P<heap>\d+)$", re.MULTILINE)
_FUNC = re.compile(
    r"^func (?P<packets>\d+) (?P<allocations>\d+) (?P<heap>\d+) (?P<stack>\d+) (?P<name>.+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileJob(EmulatorJob):
    """Counts by Func what a schedule issues.

    Attributes:
        packets_per_s: nominal rate, by which packets are seconds.
    """

    profiler: Profiler
    packets_per_s: float

    def run(self, process: Process) -> Profile | Failure:
        """Runs in a worker."""
        ran = replace(self, target=f"{self.target}-{_FEATURE}").attempt(process, self.schedule)
        return ran if isinstance(ran, Failure) else self._profile(ran.log, ran.funcs)

    @property
    def link_flags(self) -> Sequence[str]:
        """The profiler's runtime, at its address."""
        return (f"--section-start=.profiled={_PROFILED:#x}", str(self.profiler.runtime))

    @property
    def runs(self) -> Sequence[Run]:
        """One that loads plug-ins, with the profiler's."""
        profiler = self.profiler
        plugin = f"{profiler.plugin},base={_BASE:#x},profiled={_PROFILED:#x}"
        return (Run((str(profiler.emulator), "-B", f"{_BASE:#x}", "-plugin", plugin), _SLOWDOWN),)

    def _profile(self, log: str, called: Mapping[str, str]) -> Profile:
        head, funcs = _HEAD.search(log), [*_FUNC.finditer(log)]
        if head is None or len(funcs) != int(head["funcs"]):
            raise HltuneError("the emulator's profiling plug-in said nothing", found=log.strip()[-300:])
        packets = sum(int(each["packets"]) for each in funcs)
        return Profile(
            seconds=packets / self.packets_per_s,
            runs=1,
            parts=tuple(_part(each, called) for each in funcs if int(each["packets"]) or int(each["allocations"])),
            threads=1.0,
            heap_peak_bytes=int(head["heap"]),
            allocations=float(sum(int(each["allocations"]) for each in funcs)),
            counted=True,
        )


def _part(match: re.Match[str], called: Mapping[str, str]) -> Part:
    return Part(
        name=called.get(match["name"], plain_name(match["name"])),
        samples=int(match["packets"]),
        threads=1.0,
        heap_peak_bytes=int(match["heap"]),
        allocations=float(match["allocations"]),
        stack_bytes=int(match["stack"]),
    )
