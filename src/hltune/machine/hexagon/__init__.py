"""The Hexagon DSP, emulated by QEMU: the wheel compiles, a harness of ours runs and counts."""
