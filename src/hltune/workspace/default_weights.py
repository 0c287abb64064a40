"""Which weights a search uses, and which ranker: what was asked for, or what pre-training left as the default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hltune.cost_model.adams2019.lineage import Lineage, read_stored, sidecar_path
from hltune.runtime.progress import Progress
from hltune.search.autoschedulers import Adams2019Options
from hltune.values.errors import InputError
from hltune.values.machine_id import MachineId
from hltune.workspace.records import Workspace

if TYPE_CHECKING:
    from hltune.cost_model.pretrained import Pretrained


def with_default_weights(
    search: Adams2019Options, workspace: Workspace, machine: MachineId, progress: Progress
) -> Adams2019Options:
    """Adds the workspace's default weights to a search that has none; those of another machine only if asked for."""
    if search.weights is not None:
        if sidecar_path(search.weights).exists() and (other := _other_machine(search.weights, machine)):
            trained = f"{search.weights} was trained on another machine ({other})"
            progress.note(f"{trained}; another order of schedules may be right here")
        return search
    path = Lineage(workspace.default_weights).path("best")
    if path is None:
        return search
    if other := _other_machine(path, machine):
        trained = f"{path} is not used: it was trained on another machine ({other})"
        progress.note(f"{trained}; to use it all the same, give it by --weights")
        return search
    return replace(search, weights=path.absolute())


def default_ranker(workspace: Workspace, machine: MachineId, progress: Progress) -> Pretrained | None:
    """The workspace's ranker; None if there is none, or only that of another machine."""
    if not any(workspace.default_weights.glob("*.ranker.json")):
        return None
    from hltune.cost_model.ranker_file import Rankers, read_ranker  # LightGBM, which most commands do without

    path = Rankers(workspace.default_weights).path()
    if path is None:
        return None
    try:
        stored = read_ranker(path)
    except InputError as error:  # everything works without it
        progress.note(f"no ranker is used. {error}")
        return None
    if stored.origin.machine != machine.key:
        progress.note(f"{path} is not used: it was trained on another machine ({stored.origin.machine})")
        return None
    return stored.ranker


def _other_machine(path: Path, machine: MachineId) -> str | None:
    key = read_stored(path).origin.machine
    return None if key == machine.key else key
