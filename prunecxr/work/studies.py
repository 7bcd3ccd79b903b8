"""What the commands of every study share: its own run, its seeds one after the other, what to say at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from prunecxr.errors import Diverged
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.options.sections import Section
from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.once import Once, Step

Result = TypeVar("Result")


def open_study(
    once: Once, kind: str, study: str, config: Section, tags: Mapping[str, str], *, adopt: bool = False
) -> TrackedRun:
    """The study's own run, parent of its seeds, with the recipe asked for last.

    Args:
        kind: of the run.
        tags: those that hold now, such as its description; a study that is there gets them anew.
        adopt: whether the run that `mlflow run` made becomes the study's.
    """
    step = Step(kind, {names.STUDY: study}, study, make=lambda _: None, tags=tags, adopt=adopt)
    run = once.open(step)
    params = run.params()
    run.log(
        params={f"cfg/{name}": text for name, text in flatten(config).items() if f"cfg/{name}" not in params},
        tags={name: value for name, value in tags.items() if run.tags.get(name) != value},
    )
    with run.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
    if not params:  # a new one: commands that merely need a parent for their runs never touch it again
        run.finish()
    return run


@dataclass
class Seeds(Generic[Result]):
    """What became of the seeds of a study.

    Attributes:
        done: seed -> what its work came to.
        failed: seed -> why its training diverged.
    """

    done: dict[int, Result] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """A sentence for every seed that failed."""
        return [f"Seed {seed} is not in the study: {why}." for seed, why in self.failed.items()]


def each_seed(seeds: Sequence[int], work: Callable[[int], Result]) -> Seeds[Result]:
    """Do the work of every seed; one whose training diverges leaves the others to be done.

    Raises:
        Diverged: all of them did.
    """
    result: Seeds[Result] = Seeds()
    for number, seed in enumerate(seeds, 1):
        print(f"seed {seed} ({number} of {len(seeds)})", flush=True)
        try:
            result.done[seed] = work(seed)
        except Diverged as error:
            result.failed[seed] = str(error)
            print(f"warning: seed {seed} failed: {error}", flush=True)
            if len(result.failed) == len(seeds):
                raise
    return result


def say_failed(store: Store, failed: Mapping[int, str], analysed: int) -> None:
    """How many seeds failed, and how to try one again."""
    if failed:
        listed = ", ".join(map(str, failed))
        print(f"seed(s) {listed} failed, {analysed} analysed; to try again: {mlflow_run(store, 'train', seed='N')}")


def mlflow_run(store: Store, entry: str, **parameters: str) -> str:
    """The command line of the next step."""
    given = " ".join(f"-P {name}={shlex.quote(value)}" for name, value in parameters.items())
    experiment = shlex.quote(store.experiment_name)
    return f"mlflow run . --env-manager local --experiment-name {experiment} -e {entry} {given}"
