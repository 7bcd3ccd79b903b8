"""One trial of a search: options -> training -> tracking. It sees the training and the validation split alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from prunecxr.errors import Diverged, UserError
from prunecxr.learning.loop import EpochRecord, Session
from prunecxr.options.recipe import flatten
from prunecxr.studies.search.ledger import BEST_EPOCH, EPOCHS, ERROR, TWIN, Trial, ledger
from prunecxr.studies.search.sampling import suggest
from prunecxr.studies.search.subject import subject_of
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest
from prunecxr.work.once import ending
from prunecxr.work.task import Task, place
from prunecxr.work.training import epoch_logger


def with_options(config: Any, values: dict[str, Any]) -> Any:
    """The configuration with other training options."""
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def trial_key(search: str, index: int, task: Task, seed: int) -> str:
    """What makes a trial the same work: its search, its number, and everything that its training depends on."""
    return digest({"search": search, "trial": index, "seed": task.seed_key(seed)})


def find_run(store: Store, tune_run: str, config: Any, index: int, key: str) -> TrackedRun:
    """The child run of a trial, opened if there is none; a killed trial goes on in its own.

    Optuna's storage says whose turn a trial is: it needs no claim.
    """
    identity = {names.KEY: key, names.STUDY: config.study}
    run = runs.find(store, "trial", identity)
    if run is not None:
        return run
    tags = {**identity, names.TRIAL: str(index), names.SEED: str(config.seeds[0])}
    return runs.create(store, "trial", tags, name=names.trial_run_name(index), parent=tune_run)


def params_of(config: Any) -> dict[str, str]:
    """The params of a trial's run: every training option that has an effect, by the names that seed runs have."""
    texts = flatten(config)
    chosen = {f"cfg/{name}": texts[name] for name in type(config.training).model_fields if name in texts}
    return {**chosen, "cfg/seed": str(config.seeds[0])}


@dataclass(frozen=True)
class Objective:
    """What Optuna maximises: the mean AP on the validation split of the epoch whose weights a training keeps.

    That epoch is the one early stopping takes for the best (option `monitor`), so the value is what the same recipe's
    first seed reaches in a study.
    """

    store: Store
    config: Any
    data: Any
    tune_run: str
    search: str

    def __call__(self, trial: optuna.Trial, index: int) -> float:
        """Train with the options that Optuna suggests; the value, or TrialPruned."""
        values = suggest(trial, self.config.search)
        config = with_options(self.config, values)
        task = subject_of(config).task(config, self.data)
        key = trial_key(self.search, index, task, config.seeds[0])
        run = find_run(self.store, self.tune_run, config, index, key)
        with ending(run):
            run.resume()
            run.log(tags={names.TRIAL_STATE: "running"})
            run.log_new_params(params_of(config))
            value = self._repeated(trial, index, run)
            if value is None:
                value = self._train(trial, index, task, config, run)
            conclude(run, index, "pruned" if value is None else "complete")
        if value is None:
            raise optuna.TrialPruned
        return value

    def _repeated(self, trial: optuna.Trial, index: int, run: TrackedRun) -> float | None:
        """The value of a complete trial that tried the very same, which a training would only find again."""
        for other in ledger(trial.study.get_trials(deepcopy=False)):
            if other.index != index and other.state == "complete" and other.last.params == trial.params:
                trial.set_user_attr(TWIN, other.index)
                for name in (BEST_EPOCH, EPOCHS):
                    trial.set_user_attr(name, other.last.user_attrs[name])
                run.log(metrics=summary_of(other))
                print(f"trial {index}: the same as trial {other.index}", flush=True)
                return other.value
        return None

    def _train(self, trial: optuna.Trial, index: int, task: Task, config: Any, run: TrackedRun) -> float | None:
        """The value of a training, None for one that was given up."""
        subject, seed = subject_of(config), config.seeds[0]
        checkpoint = task.checkpoint(run.tags[names.KEY])
        history: list[EpochRecord] = []
        report = _reporter(trial, config, task, history, epoch_logger(run))
        try:
            model = place(task.build(seed), task.compute)
            task.fit(model, Session(seed, checkpoint, report, f"trial {index}"))
            given_up = ""
        except optuna.TrialPruned:
            given_up = f"pruned after epoch {len(history)} of {config.training.epochs}"
        except Diverged as error:  # these options do not train at all: the search must learn to avoid them
            given_up = f"pruned, {error}"
            trial.set_user_attr(ERROR, str(error))
            run.log(tags={names.ERROR: str(error)})
        trial.set_user_attr(EPOCHS, len(history))
        value, best = math.nan, -1
        if history:
            best_epoch = kept_epoch(history, config, task)
            value, best = subject.value(best_epoch), best_epoch.epoch + 1
            trial.set_user_attr(BEST_EPOCH, best)
            seconds = sum(epoch.seconds for epoch in history)
            run.log(metrics={names.BEST_VAL_MEAN_AP: value, "best_epoch": best_epoch.epoch, "train_seconds": seconds})
        checkpoint.unlink(missing_ok=True)
        reached = f"{subject.what} {value:.4f} at epoch {best}" if history else "no epoch"
        print(f"trial {index}: {reached}{', ' if given_up else ''}{given_up}", flush=True)
        return None if given_up else value


def kept_epoch(history: list[EpochRecord], config: Any, task: Task) -> EpochRecord:
    """The epoch whose weights the training keeps, of those so far.

    Raises:
        UserError: its value is undefined, so there is nothing to search by.
    """
    best, subject = task.best_epoch(history), subject_of(config)
    if math.isnan(subject.value(best)):
        raise UserError(
            f"the {subject.what} is undefined, no class has positive images in the validation split; use a larger one"
        )
    return best


def _reporter(
    trial: optuna.Trial, config: Any, task: Task, history: list[EpochRecord], log: Callable[[EpochRecord], None]
) -> Callable[[EpochRecord], None]:
    def report(epoch: EpochRecord) -> None:
        log(epoch)
        history.append(epoch)
        done = epoch.epoch + 1
        trial.report(subject_of(config).value(kept_epoch(history, config, task)), done)
        if done < config.training.epochs and trial.should_prune():
            raise optuna.TrialPruned

    return report


def summary_of(trial: Trial) -> dict[str, float]:
    """The metrics of a trial's run that Optuna's storage holds, too."""
    noted = trial.last.user_attrs
    metrics = {} if trial.value is None else {names.BEST_VAL_MEAN_AP: trial.value}
    return metrics | ({"best_epoch": noted[BEST_EPOCH] - 1} if BEST_EPOCH in noted else {})


def conclude(run: TrackedRun, index: int, state: str, error: str = "") -> None:
    """Mark how the trial ended, where the MLflow UI shows it at once: in its tags, and in its name if it was pruned."""
    suffix = "" if state == "complete" else f" ({state})"
    why = {names.ERROR: error} if error else {}
    run.log(tags={names.TRIAL_STATE: state, names.RUN_NAME: names.trial_run_name(index) + suffix, **why})


def lock_folder(config: Any, tune_run: str) -> Path:
    """Where the workers of this host keep a search's locks."""
    return (config.execution.workdir / "tune" / tune_run).resolve()


def journal_file(config: Any, tune_run: str) -> Path:
    """The journal of a search: it belongs to its run in the tracking store, and lies in the work folder."""
    return (config.execution.workdir / "tune" / f"{tune_run}.journal").resolve()
