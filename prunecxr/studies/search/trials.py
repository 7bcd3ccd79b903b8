"""One trial of a search: options -> training -> tracking. It sees the training and the validation split alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from prunecxr.errors import Diverged, UserError
from prunecxr.learning.classification import Epoch, fit, monitored
from prunecxr.networks.families import build_model
from prunecxr.options.recipe import flatten
from prunecxr.studies.pruning import keys, population
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.material import Material
from prunecxr.studies.search.ledger import BEST_EPOCH, EPOCHS, ERROR, TWIN, Trial, ledger
from prunecxr.studies.search.sampling import suggest
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.identity import digest

SPLITS = ("train", "val")  # the test split stays closed until the study itself


def with_options(config: Config, values: dict[str, Any]) -> Config:
    """The configuration with other training options."""
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def trial_key(search: str, index: int, config: Config, data: Material) -> str:
    """What makes a trial the same work: its search, its number, and everything that its training depends on."""
    training = population.training_key(config, data, population.compute_of(config))
    return digest({"search": search, "trial": index, "seed": keys.seed_key(training, config.seeds[0])})


def find_run(store: Store, tune_run: str, config: Config, index: int, key: str) -> TrackedRun:
    """The child run of a trial, made if there is none; a killed trial goes on in its own."""
    return runs.find_or_create(
        store,
        "trial",
        {names.KEY: key, names.STUDY: config.study},
        name=names.trial_run_name(index),
        parent=tune_run,
        tags={names.TRIAL: str(index), names.SEED: str(config.seeds[0])},
    )


def params_of(config: Config) -> dict[str, str]:
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
    config: Config
    data: Material
    tune_run: str
    search: str

    def __call__(self, trial: optuna.Trial, index: int) -> float:
        """Train with the options that Optuna suggests; the value, or TrialPruned."""
        values = suggest(trial, self.config.search)
        config = with_options(self.config, values)
        key = trial_key(self.search, index, config, self.data)
        run = find_run(self.store, self.tune_run, config, index, key)
        with runs.ending(run):
            run.resume()
            run.log(tags={names.TRIAL_STATE: "running"})
            run.log_new_params(params_of(config))
            value = self._repeated(trial, index, run)
            if value is None:
                value = self._train(trial, index, config, run, key)
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

    def _train(self, trial: optuna.Trial, index: int, config: Config, run: TrackedRun, key: str) -> float | None:
        """The value of a training, None for one that was given up."""
        compute = population.compute_of(config)
        checkpoint = config.execution.workdir / "checkpoints" / f"{key}.pt"
        architecture, seed = config.training.architecture, config.seeds[0]
        model = build_model(architecture, len(self.data.dataset.classes), config.training.weights, seed)
        history: list[Epoch] = []
        try:
            fit(
                population.place(model, compute),
                population.images_of(self.data, "train"),
                population.images_of(self.data, "val"),
                config.training,
                compute,
                seed=seed,
                checkpoint=checkpoint,
                on_epoch=_reporter(trial, config, history, population.epoch_logger(run)),
                desc=f"trial {index}",
            )
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
            best_epoch = kept_epoch(history, config)
            value, best = best_epoch.val_mean_ap, best_epoch.epoch + 1
            trial.set_user_attr(BEST_EPOCH, best)
            seconds = sum(epoch.seconds for epoch in history)
            run.log(metrics={names.BEST_VAL_MEAN_AP: value, "best_epoch": best_epoch.epoch, "train_seconds": seconds})
        checkpoint.unlink(missing_ok=True)
        reached = f"validation mean AP {value:.4f} at epoch {best}" if history else "no epoch"
        print(f"trial {index}: {reached}{', ' if given_up else ''}{given_up}", flush=True)
        return None if given_up else value


def kept_epoch(history: list[Epoch], config: Config) -> Epoch:
    """The epoch whose weights the training keeps, of those so far.

    Raises:
        UserError: the mean AP is undefined, so there is nothing to search by.
    """
    best = max(history, key=lambda epoch: monitored(epoch, config.training.monitor))
    if math.isnan(best.val_mean_ap):
        raise UserError(
            "the mean AP is undefined, no class has positive images in the validation split; use a larger one"
        )
    return best


def _reporter(
    trial: optuna.Trial, config: Config, history: list[Epoch], log: Callable[[Epoch], None]
) -> Callable[[Epoch], None]:
    def report(epoch: Epoch) -> None:
        log(epoch)
        history.append(epoch)
        done = epoch.epoch + 1
        trial.report(kept_epoch(history, config).val_mean_ap, done)
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


def lock_folder(config: Config, tune_run: str) -> Path:
    """Where the workers of this host keep a search's locks."""
    return (config.execution.workdir / "tune" / tune_run).resolve()


def journal_file(config: Config, tune_run: str) -> Path:
    """The journal of a search: it belongs to its run in the tracking store, and lies in the work folder."""
    return (config.execution.workdir / "tune" / f"{tune_run}.journal").resolve()
