"""What is tried for the sake of one schedule: rungs, from what takes no time to what takes long.

A ladder begins with the searches that are over at once and ends with the beam search that was asked for::

    mullapudi2016   greedy   random probes of three kinds   beam 4x1   beam 8x2   beam 16x3   beam 32x5

Where others were given, each beam search comes with Halide's own weights as well. What a beam search ends with is a
matter of chance, too, and nobody should get less from better weights than from those that came with Halide.
`hltune.search.climb` runs them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from hltune.search.autoschedulers import (
    AUTOSCHEDULERS,
    BASELINE,
    Adams2019Options,
    Li2018Options,
    Mullapudi2016Options,
    SearchOptions,
)
from hltune.search.probes import probes

_BEAMS = ((4, 1), (8, 2), (16, 3))
"""Beam sizes and passes between greedy search and the last rung."""
_WORTH_IT = 1.5
"""The next rung asks for at least so many times the effort."""
_PASSES = 5
"""Of a beam search that is not told how many."""
_PROBES = 8
"""Of each kind."""
_HALIDES = "Halide's weights"
_FINER = 4
"""Tasks for each core, of probes that ask for more parallelism than there are cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Searches that one process runs in turn; the one of least predicted cost is what the rung found.

    Attributes:
        finder: whose schedule it is: adams2019, mullapudi2016, ...
        label: what people call it.
        effort: in greedy searches; 0 for what is begun whatever it takes.
    """

    finder: str
    label: str
    searches: tuple[SearchOptions, ...]
    effort: float = 0.0

    @property
    def title(self) -> str:
        """The name that what it found has on record, and what it is: ``ranked (mutant 3)``."""
        return titled(self.finder, self.label)

    @property
    def has_weights(self) -> bool:
        """Its cost model is another one than Halide's."""
        return any(isinstance(each, Adams2019Options) and each.weights is not None for each in self.searches)

    @property
    def probing(self) -> bool:
        """It tells little about how long other tree searches take."""
        return len(self.searches) > 1


def titled(finder: str, label: str) -> str:
    """See `Rung.title`."""
    return finder if label == finder else f"{finder} ({label})"


def passes(search: Adams2019Options) -> int:
    """Passes of a tree search."""
    return search.num_passes or (1 if search.beam_size == 1 else _PASSES)


def effort(search: SearchOptions) -> float:
    """How much a search does, in greedy searches; 0 for one without a tree."""
    return float(search.beam_size * passes(search)) if isinstance(search, Adams2019Options) else 0.0


def single(search: SearchOptions, finder: str | None = None) -> Rung:
    """A rung of one search."""
    name = search.autoscheduler.lower()
    return Rung(finder=finder or name, label=_label(search), searches=(search,), effort=effort(search))


def beams(last: Adams2019Options, finder: str = BASELINE) -> tuple[Rung, ...]:
    """Greedy search, and beams that grow up to the last one."""
    sizes = [(1, 1), *_BEAMS]
    smaller = [replace(last, beam_size=size, num_passes=count) for size, count in sizes if size < last.beam_size]
    kept = [each for each in smaller if effort(each) * _WORTH_IT <= effort(last)]
    return tuple(single(each, finder) for each in (*kept, last))


def ladder(last: SearchOptions, quick: Mullapudi2016Options) -> tuple[Rung, ...]:
    """What is tried for the sake of one schedule.

    A search without a tree, and a random probe that was asked for, stand alone. Only Adams2019 keeps to a limit of
    memory.

    Args:
        quick: the search that is over at once, where there is one.
    """
    if not isinstance(last, Adams2019Options) or last.random_dropout < 100:
        return (single(last),)
    greedy, *others = beams(last)
    between = tuple(_probing(last)) if others and effort(last) > _PROBES else ()
    first = () if last.memory_limit_bytes is not None else (single(quick),)
    if last.weights is not None and between:
        by_halides = [
            replace(each, label=f"{each.label}, {_HALIDES}") for each in beams(replace(last, weights=None))[1:]
        ]
        others = [*chain.from_iterable(zip(others, by_halides, strict=True))]
    return (*first, greedy, *between, *others)


def _probing(last: Adams2019Options) -> Iterator[Rung]:
    """What probes find differs most where the weights do, or the tasks."""
    finer = replace(last, parallelism=_FINER * last.parallelism)
    kinds = {"probes": last, f"probes, {_HALIDES}": replace(last, weights=None), "probes of finer tasks": finer}
    if last.weights is None:
        del kinds[f"probes, {_HALIDES}"]
    for number, (label, base) in enumerate(kinds.items()):
        stream = probes(base, (base.weights,), round_number=number, each=_PROBES)
        searches = [each for each in stream if each.random_dropout < 100]  # greedy search finds the same each time
        if base != last:
            searches.insert(0, replace(base, beam_size=1, num_passes=1))
        yield Rung(finder=BASELINE, label=label, searches=tuple(searches), effort=float(len(searches)))


def robust(quick: Mullapudi2016Options) -> tuple[Rung, ...]:
    """What is left to try where a ladder found nothing."""
    return single(quick), single(Li2018Options(parallelism=quick.parallelism))


def baselines(adams2019: Adams2019Options, others: Sequence[Rung] = ()) -> tuple[Rung, ...]:
    """What Halide brings to a comparison: its other autoschedulers, and beams with the built-in weights.

    More rungs may be given; all come in the order of their effort.
    """
    simple = [
        single(kind(parallelism=adams2019.parallelism))
        for kind in AUTOSCHEDULERS.values()
        if kind is not Adams2019Options
    ]
    climbing = [*beams(replace(adams2019, weights=None)), *others]
    return (*simple, *sorted(climbing, key=lambda rung: rung.effort))


def _label(search: SearchOptions) -> str:
    if not isinstance(search, Adams2019Options):
        return search.autoscheduler.lower()
    if search.random_dropout < 100:
        return "probe"
    if search.beam_size == 1:
        return "greedy"
    count = passes(search)
    return f"beam {search.beam_size}, {count} {'pass' if count == 1 else 'passes'}"
