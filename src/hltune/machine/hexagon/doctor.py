"""What the emulated DSP needs, and whether it is there."""

from hltune.machine.hexagon.toolchain import (
    INSTALL_COMPILER,
    INSTALL_EMULATOR,
    INSTALL_PLUGIN_EMULATOR,
    addresses_can_be_fixed,
    find_emulator,
    find_plugin_compiler,
    find_plugin_emulator,
    find_zig,
)
from hltune.machine.protocol import Finding


def findings() -> list[Finding]:
    """Looks for its tools."""
    return [
        _finding("Hexagon compiler", find_zig(), INSTALL_COMPILER),
        _finding("Hexagon emulator", find_emulator(), INSTALL_EMULATOR),
        _finding("Hexagon cache model", _cache_model(), INSTALL_PLUGIN_EMULATOR, lacking="--objective packets+misses"),
        _finding(
            "Hexagon: fixed addresses",
            "setarch -R works" if addresses_can_be_fixed() else None,
            "in a container: docker run --security-opt seccomp=unconfined",
        ),
    ]


def _cache_model() -> str | None:
    emulator, compiler = find_plugin_emulator(), find_plugin_compiler()
    return f"{emulator}, {compiler}" if emulator and compiler else None


def _finding(name: str, found: object, todo: str, *, lacking: str = "--target hexagon") -> Finding:
    return Finding(
        name=name,
        ok=found is not None,
        required=False,
        found=f"none; {lacking} cannot measure, everything else works" if found is None else str(found),
        todo=todo if found is None else None,
    )
