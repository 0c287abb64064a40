"""Which weights a search uses, and which ranker: what was asked for, what pre-training left, what comes with hltune."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.cost_model.adams2019.lineage import Lineage, read_stored, sidecar_path
from hltune.cost_model.adams2019.weights import Weights, builtin_weights, read_weights, weights_hash
from hltune.machine.open import shipped_weights
from hltune.pipeline.target import TargetInfo
from hltune.runtime.progress import Progress
from hltune.search.autoschedulers import BUILTIN, Adams2019Options
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.records import Workspace

if TYPE_CHECKING:
    from hltune.cost_model.pretrained import Pretrained


def with_default_weights(
    search: Adams2019Options, workspace: Workspace, target: TargetInfo, machine: MachineId, progress: Progress
) -> Adams2019Options:
    """Adds weights to a search that has none: what pre-training left in the workspace, or what comes with hltune.

    Those of the workspace that belong to another machine are used only if asked for.
    """
    if search.weights == BUILTIN:
        return replace(search, weights=None)
    if search.weights is not None:
        trained = _trained_on(search.weights, progress) if sidecar_path(search.weights).exists() else None
        if trained not in (None, machine.key):
            what = f"{search.weights} was trained on another machine ({trained})"
            progress.note(f"{what}; another order of schedules may be right here")
        return search
    if (path := _own_path(workspace, machine, progress)) is not None:
        return replace(search, weights=path.absolute())
    if (path := _shipped_path(target)) is None:
        return search
    if (origin := read_stored(path).origin).machine != machine.key:
        what = " and ".join(use.name for use in origin.pipelines)
        progress.note(f"default weights, of {what} on another machine; `hltune pretrain --use` trains for this one")
    return replace(search, weights=path)


def _own_path(workspace: Workspace, machine: MachineId, progress: Progress) -> Path | None:
    """The workspace's newest weights that were trained on this machine; notes say why others are not used."""
    for folder in workspace.default_folders(machine):
        if (path := Lineage(folder).path("best")) is None:
            continue
        try:
            trained = _trained_on(path, progress)
        except InputError as error:  # nobody has asked for them
            progress.note(f"{path} is not used. {error}")
            continue
        if trained == machine.key:
            return path
        if trained is not None:
            what = f"{path} is not used: it was trained on another machine ({trained})"
            progress.note(f"{what}; to use it all the same, give it by --weights")
    return None


def default_ranker(
    asked: Path | None, workspace: Workspace, target: TargetInfo, machine: MachineId, progress: Progress
) -> Pretrained | None:
    """The workspace's ranker, or what comes with hltune; None if there is none, or Halide's own weights were asked for.

    That of another machine is used only if it is the one that comes with hltune.
    """
    shipped = shipped_weights(target)
    folders = [*workspace.default_folders(machine), *filter(None, [shipped])]
    if asked == BUILTIN or not any(path for folder in folders for path in folder.glob("*.ranker.json")):
        return None
    from hltune.cost_model.ranker_file import Rankers, read_ranker  # LightGBM, which most commands do without

    for folder in folders:
        if (path := Rankers(folder).path()) is None:
            continue
        try:
            stored = read_ranker(path)
        except InputError as error:  # everything works without it
            progress.note(f"this ranker is not used. {error}")
            continue
        if folder == shipped or stored.origin.machine == machine.key:
            return stored.ranker
        progress.note(f"{path} is not used: it was trained on another machine ({stored.origin.machine})")
    return None


def initial_weights(
    asked: Path | None, default: Path | None, target: TargetInfo, *, parent: str | None, folders: Sequence[Path] = ()
) -> Weights:
    """What training starts from.

    Args:
        asked: the file that was asked for.
        default: the file that is used if none was; None for what comes with hltune.
        parent: hash of what training began with before; unless others were asked for, it goes on from there if those
            are known.
        folders: where earlier defaults are.
    """
    if asked is not None:
        return builtin_weights() if asked == BUILTIN else read_weights(asked)
    # Earlier versions stay in all folders, so that what began with them can go on.
    places = [*folders, *filter(None, [shipped_weights(target)])]
    files = [path for folder in places for path in sorted(folder.glob("*.weights"), reverse=True)]
    start = default or _shipped_path(target)
    first = builtin_weights() if start is None else read_weights(start)
    return next((each for each in (first, *_readable(files)) if weights_hash(each) == parent), first)


def _readable(files: Iterable[Path]) -> Iterator[Weights]:
    """Weights of files, one after the other, and Halide's own; what is damaged is as good as not there."""
    for path in files:
        with contextlib.suppress(InputError):
            yield read_weights(path)
    yield builtin_weights()


def _shipped_path(target: TargetInfo) -> Path | None:
    folder = shipped_weights(target)
    return None if folder is None else Lineage(folder).path("best")


def _trained_on(path: Path, progress: Progress) -> str | None:
    """Key of the machine that weights come from; None, with a note, if what would tell is damaged.

    Raises InputError if the weights are.
    """
    read_weights(path)
    try:
        return read_stored(path).origin.machine
    except InputError as error:
        progress.note(f"nobody knows on which machine {path} was trained. {error}")
        return None
