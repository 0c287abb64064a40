"""What the processor of this computer is called."""

import platform
from pathlib import Path


def cpu_model() -> str:
    """The model, as the kernel tells it; else the processor's family."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return described(text) or platform.processor() or platform.machine()


def described(cpuinfo: str) -> str:
    """Model, hardware, and the kinds of ARM cores, which have numbers instead of names: implementer/part, each once.

    The runner of bundles says the same of a device (`describe_cpu` in `bundle/runner/results.c`).
    """
    lines = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in cpuinfo.splitlines())]
    named = dict(reversed(lines))  # of each the first one
    parts: list[str] = []
    implementer = ""
    for name, value in lines:
        if name == "CPU implementer":
            implementer = value
        elif name == "CPU part" and f"{implementer}/{value}" not in parts:
            parts.append(f"{implementer}/{value}")
    said = (named.get("model name"), named.get("Hardware"), " ".join(parts))
    return ", ".join(each for each in said if each)
