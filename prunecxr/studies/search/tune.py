"""A search for hyper-parameters: continue it until it has all its trials, log what it came to, say what is next."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna

from prunecxr.errors import UserError
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.options.space import Choices
from prunecxr.studies.search.ledger import ENDED, ERROR, Trial, ledger
from prunecxr.studies.search.options import TuneOptions
from prunecxr.studies.search.results import TABLE, Result, log_result, said_counts, said_options
from prunecxr.studies.search.sampling import distributions
from prunecxr.studies.search.storage import storage_faults
from prunecxr.studies.search.subject import subject_of
from prunecxr.studies.search.trials import with_options
from prunecxr.studies.search.workers import Plan, carry_out, open_storage, open_study, turns_of
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest
from prunecxr.work.once import Once, Step, ending
from prunecxr.work.studies import mlflow_run

IDENTITY = "identity"  # attribute of Optuna's study: what all its trials share
SAID = {
    "search": "search: section",
    "training": "training options",
    "weights": "initial weights",
    "train": "train split",
    "val": "val split",
    "precision": "precision",
    "seed": "first seed",
}


def tune(store: Store, config: Any, asked: TuneOptions) -> None:
    """The command.

    Args:
        config: of the recipe, with its `search:` section.
    Raises:
        UserError: nothing to search, another search of that name, or no trial that was completed.
        EnvironmentFault: the storage cannot be reached.
    """
    check_space(config)
    data = subject_of(config).prepare(config)
    run = open_run(store, config)
    with ending(run), storage_faults():
        run.resume()
        study = open_study(open_storage(config, run.id, asked.storage), config.study)
        search = check_identity(study, identity_of(config, data))
        before = len(_ended(ledger(study.get_trials(deepcopy=False))))
        plan = Plan(
            config,
            store.uri,
            store.experiment_name,
            run.id,
            asked.storage,
            search,
            first=len(study.get_trials(deepcopy=False)),
            total=asked.trials,
            deadline=math.inf if asked.timeout is None else time.time() + asked.timeout,
        )
        _begin_with_own(plan, study)
        carry_out(plan, store, data, study, asked.workers)
        trials = ledger(study.get_trials(deepcopy=False))
        result = log_result(run, config, data, search, trials)
        if result is None:
            raise UserError(_no_result(trials))
    runs.claim_invocation(store, "tune", config.study, None, run.id)
    ended = len(_ended(trials))
    print(f"search {config.study}: {said_counts(trials)} ({ended - before} now, {before} found)")
    if ended < asked.trials:
        print(f"warning: {asked.trials - ended} of {asked.trials} trials are missing; the same command continues")
    _say_result(store, run, subject_of(config).what, result)


def check_space(config: Any) -> None:
    """Raise a UserError if there is nothing to search, or for names that do not exist, before any work is done."""
    if not config.search:
        raise UserError(
            "the recipe has no search: section; name the training options to search, as recipes/tune-demo.yaml does"
        )
    chosen = {
        name: domain.values
        for name, domain in config.search.items()
        if name in ("architecture", "weights") and isinstance(domain, Choices)
    }
    for values in itertools.product(*chosen.values()):
        subject_of(config).check(with_options(config, dict(zip(chosen, values, strict=True))))


def identity_of(config: Any, data: Any) -> dict[str, Any]:
    """Everything that the trials of one search share; were it to change, they could not be compared."""
    subject = subject_of(config)
    task = subject.task(config, data)
    kept = config.training.model_dump(mode="json", exclude_defaults=True, exclude={"weights", *config.search})
    return {
        "search": {name: domain.written() for name, domain in sorted(config.search.items())},
        "training": kept,
        "weights": subject.weights(config),
        "train": task.prints["train"],
        "val": task.prints["val"],
        "precision": task.compute.precision,
        "seed": config.seeds[0],
    }


def check_identity(study: optuna.Study, parts: dict[str, Any]) -> str:
    """The hash of a search's identity, which is written into a new one.

    Raises:
        UserError: a search of that name has another identity, or none.
    """
    parts = json.loads(json.dumps(parts))
    there = study.user_attrs.get(IDENTITY)
    if there is None:
        if study.get_trials(deepcopy=False):
            raise UserError(
                f"option storage: its study {study.study_name!r} is no search of this tool; give study=another-name"
            )
        study.set_user_attr(IDENTITY, parts)
        there = study.user_attrs[IDENTITY]
    differing = [SAID[name] for name in SAID if there.get(name) != parts[name]]
    if differing:
        raise UserError(
            f"option study: the search {study.study_name!r} was begun with other {', '.join(differing)}; its trials "
            "could not be compared with new ones: restore what it had, or give the new search study=another-name"
        )
    return digest(parts)


def open_run(store: Store, config: Any) -> TrackedRun:
    """The search's own run, parent of its trials."""
    step = Step(
        kind="tune",
        identity={names.STUDY: config.study},
        name=f"tune {config.study}",
        make=lambda _: None,
        tags={names.DATASET: config.data.dataset_name or config.data.dataset},
        adopt=True,
    )
    run = Once(store).open(step)
    run.log_new_params(
        {f"cfg/{name}": text for name, text in flatten(config).items() if name not in config.search}
        | {f"search/{name}": str(domain.written()) for name, domain in config.search.items()}
    )
    with run.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
    return run


def _begin_with_own(plan: Plan, study: optuna.Study) -> None:
    """Let the recipe's own options be the first trial, if the search holds them."""
    space, options = plan.config.search, plan.config.training
    own = {name: getattr(options, name) for name in space}
    outside = [name for name, value in own.items() if value not in space[name]]
    if outside:
        said = ", ".join(f"{name}={own[name]}" for name in outside)
        print(f"the recipe's own options are not among the trials: {said} is not in the search", flush=True)
    else:
        turns_of(plan, study).add_own(own, distributions(space))


def _ended(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.state in ENDED]


def _no_result(trials: Sequence[Trial]) -> str:
    reasons = [trial.last.user_attrs[ERROR] for trial in trials if ERROR in trial.last.user_attrs]
    why = f"; the last one said: {reasons[-1]}" if reasons else ""
    return (
        f"no trial was completed ({said_counts(trials)}), so there is no best recipe{why}; "
        "the same command continues, with more time or more trials"
    )


def _say_result(store: Store, run: TrackedRun, what: str, result: Result) -> None:
    """What the search found, where it lies, and the command that makes a study of it."""
    best, own = result.best, result.own
    failed = [trial for trial in result.trials if trial.state == "failed"]
    if failed:
        said = failed[-1].last.user_attrs.get(ERROR, "killed")
        print(f"warning: {len(failed)} trial(s) failed, each tried again in vain; the last one: {said}")
    for sentence in result.absent:
        print(sentence)
    print(f"best: trial {best.index}, {what} {best.value:.4f}: {said_options(best)}")
    if own is not None and own.value is not None:
        print(f"the recipe's own options: trial {own.index}, {own.state}, {what} {own.value:.4f}")
    print(f"report: {store.artifact_location(run.id, names.REPORT)}")
    print(f"trials: {store.artifact_location(run.id, TABLE)}")
    recipe = store.artifact_location(run.id, names.BEST_RECIPE)
    print(f"recipe: {recipe}")
    path = recipe if Path(recipe).is_file() else names.BEST_RECIPE
    print(f"next: {mlflow_run(store, 'main', recipe=path)}")
