"""Other kinds of machines, which measure the same programs for themselves while the machine of the run does."""

import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing

from hltune.machine.protocol import Machine, Session
from hltune.pretraining.trials import RejectedError, Trial, Trials
from hltune.runtime.progress import Progress
from hltune.values.cost import Measurement
from hltune.values.errors import HltuneError
from hltune.values.machine_id import MachineId

_PATIENCE = 1.0
"""How long they are waited for in the end, by the time that the machine of the run has measured."""


class Others:
    """Machines that measure beside that of the run. Used by one thread.

    Each finds schedules for itself, so that its samples are those of a run of its own. What there was no time for is
    left to such a run.

    Args:
        machines: those that are there at present.
        trials: makes the trials of one of them; called once for each.
    """

    def __init__(self, machines: Callable[[], Sequence[Machine]], trials: Callable[[Machine], Trials]) -> None:
        self._machines = machines
        self._make = trials
        self._trials: dict[MachineId, Trials] = {}
        self._end_s = math.inf
        self.measured: Counter[MachineId] = Counter()
        """Schedules that each has measured."""

    def beside(
        self,
        measuring: Generator[Measurement | None],
        begin: Callable[[Trials], AbstractContextManager[Trial]],
        progress: Progress,
    ) -> list[Measurement]:
        """What the machine of the run measures, while the others measure the same program.

        Args:
            measuring: see `Trial.measure`.
            begin: begins with the program on any machine.
        """
        began_s, self._end_s = time.monotonic(), math.inf
        found: list[Measurement] = []
        with ExitStack() as stack:
            stack.enter_context(closing(measuring))
            others = [_Other(each, self._measure(each, begin)) for each in self._machines()]
            for other in others:
                stack.enter_context(closing(other.steps))
            for each in measuring:
                if each is not None:
                    found.append(each)
                others = [other for other in others if self._goes_on(other, progress, wait=False)]
            now_s = time.monotonic()
            self._end_s = now_s + _PATIENCE * (now_s - began_s)
            while others:
                others = [other for other in others if self._goes_on(other, progress, wait=True)]
        return found

    def _goes_on(self, other: "_Other", progress: Progress, *, wait: bool) -> bool:
        try:
            return other.go_on(wait=wait)
        except RejectedError:  # nothing to measure there
            return False
        except HltuneError as error:  # the run does not depend on it
            progress.note(f"{other.machine.identity.cpu} measures no more of this program for itself. {error}")
            return False

    def _measure(
        self, machine: Machine, begin: Callable[[Trials], AbstractContextManager[Trial]]
    ) -> Generator[Session]:
        """Yields the session whenever something was measured."""
        with begin(self._trials_on(machine)) as trial, closing(trial.measure()) as measuring:
            for each in measuring:
                self.measured[machine.identity] += each is not None
                yield trial.session
                if time.monotonic() >= self._end_s:
                    return

    def _trials_on(self, machine: Machine) -> Trials:
        if machine.identity not in self._trials:
            self._trials[machine.identity] = self._make(machine)
        return self._trials[machine.identity]


class _Other:
    """What one of them is measuring."""

    def __init__(self, machine: Machine, steps: Generator[Session]) -> None:
        self.machine = machine
        self.steps = steps
        self._session: Session | None = None

    def go_on(self, *, wait: bool) -> bool:
        """Goes on as far as that takes no time, or else by one measurement; False if there is nothing more."""
        while wait or self._session is None or self._session.has_news():
            self._session = next(self.steps, None)
            if self._session is None:
                return False
            if wait:
                break
        return True
