"""One batch: a random program and its trials, see `hltune.pretraining.trials`.

Which programs and schedules come depends on the seed, the number of the batch and the weights alone, not on running
times, so that a batch that was cut off is completed by the same schedules.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from hltune.cost_model.adams2019.weights import Weights
from hltune.pretraining.others import Others
from hltune.pretraining.trials import RejectedError, Trial, Trials
from hltune.programs.program import ProgramJob
from hltune.runtime.progress import Progress
from hltune.runtime.worker import Worker
from hltune.values.errors import Failure, HltuneError, JobFailed
from hltune.values.pipeline import PipelineSpec

ATTEMPTS = 32
"""Programs of a batch; all but the first replace a rejected one."""
_PROGRAMS_PER_SEED = 10**8
_LEAST_FUNCS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What became of a batch, counted from 0.

    Attributes:
        name: name of the program.
        measured: schedules in this run, failed ones included.
        failures: of those that were measured, the first time.
        rejected: why each program before this one was not used.
        seconds: wall time.
        search_s: how much of it went into making programs and searching.
    """

    number: int
    name: str
    measured: int
    failures: tuple[Failure, ...]
    rejected: tuple[str, ...]
    seconds: float
    search_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """Makes and measures batches. Used by one thread.

    Attributes:
        trials: on the machine that weights are trained for.
        others: other kinds of machines.
        maker: process that makes one program and is replaced then.
    """

    trials: Trials
    others: Others
    maker: Worker

    def run(self, number: int, own: Weights, progress: Progress) -> Batch:
        """Measures the batch with this number, counted from 0, or what is missing of it.

        Searches also use `own`, the weights that are being trained. Raises HltuneError if no program is usable.
        """
        began_s = time.monotonic()
        rejected: list[str] = []
        last: BaseException | None = None
        options = self.trials.options
        for attempt in range(ATTEMPTS):
            seed = options.search.seed * _PROGRAMS_PER_SEED + number * ATTEMPTS + attempt
            progress.phase(f"batch {number + 1} of {options.batches}: program {seed}")
            try:
                spec = self._program(seed)
                begin = self._beginning(spec, number, own, progress)
                with begin(self.trials) as trial:
                    measuring_s = time.monotonic()
                    measurements = self.others.beside(trial.measure(), begin, progress)
            except RejectedError as rejection:
                rejected.append(str(rejection))
                last = rejection.__cause__ or rejection
                continue
            return Batch(
                number=number,
                name=spec.name,
                measured=len(measurements),
                failures=tuple(each for each in measurements if isinstance(each, Failure)),
                rejected=tuple(rejected),
                seconds=time.monotonic() - began_s,
                search_s=measuring_s - began_s,
            )
        raise HltuneError(
            "no random program is usable",
            where=f"batch {number + 1}",
            expected=f"1 of {ATTEMPTS}",
            found=", ".join(sorted(set(rejected))) + f"; the last one: {last}",
            todo="see whether memory or disk are full, and give the same command again, which goes on from here. Only "
            "if it is the programs: another --seed with --fresh, which keeps all samples, but no weights",
        )

    def _beginning(
        self, spec: PipelineSpec, number: int, own: Weights, progress: Progress
    ) -> Callable[[Trials], AbstractContextManager[Trial]]:
        """Begins with a program on whatever machine."""
        wanted = self.trials.options.schedules
        return lambda trials: trials.begin(spec, number, own, progress, wanted=wanted)

    def _program(self, seed: int) -> PipelineSpec:
        try:
            spec = self.maker.run(ProgramJob(seed=seed)).spec
        except JobFailed as failed:
            if failed.failure.kind == "memory":  # programs are small
                raise
            raise RejectedError("not a program") from failed
        if len(spec.funcs) < _LEAST_FUNCS:
            raise RejectedError("trivial")
        # Floats never turn into integers, so that a program has them outside if it has them at all.
        dtypes = [*(each.dtype for each in spec.inputs), *(dtype for each in spec.outputs for dtype in each.dtypes)]
        if not self.trials.target.float_vectors and any(dtype.startswith("float") for dtype in dtypes):
            raise RejectedError("floats, which the target has no vectors of")
        return spec
