"""Which pipeline gets the next round, when several share the time."""

from dataclasses import dataclass, field

_WINDOW = 3
_LEAST = 0.005
"""Weight of a pipeline that does not improve: it still gets a round now and then."""
_FIRST = 1.0
"""Weight until the window is full: every pipeline begins with a few rounds."""


@dataclass(slots=True)
class _Account:
    gains: list[float] = field(default_factory=list[float])
    credit: float = 0.0

    @property
    def weight(self) -> float:
        if len(self.gains) < _WINDOW:
            return _FIRST
        return _LEAST + sum(self.gains[-_WINDOW:]) / _WINDOW


class Shares:
    """Smooth weighted round robin: a pipeline's weight is what it gained in its last three rounds.

    Rounds take about the same time. Gains are relative, so that fast and slow pipelines count alike.
    """

    def __init__(self, names: list[str]) -> None:
        self._accounts = {name: _Account() for name in names}

    def __len__(self) -> int:
        return len(self._accounts)

    def __contains__(self, name: str) -> bool:
        return name in self._accounts

    def next(self) -> str | None:
        """The pipeline whose turn it is; None if all have left."""
        if not self._accounts:
            return None
        total = sum(account.weight for account in self._accounts.values())
        for account in self._accounts.values():
            account.credit += account.weight / total
        name = max(self._accounts, key=lambda name: self._accounts[name].credit)
        self._accounts[name].credit -= 1
        return name

    def gained(self, name: str, before: float | None, after: float | None) -> None:
        """Notes what a round did to the least cost of a pipeline."""
        gain = max(0.0, 1 - after / before) if before and after else 0.0
        self._accounts[name].gains.append(gain)

    def leave(self, name: str) -> None:
        """No more rounds for this one."""
        del self._accounts[name]
