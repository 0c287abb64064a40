"""What the processor of this computer is called."""

import contextlib
import platform
from pathlib import Path


def cpu_model() -> str:
    """The model, as the kernel tells it; else the processor's family."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return described(text) + server(text) or platform.processor() or platform.machine()


def server(cpuinfo: str, identity: Path = Path("/sys/class/dmi/id")) -> str:
    """What the firmware calls the whole, where cores have nothing but numbers, which several makers' servers share.

    The runner of bundles says it as the board of a device (`describe_board`).
    """
    if "CPU part" not in cpuinfo or any(name in cpuinfo for name in ("model name", "Hardware")):
        return ""
    found: list[str] = []
    for name in ("sys_vendor", "product_name"):
        with contextlib.suppress(OSError):
            found.append((identity / name).read_text().strip())
    return "".join(f", {each}" for each in [" ".join(found)] if each)


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
