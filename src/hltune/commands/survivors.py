"""Several pipelines in one command: what goes wrong with one does not end the others."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from hltune.machine.open import check_options
from hltune.machine.options import MeasureOptions
from hltune.runtime.files import check_writable
from hltune.values.errors import HltuneError
from hltune.workspace.records import Workspace
from hltune.workspace.subject import Subject, SubjectOptions, load_subject, source_of


@dataclass(slots=True)
class Survivors:
    """Lets some of several pipelines fail, but not the last one that is left.

    Attributes:
        say: tells people that a pipeline is left out, and why.
        failed: why each was left out, by name.
    """

    left: int
    say: Callable[[str, HltuneError], None]
    failed: dict[str, HltuneError] = field(default_factory=dict[str, HltuneError])

    @contextlib.contextmanager
    def trying(self, name: str, *, but_flags: bool = False) -> Generator[None]:
        """What goes wrong with this pipeline is noted, and raised if there is no other one.

        Args:
            but_flags: what blames a flag is raised in any case: others would be done with what nobody meant.
        """
        try:
            yield
        except HltuneError as error:
            self.left -= 1
            if not self.left or (but_flags and error.blames_flag):
                raise
            self.failed[name] = error
            self.say(name, error)


def load_subjects(
    pipelines: Sequence[SubjectOptions], workspace: Workspace, measure: MeasureOptions, survivors: Survivors
) -> list[Subject]:
    """Loads all pipelines before the first one is used; those that do not load are left out, named as people did.

    Raises:
        InputError: one does not exist, or a flag does not fit one of them, which says something of what was typed.
        HltuneError: none of them loads.
    """
    check_writable(workspace.root)
    for pipeline in pipelines:
        source_of(pipeline)
    subjects: list[Subject] = []
    for pipeline in pipelines:
        with survivors.trying(pipeline.pipeline, but_flags=True):
            subject = load_subject(pipeline, workspace)
            check_options(subject.target, measure)
            subjects.append(subject)
    return subjects
