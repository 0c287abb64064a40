"""Is it worth it to pre-train, or is the time better spent on tuning? What the samples in the store say.

Both ways are evaluated by how many times as fast schedules become as those that beam search finds with the initial
weights:

- tuning: from the histories of pipelines that were tuned on this machine, at the time that each pipeline would get;
- pre-training: from how much better weights choose among the schedules of held-out programs, after training on an
  eighth, a quarter, half and all of the programs. The regret that is left falls with the number of programs about as a
  power of it, which gives the regret after the programs that fit into the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import geometric_mean

import numpy as np
from numpy.typing import NDArray

from hltune.cost_model.adams2019.options import pretraining
from hltune.cost_model.adams2019.scorer import evaluate
from hltune.cost_model.adams2019.train import TrainingState, rescaled, train
from hltune.cost_model.adams2019.weights import Weights
from hltune.cost_model.dataset import Dataset
from hltune.pretraining.replay import MOST_HELD_OUT, MOST_LEARNED, Replay, chosen
from hltune.samples.reader import Reader
from hltune.samples.results import minutes_without_pauses
from hltune.values.machine_id import MachineId

LEAST_PROGRAMS = 40
LEAST_HELD_OUT = 8
LEAST_TUNED = 100
"""Samples of a pipeline, for its history to say something about tuning."""
_SHARES = (8, 4, 2, 1)
_STEPS = 1500
_MINUTES = (0.5, 1.0, 2.0, 4.0)
_REACHED, _BEGINNING = 0.9, 0.5
"""Share of some minutes after which a history says what they gain, but for so many at its beginning: runs measure late,
and end a little before their time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Advice, and what it is based on. All gains are relative to beam search with the initial weights.

    Attributes:
        tuned: names of pipelines whose histories say what tuning gains.
        tuning_curve: minutes, as far as histories reach, and gain.
        tuning_gain: gain after `minutes_each`, or at least: after the longest time below that; None if no history says.
        learning_curve: programs and regret@1 of held-out programs; the first one is of the initial weights.
        programs: programs that fit into the time, those in the store included.
        pretraining_gain: gain with these; None if there are too few programs to say.
    """

    pipelines: int
    hours: float
    minutes_each: float
    tuned: tuple[str, ...]
    tuning_curve: tuple[tuple[float, float], ...]
    tuning_gain: float | None
    learning_curve: tuple[tuple[int, float], ...]
    programs: int
    pretraining_gain: float | None

    @property
    def advice(self) -> str | None:
        """``pretrain`` or ``tune``; None if the store does not say."""
        if self.tuning_gain is None or self.pretraining_gain is None:
            return None
        return "pretrain" if self.pretraining_gain > self.tuning_gain else "tune"


def plan(
    reader: Reader, machine: MachineId, initial: Weights, *, pipelines: int, hours: float, seconds_per_program: float
) -> Plan:
    """Makes a plan from what the store has of this machine.

    There are `hours` for all pipelines together; `seconds_per_program` is what earlier batches took, or a guess.
    """
    minutes_each = 60 * hours / pipelines
    minutes = sorted({*_MINUTES, minutes_each})
    tuned = _gains(reader, machine, minutes)
    longest = max((length for _, length, _ in tuned), default=0.0)
    reached = [each for each in minutes if _REACHED * each - _BEGINNING <= longest]
    gains = {each: geometric_mean([gain[each] for _, _, gain in tuned]) for each in reached if tuned}
    replay = Replay(reader, machine)
    learned, held_out = replay.programs()
    programs = len(learned) + round(3600 * hours / seconds_per_program)
    curve: tuple[tuple[int, float], ...] = ()
    if len(learned) >= LEAST_PROGRAMS and len(held_out) >= LEAST_HELD_OUT:
        training = replay.read(chosen(learned, MOST_LEARNED, seed=0))
        testing = replay.read(chosen(held_out, MOST_HELD_OUT, seed=0))
        if len(training) >= LEAST_PROGRAMS and len(testing) >= LEAST_HELD_OUT:  # some may have failed altogether
            curve = _learning_curve(training, testing, initial)
    return Plan(
        pipelines=pipelines,
        hours=hours,
        minutes_each=minutes_each,
        tuned=tuple(name for name, _, _ in tuned),
        tuning_curve=tuple(gains.items()),
        tuning_gain=next((gain for each, gain in reversed(gains.items()) if each <= minutes_each), None),
        learning_curve=curve,
        programs=programs,
        pretraining_gain=_extrapolated_gain(curve, programs) if curve else None,
    )


def _gains(reader: Reader, machine: MachineId, minutes: Sequence[float]) -> list[tuple[str, float, dict[float, float]]]:
    """For each tuned pipeline its name, how many minutes long, and what that had gained over the first beam search.

    After more minutes than it was tuned for, what it had gained in the end: at least as much.
    """
    found: list[tuple[str, float, dict[float, float]]] = []
    random = {key for hashes in Replay(reader, machine).programs() for key in hashes}
    for key, name in reader.pipelines().items():
        if key in random or len(history := reader.history(key, machine.key)) < LEAST_TUNED:
            continue
        if (beam := reader.first_beam_cost(key, machine.key)) is None:
            continue
        table: NDArray[np.float64] = np.array(history)
        at_s, costs = table[:, 0], table[:, 1]
        after = minutes_without_pauses(at_s)
        places = np.searchsorted(after, minutes, side="right")
        gains = beam / np.minimum.accumulate(costs)[np.maximum(0, places - 1)]
        found.append((name, float(after[-1]), dict(zip(minutes, gains.tolist(), strict=True))))
    return found


def _learning_curve(learned: list[Dataset], held_out: list[Dataset], initial: Weights) -> tuple[tuple[int, float], ...]:
    curve = [(0, evaluate(initial, held_out).regret_at_1 or 1.0)]
    for share in _SHARES:
        part = learned[: len(learned) // share]
        start = TrainingState.start(rescaled(initial, part))
        state = train(start, part, pretraining(_STEPS), initial=initial, seed=0)
        curve.append((len(part), evaluate(state.average, held_out).regret_at_1 or 1.0))
    return tuple(curve)


def _extrapolated_gain(curve: Sequence[tuple[int, float]], programs: int) -> float:
    """The gain by a line through the logarithms of programs and of regret above 1; never better than no regret."""
    counts, regrets = np.array([count for count, _ in curve[1:]]), np.array([regret for _, regret in curve[1:]])
    x, y = np.log(counts), np.log(np.maximum(regrets - 1, 1e-3))
    # A curve that does not fall says nothing about more programs than there are.
    slope = min(0.0, float(np.cov(x, y, bias=True)[0, 1] / np.var(x)))
    offset = float(y.mean() - slope * x.mean())
    return curve[0][1] / (1 + math.exp(offset + slope * math.log(programs)))
