"""Kinds of computers in a cluster: the one that a user names, and which of them a run measures on."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hltune import __version__
from hltune.cluster.node import About
from hltune.machine.open import this_computer
from hltune.runtime.halide_wheel import halide_version
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId


@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """A computer of a cluster, as it describes itself.

    Attributes:
        name: what people call it.
        kind: with all its cores, for all that its processor can do; equal for computers of one kind.
        hltune: version of hltune.
    """

    name: str
    kind: MachineId
    hltune: str


def describe() -> Computer:
    """This computer; each one of a cluster is asked for it."""
    return Computer(name=platform.node(), kind=this_computer(), hltune=__version__)


def named(text: str, computers: Sequence[Computer]) -> MachineId:
    """The kind that a user names: by its whole name, a part of it, in capitals or not, or the start of its key.

    Raises:
        InputError: none or several are called so, or that kind has other versions than this computer.
    """
    here = (halide_version(), __version__)
    usable = [each for each in computers if _versions(each) == here]
    found = _called(text, usable)
    if len(found) == 1:
        return found[0]
    if not found and (others := [each for each in computers if _called(text, [each])]):
        raise InputError(
            "these computers have other versions",
            where=f"--machine {text}",
            expected="Halide {} and hltune {}, as here".format(*here),
            found="; ".join(dict.fromkeys("Halide {} and hltune {}".format(*_versions(each)) for each in others)),
            todo="install the same on all computers",
        )
    raise InputError(
        "several kinds of computers are called so" if found else "no computer of the cluster is called so",
        where="--machine",
        expected="a part of one of these names, or the start of a key: " + _list(found or None, usable),
        found=repr(text),
        todo="`hltune cluster status` shows the computers of a cluster",
    )


def _versions(computer: Computer) -> tuple[str, str]:
    return computer.kind.halide, computer.hltune


def _called(text: str, computers: Sequence[Computer]) -> list[MachineId]:
    kinds = list(dict.fromkeys(each.kind for each in computers))
    wanted = text.casefold()
    whole = [each for each in kinds if wanted in (each.cpu.casefold(), each.key)]
    part = [each for each in kinds if wanted and (wanted in each.cpu.casefold() or each.key.startswith(wanted))]
    return whole or part


def _list(kinds: Sequence[MachineId] | None, computers: Sequence[Computer]) -> str:
    """These kinds, or all, with how many computers there are of each."""
    counts = Counter(each.kind for each in computers)
    lines = [
        f"{kind.key} ({kind.cpu}, {kind.threads} cores; {count} of them)"
        for kind, count in counts.most_common()
        if kinds is None or kind in kinds
    ]
    return ", ".join(lines) or "none has the versions of Halide and hltune that are here"


class Kinds:
    """Which machines a head measures on.

    Args:
        wanted: the machine of the run.
        hardware: what computers that are this machine have in common besides; see `About.hardware`.
        others: computers of other kinds measure as well, each kind for itself.
        place: where it is wanted, for messages.
    """

    def __init__(self, wanted: MachineId, hardware: str, *, others: bool = False, place: str = "here") -> None:
        self.wanted = wanted
        self._place = place
        self._others = others
        self._hardware = {wanted: hardware}

    def others(self) -> list[MachineId]:
        """The other kinds that have come, in the order in which they came."""
        return [each for each in self._hardware if each != self.wanted]

    def why_not(self, about: About) -> str | None:
        """Why a node does not measure; None if it does."""
        machine = about.machine
        if machine is None:
            return "searches only, for it cannot run this target"
        if self._others:
            self._hardware.setdefault(machine, about.hardware)
        if self._hardware.get(machine) != about.hardware:
            return f"searches only, for it is another machine: {self._difference(machine, about.hardware)}"
        return None if about.alone else "searches only, for another run measures on it"

    def role(self, about: About) -> str:
        """What a node does that measures."""
        if about.machine is None or about.machine == self.wanted:
            return "measures"
        return f"measures for its own kind of machine, {about.machine.key}"

    def _difference(self, theirs: MachineId, hardware: str) -> str:
        own, others, wanted = self.wanted.document(), theirs.document(), self._hardware[self.wanted]
        different = [
            f"{name} {others.get(name)}, and {own[name]} {self._place}" for name in own if others.get(name) != own[name]
        ]
        if hardware != wanted:
            different.append(f"{hardware}, and {wanted} {self._place}")
        return "; ".join(different)
