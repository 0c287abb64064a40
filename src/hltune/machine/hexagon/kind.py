"""The emulated DSP as a kind of machine."""

from hltune.machine.hexagon.doctor import findings
from hltune.machine.hexagon.identity import identify
from hltune.machine.hexagon.machine import HexagonMachine
from hltune.machine.hexagon.target import HEXAGON, TARGETS, claim
from hltune.machine.protocol import MachineKind

KIND = MachineKind(
    name=HEXAGON,
    targets=TARGETS,
    claim=claim,
    identify=identify,
    open=HexagonMachine,
    threads=1,  # more would only cost packets
    findings=findings,
)
