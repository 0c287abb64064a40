"""Sessions of the machines that are here, and the pipelines to measure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hltune.machine.hexagon.toolchain import addresses_can_be_fixed, find_emulator
from hltune.machine.inputs import Inputs
from hltune.machine.open import open_machine
from hltune.machine.options import MeasureOptions
from hltune.machine.protocol import Machine, Session
from hltune.machine.reference import References
from hltune.machine.task import NumPyReference
from hltune.pipeline.source import Source
from hltune.pipeline.target import TargetInfo
from hltune.runtime.c_compilers import find_zig
from hltune.runtime.worker import parent
from hltune.schedule.parse import parse_schedule
from hltune.values.directives import Schedule
from hltune.values.pipeline import PipelineSpec
from tests.cache import CACHE
from tests.loading import Unchecked, fresh

MODULE = "tests.machine.pipelines"
OPTIONS = MeasureOptions(threads=2, turns=2, turn_s=0.005, least_run_timeout_s=20.0, least_compile_timeout_s=60.0)
"""Short, and patient: a busy machine makes what takes a moment take a second."""
FAST = "blurred.split(y, y, yi, 16).vectorize(x, 16).parallel(y); rows.compute_at(blurred, y).vectorize(x, 16);"

MISSING = [name for name, found in (("ziglang", find_zig()), ("qemu-hexagon", find_emulator())) if found is None]
needs_hexagon = pytest.mark.skipif(
    bool(MISSING) or not addresses_can_be_fixed(),
    reason=f"missing: {', '.join(MISSING) or 'setarch -R'}; `hltune doctor` says how to install it",
)


def load(entry: str, target: TargetInfo, module: str = MODULE) -> PipelineSpec:
    source = Source(kind="module", location=module, entry=entry)
    return fresh(Unchecked(source=source, target=target.name, cache=CACHE))


def reference(name: str) -> NumPyReference:
    return NumPyReference(module=MODULE, function=name)


def fast(spec: PipelineSpec) -> Schedule:
    return parse_schedule(FAST, spec.funcs)


Opened = Callable[..., AbstractContextManager[Session]]


@contextlib.contextmanager
def sharing() -> Iterator[Opened]:
    """Opens sessions, those with the same options on the same machine, whose processes start once."""
    machines: dict[tuple[TargetInfo, MeasureOptions, int], Machine] = {}
    with contextlib.ExitStack() as stack:

        def opened(
            spec: PipelineSpec,
            target: TargetInfo,
            *,
            options: MeasureOptions = OPTIONS,
            inputs: Inputs = Inputs(),  # noqa: B008 - frozen
            workers: int = 1,
            numpy_reference: NumPyReference | None = None,
            memory: Path | None = None,
        ) -> AbstractContextManager[Session]:
            key = target, options, workers
            if key not in machines:
                machines[key] = stack.enter_context(open_machine(target, options, workers=workers))
            return machines[key].session(spec, inputs, References(numpy=numpy_reference, memory=memory))

        yield opened


@contextlib.contextmanager
def opened(spec: PipelineSpec, target: TargetInfo, **given: Any) -> Iterator[Session]:
    """A session on a machine of its own."""
    with sharing() as open_here, open_here(spec, target, **given) as session:
        yield session


_NO_BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


@contextlib.contextmanager
def compiled_modules() -> Iterator[None]:
    """Reproducible processes start sooner here, for they find what Python compiled before; memory may lie otherwise."""
    bare = parent._bare_environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            parent,
            "_bare_environment",
            lambda: {name: value for name, value in bare().items() if name not in _NO_BYTECODE},
        )
        yield


def strips(spec: PipelineSpec, count: int) -> list[tuple[str, Schedule]]:
    """Different schedules of the blur that all work."""
    return [
        (str(rows), parse_schedule(f"blurred.split(y, y, yi, {rows}).vectorize(x, 16).parallel(y);", spec.funcs))
        for rows in range(2, 2 + count)
    ]
