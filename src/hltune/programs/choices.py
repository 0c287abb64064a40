"""Random choices that are the same in every process and every version of Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A source of random choices.

    Of Python's generators only `random()` is promised to give the same numbers in all versions, so all the rest is
    made of it.

    Args:
        seed: 0 or more; different seeds give independent choices.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + int(self._random.random() * (most - least + 1))

    def choice(self, items: Sequence[T]) -> T:
        """One of the items; repeat an item to make it more likely."""
        return items[self.between(0, len(items) - 1)]

    def weighted(self, items: Sequence[tuple[float, T]]) -> T:
        """One of the items, each with a weight above 0."""
        left = self._random.random() * sum(weight for weight, _ in items)
        for weight, item in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][1]

    def recent(self, items: Sequence[T]) -> T:
        """One of the items; each is twice as likely as the one before it."""
        index = len(items) - 1
        while index > 0 and self.chance(0.5):
            index -= 1
        return items[index]

    def mask(self, taps: int, *, largest: int = 4) -> list[int]:
        """Coefficients of a stencil: whole numbers, none of them 0, most of them positive."""
        return [self.between(1, largest) * (-1 if self.chance(0.2) else 1) for _ in range(taps)]
