"""Drafts that are made on purpose, and not at random: each kind is a stream of its own, and has a share of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from hltune.search.gains import GAIN
from hltune.search.remedied import MOVE, REMEDY
from hltune.search.sizes import EVERYWHERE
from hltune.tuning.operators import Successes
from hltune.values.candidate import Candidate

Stream = Iterator[tuple[str, Candidate]]
"""New schedules with their hashes, each made when it is asked for."""
NEAR = "near"
"""What streams call those that differ from the best schedule by one factor."""
_SHARES = {GAIN: 0.2, NEAR: 0.15, EVERYWHERE: 0.05, REMEDY: 0.15, MOVE: 0.1}
"""Of the drafts, as long as there are any of a kind: the best schedule with changes that have made others faster; with
another factor; with one number changed wherever it stands; what addresses a fault of one of the best; and what computes
a Func of one of these in other loops."""


def some_of_each(
    streams: Mapping[str, Stream],
    count: int,
    *,
    allowed: Callable[[str, Candidate], bool],
    end_s: float,
    successes: Successes,
) -> dict[str, Candidate]:
    """What comes of streams, by their kinds, until a time of the monotonic clock, each for its share of so many drafts.

    What would come later stays for those who ask again. Kinds that succeed seldom have a smaller share.
    """
    found: dict[str, Candidate] = {}
    for kind, stream in streams.items():
        new = ((key, each) for key, each in _until(end_s, stream) if key not in found and allowed(key, each))
        found |= islice(new, round(_SHARES[kind] * successes.favour(kind) * count))
    return found


def _until(end_s: float, stream: Stream) -> Stream:
    while time.monotonic() < end_s and (found := next(stream, None)) is not None:
        yield found
