"""What the emulated DSP needs, and whether it is there."""

from hltune.machine.hexagon import toolchain
from hltune.machine.protocol import Finding


def findings() -> list[Finding]:
    """Looks for its tools."""
    emulator, compiler = toolchain.find_plugin_emulator(), toolchain.find_plugin_compiler()
    model = f"{emulator}, {compiler}" if emulator and compiler else None
    fixed = "setarch -R works" if toolchain.addresses_can_be_fixed() else None
    allow = "in a container: docker run --security-opt seccomp=unconfined"
    dsp, misses = "--target hexagon", "--objective packets+misses"
    return [
        _finding("Hexagon compiler", toolchain.find_zig(), toolchain.INSTALL_COMPILER, lacking=dsp),
        _finding("Hexagon emulator", toolchain.find_emulator(), toolchain.INSTALL_EMULATOR, lacking=dsp),
        _finding("Hexagon cache model", model, toolchain.INSTALL_PLUGIN_EMULATOR, lacking=misses),
        _finding("Hexagon: fixed addresses", fixed, allow, lacking=dsp),
    ]


def _finding(name: str, found: object, todo: str, *, lacking: str) -> Finding:
    if found is not None:
        return Finding(name=name, ok=True, required=False, found=str(found))
    missing = f"none; {lacking} cannot measure, everything else works"
    return Finding(name=name, ok=False, required=False, found=missing, todo=todo)
