"""What workers do for a bundle: object code of candidates, Halide's runtime, and the memory of inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hltune.machine.inputs import Inputs, input_arrays
from hltune.machine.task import COMPILE, attempted
from hltune.pipeline.layout import layout_of
from hltune.pipeline.target import running_target
from hltune.runtime.worker import Process
from hltune.values.directives import Schedule
from hltune.values.errors import Failure
from hltune.values.pipeline import BufferArgument, PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectJob:
    """Compiles a schedule ahead of time, without Halide's runtime.

    Attributes:
        target: a full Halide target string.
        path: absolute.
    """

    spec: PipelineSpec
    schedule: Schedule
    target: str
    function: str
    path: Path
    timeout_s: float

    def run(self, process: Process) -> Failure | None:
        """Runs in a worker; returns why that is impossible, if it is."""
        import halide as hl  # the parent handles jobs without it

        from hltune.schedule.apply import scheduled

        def compile_it() -> None:
            built, _ = scheduled(self.spec, self.schedule)
            target = hl.Target(running_target(self.target)).with_feature(hl.TargetFeature.NoRuntime)
            outputs = {hl.OutputFileType.object: str(self.path)}
            built.pipeline.compile_to(outputs, built.arguments, self.function, target)

        process.enter(COMPILE, timeout_s=self.timeout_s, one_thread=True)
        return attempted(process, compile_it)


@dataclass(frozen=True, slots=True)
class RuntimeJob:
    """Compiles what all candidates share: Halide's runtime for a target."""

    target: str
    path: Path

    def run(self, process: Process) -> None:
        """Runs in a worker."""
        import halide as hl

        process.enter("compile the runtime", timeout_s=120)
        hl.compile_standalone_runtime(str(self.path), hl.Target(self.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesJob:
    """Writes the memory of those inputs that the runner does not make itself, as it reads it.

    Attributes:
        suffix: of files' names.
    """

    spec: PipelineSpec
    inputs: Inputs
    directory: Path
    suffix: str

    def run(self, process: Process) -> dict[str, str]:
        """Runs in a worker; returns names of files by names of inputs."""
        values = input_arrays(process, self.spec, self.inputs)
        given, files = self.inputs.assign(self.spec), dict[str, str]()
        for number, (argument, value) in enumerate(zip(self.spec.inputs, values, strict=True)):
            if isinstance(argument, BufferArgument) and (argument.name in given or self.inputs.smooth):
                files[argument.name] = f"input{number}{self.suffix}.bin"
                memory = layout_of(argument, argument.dtype).filled(value)
                Path(self.directory, files[argument.name]).write_bytes(memory)
        return files
