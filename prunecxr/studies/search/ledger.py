"""The trials of a search as its user counts them: each setting once, however often it had to be tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

# Attributes that trials carry in the storage.
ATTEMPTS = "attempts"  # numbers of the earlier attempts at the same setting, in order
SURPLUS = "surplus"  # given back before any work: another worker was first
OWN = "own"  # the recipe's own setting
PLACE = "place"  # [host, lock file] of the process at work
ERROR = "error"  # why the attempt failed or was given up
TWIN = "twin"  # the trial (as users count) that tried the very same setting before
BEST_EPOCH, EPOCHS = "best_epoch", "epochs"  # counted from 1; epochs trained

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
ENDED = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Trial:
    """One setting of the options and the attempts at it.

    Attributes:
        index: as users count, from 0.
        attempts: in order; the last is the one that counts.
    """

    index: int
    attempts: tuple[FrozenTrial, ...]

    @property
    def last(self) -> FrozenTrial:
        return self.attempts[-1]

    @property
    def state(self) -> str:
        return STATES[self.last.state]

    @property
    def value(self) -> float | None:
        """Mean AP: final of a complete trial, of its last report for a pruned one."""
        return self.last.value if self.last.state in (TrialState.COMPLETE, TrialState.PRUNED) else None

    @property
    def seconds(self) -> float:
        """Of the last attempt; NaN if it has not ended."""
        return self.last.duration.total_seconds() if self.last.duration else float("nan")


def ledger(trials: Iterable[FrozenTrial]) -> list[Trial]:
    """The trials of a search in order, without what was given back."""
    kept = sorted((trial for trial in trials if SURPLUS not in trial.user_attrs), key=lambda trial: trial.number)
    attempts: dict[int, list[FrozenTrial]] = {}
    for trial in kept:
        earlier = trial.user_attrs.get(ATTEMPTS) or [trial.number]
        attempts.setdefault(earlier[0], []).append(trial)
    return [Trial(index, tuple(tried)) for index, tried in enumerate(attempts.values())]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial of the highest value, the first of several; None if none is complete."""
    complete = [trial for trial in trials if trial.last.state == TrialState.COMPLETE]
    return max(complete, key=lambda trial: trial.last.value or 0.0, default=None)


def count(trials: Sequence[Trial]) -> dict[str, int]:
    """State -> number of trials, for the states that a trial can end in."""
    return {state: sum(trial.state == state for trial in trials) for state in ENDED}


def table(trials: Sequence[Trial], options: Sequence[str]) -> pd.DataFrame:
    """A row a trial.

    Columns: trial, state, mean_ap (validation split), best_epoch, epochs, seconds, attempts, own (the recipe's own
    setting), same_as (the trial that had tried the same), error; then the searched options.
    """
    rows = []
    for trial in trials:
        noted = trial.last.user_attrs
        row = {
            "trial": trial.index,
            "state": trial.state,
            "mean_ap": trial.value,
            "best_epoch": noted.get(BEST_EPOCH),
            "epochs": noted.get(EPOCHS),
            "seconds": round(trial.seconds, 1),
            "attempts": len(trial.attempts),
            "own": bool(noted.get(OWN)),
            "same_as": noted.get(TWIN),
            "error": noted.get(ERROR, ""),
        }
        rows.append(row | {name: trial.last.params.get(name) for name in options})
    return pd.DataFrame(rows).astype({"best_epoch": "Int64", "epochs": "Int64", "same_as": "Int64"})


def as_study(trials: Sequence[Trial], name: str) -> optuna.Study:
    """The trials as a study in memory, numbered as users count: what Optuna's figures are drawn from."""
    study = optuna.create_study(direction="maximize", study_name=name)
    for trial in trials:
        last = trial.last
        ended = last.state in (TrialState.COMPLETE, TrialState.PRUNED)
        study.add_trial(
            optuna.trial.create_trial(
                state=last.state if ended else TrialState.FAIL,
                value=last.value if ended else None,
                params=last.params,
                distributions=last.distributions,
                intermediate_values=last.intermediate_values,
            )
        )
    return study
