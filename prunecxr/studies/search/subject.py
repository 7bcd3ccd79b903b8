"""What a search for hyper-parameters knows of the kind of study that it searches for."""

from __future__ import annotations

from typing import Any, Protocol

from prunecxr.learning.loop import EpochRecord
from prunecxr.options.declaration import load
from prunecxr.studies.kinds import SUBJECTS
from prunecxr.work.task import Task


class Subject(Protocol):
    """A kind of study, as a search sees it: the training and the validation split alone.

    Attributes:
        what: the value that is maximised, in words.
    """

    what: str

    def check(self, config: Any) -> None:
        """Raise a UserError for options that name what does not exist, before any work is done."""

    def prepare(self, config: Any, quiet: bool = False) -> Any:
        """The training and validation images, made ready; what they are is said, unless it was said before."""

    def task(self, config: Any, data: Any) -> Task:
        """What is trained, with these options."""

    def value(self, epoch: EpochRecord) -> float:
        """What is maximised: a score on the validation split. NaN where it is undefined."""

    def weights(self, config: Any) -> list[str]:
        """What stands for the initial weights of every combination that is searched."""


def subject_of(config: Any) -> Subject:
    """The subject of a configuration's kind."""
    subject: Subject = load(SUBJECTS[config.kind])
    return subject
