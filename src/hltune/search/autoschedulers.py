"""The autoschedulers: which there are, and their parameters, each checked before the plugin sees it.

An unknown key or an unparsable value aborts the process that the plugin runs in, so nothing passes unchecked.

Source: Halide 21, ``src/autoschedulers/{adams2019,mullapudi2016,li2018}``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from hltune.values.errors import out_of_range
from hltune.values.provenance import Searched

_INT32_MAX = 2**31 - 1
BUILTIN = Path("builtin")
"""Stands for the weights that are built into the plugin, where others are the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What all have in common; as it stands, for one that knows no weights and reads no environment.

    Attributes:
        parallelism: cores that the schedule has to keep busy.
    """

    autoscheduler: ClassVar[str]
    own: ClassVar[Mapping[str, str]] = {}
    """The command line's flags for what no other autoscheduler has, by attribute."""
    parallelism: int

    def __post_init__(self) -> None:
        _check("--max-parallelism", self.parallelism, 1)

    @property
    def flags(self) -> tuple[str, ...]:
        """Those flags of its own whose values are not the defaults."""
        defaults = {each.name: each.default for each in fields(self)}
        return tuple(flag for name, flag in self.own.items() if getattr(self, name) != defaults[name])

    def parameters(self) -> dict[str, str]:
        """As the plugin takes them."""
        return {"parallelism": str(self.parallelism)}

    def environment(self) -> Mapping[str, str]:
        """What the plugin reads from the environment; an empty string is as good as unset."""
        return {}

    def provenance(self) -> Searched:
        """Where schedules of this search come from; reads the weights, if there are any, to identify them."""
        return Searched(autoscheduler=self.autoscheduler, parameters=tuple(self.parameters().items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adams2019Options(_Options):
    """Tree search with a learned cost model.

    Attributes:
        beam_size: states kept per step; 1 is greedy.
        num_passes: passes from coarse to fine; without it 5, or 1 when the beam is 1.
        weights: a ``.weights`` file that was checked; without it the built-in ones. What people ask for may also be
            `BUILTIN`, or None for the default ones, see `hltune.workspace.default_weights`.
        memory_limit_bytes: schedules that allocate more are not considered.
        random_dropout: percent chance that no state is ever dropped.
        seed: seed of the dropout.
    """

    autoscheduler: ClassVar[str] = "Adams2019"
    own: ClassVar[Mapping[str, str]] = {
        "beam_size": "--beam-size",
        "num_passes": "--num-passes",
        "weights": "--weights",
        "memory_limit_bytes": "--memory-limit",
        "random_dropout": "--random-dropout",
    }
    beam_size: int = 32
    num_passes: int | None = None
    weights: Path | None = None
    memory_limit_bytes: int | None = None
    random_dropout: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        _Options.__post_init__(self)
        _check("--beam-size", self.beam_size, 1)
        _check("--seed", self.seed, 0)
        _check("--random-dropout", self.random_dropout, 1, 100)
        _check("--num-passes", self.num_passes, 1)
        _check("--memory-limit", self.memory_limit_bytes, 1, 2**63 - 1)

    def parameters(self) -> dict[str, str]:
        """As the plugin takes them."""
        parameters = {
            "parallelism": str(self.parallelism),
            "beam_size": str(self.beam_size),
            "random_dropout": str(self.random_dropout),
            "random_dropout_seed": str(self.seed),
        }
        if self.weights is not None:
            parameters["weights_path"] = str(self.weights)
        if self.memory_limit_bytes is not None:
            parameters["memory_limit"] = str(self.memory_limit_bytes)
        return parameters

    def environment(self) -> Mapping[str, str]:
        """The number of passes."""
        return {"HL_NUM_PASSES": str(self.num_passes or "")}

    def provenance(self) -> Searched:
        """See the base class."""
        parameters = {name: value for name, value in self.parameters().items() if name != "weights_path"}
        if self.num_passes is not None:
            parameters["num_passes"] = str(self.num_passes)
        weights = None if self.weights is None else hashlib.sha256(self.weights.read_bytes()).hexdigest()
        return Searched(autoscheduler=self.autoscheduler, weights=weights, parameters=tuple(parameters.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mullapudi2016Options(_Options):
    """Greedy grouping with an analytic cost of arithmetic and loads.

    Attributes:
        last_level_cache_bytes: size that tiles have to fit.
        balance: cost of a load from that cache relative to arithmetic.
    """

    autoscheduler: ClassVar[str] = "Mullapudi2016"
    own: ClassVar[Mapping[str, str]] = {"last_level_cache_bytes": "--last-level-cache", "balance": "--balance"}
    last_level_cache_bytes: int = 16 * 2**20
    balance: float = 40.0

    def __post_init__(self) -> None:
        _Options.__post_init__(self)
        _check("--last-level-cache", self.last_level_cache_bytes, 1, 2**63 - 1)
        if not 0 < self.balance < float("inf"):
            raise out_of_range("--balance", "a number above 0", self.balance)

    def parameters(self) -> dict[str, str]:
        """As the plugin takes them."""
        return {
            "parallelism": str(self.parallelism),
            "last_level_cache_size": str(self.last_level_cache_bytes),
            "balance": str(self.balance),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Li2018Options(_Options):
    """Everything at root, tiled, parallel and vectorised."""

    autoscheduler: ClassVar[str] = "Li2018"


SearchOptions = Adams2019Options | Mullapudi2016Options | Li2018Options

AUTOSCHEDULERS: dict[str, type[SearchOptions]] = {
    kind.autoscheduler.lower(): kind for kind in (Adams2019Options, Mullapudi2016Options, Li2018Options)
}
"""All of them, by the name that people use."""

BASELINE = "adams2019"
"""Name of what the tree search finds with its built-in weights."""


def _check(option: str, value: int | None, least: int, most: int = _INT32_MAX) -> None:
    if value is not None and not least <= value <= most:
        expected = f"{least} or more" if most >= _INT32_MAX and value < least else f"{least} to {most}"
        raise out_of_range(option, expected, value)
