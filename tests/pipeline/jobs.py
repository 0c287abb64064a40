"""What a loaded pipeline does: jobs that compile and schedule it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hltune.runtime.halide_wheel import plugin_path
from hltune.runtime.worker import Process
from hltune.values.pipeline import BufferArgument, PipelineSpec, ScalarArgument


@dataclass(frozen=True)
class Behaviour:
    outputs: tuple[bytes, ...]
    schedule_source: str


@dataclass(frozen=True)
class Observe:
    """Runs the pipeline on random input, and lets Adams2019 schedule it."""

    spec: PipelineSpec

    def run(self, process: Process) -> Behaviour:
        import halide as hl

        from hltune.pipeline.build import build

        process.enter("observe", timeout_s=60)
        hl.load_plugin(str(plugin_path("Adams2019")))
        parameters = hl.AutoschedulerParams("Adams2019", {"parallelism": "2", "beam_size": "4"})
        result = build(self.spec).pipeline.apply_autoscheduler(hl.Target("host"), parameters)
        return Behaviour(outputs=self._run(), schedule_source=result.schedule_source)

    def _run(self) -> tuple[bytes, ...]:
        import halide as hl

        from hltune.pipeline.build import build

        built = build(self.spec)
        function = built.pipeline.compile_to_callable(built.arguments, hl.Target("host"))
        rng = np.random.default_rng(1)
        inputs = {argument.name: _random(argument, rng) for argument in sorted(self.spec.inputs, key=lambda a: a.name)}
        outputs = [
            np.zeros([extent for _, extent in reversed(output.estimate)], dtype)
            for output in self.spec.outputs
            for dtype in output.dtypes
        ]
        function(
            *(_argument(inputs[argument.name]) for argument in self.spec.inputs),
            *(hl.Buffer(array) for array in outputs),
        )
        return tuple(array.tobytes() for array in outputs)


def _random(argument: BufferArgument | ScalarArgument, rng: np.random.Generator) -> object:
    if isinstance(argument, ScalarArgument):
        return argument.estimate
    if argument.name == "unused":  # not drawn from the generator: some sources do not declare it
        return np.zeros(argument.estimate[0][1], argument.dtype)
    return rng.integers(0, 200, [extent for _, extent in reversed(argument.estimate)], argument.dtype)


def _argument(value: object) -> object:
    import halide as hl

    return hl.Buffer(value) if isinstance(value, np.ndarray) else value
