"""Whose turn it is: several workers share one search, and no trial is lost, repeated, or one too many.

A trial is RUNNING in the storage from the moment a worker takes it. Whether that worker lives is told by a lock that
its process holds (the kernel releases it, whatever kills the process), and on other hosts by its signs of life in the
storage.
"""

from __future__ import annotations

import socket
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.studies.search.ledger import ATTEMPTS, ERROR, OWN, PLACE, SURPLUS, ledger
from prunecxr.studies.search.storage import GRACE

RETRIES = 2  # of a trial that failed or was killed, in one command; the next command tries again
POLL = 2.0  # seconds between two looks at what other workers do
# What hardware raises in the middle of a training (memory above all): another trial, or another try, may do.
PASSING = (RuntimeError, MemoryError)

Objective = Callable[[optuna.Trial, int], float]


class Surplus(Exception):
    """The trial just taken is not needed: another host took the same turn at the same moment."""


@dataclass
class Turns:
    """One worker's view of a search.

    Attributes:
        study: with its sampler and pruner.
        folder: of the locks, shared by all workers of this host.
        one_host: whether no other host takes part.
        first: number of the first trial that this command may have made; earlier failures are not held against a trial.
        total: trials of the search.
    """

    study: optuna.Study
    folder: Path
    one_host: bool
    first: int
    total: int
    _held: FileLock | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._taking = FileLock(self.folder / "taking.lock")

    def take(self, objective: Objective) -> bool:
        """Carry out one trial, if there is any to start.

        Args:
            objective: called with Optuna's trial and its index as users count; its value, or raises TrialPruned.
        Returns:
            whether there was one.
        """
        self._taking.acquire()
        try:
            self.recover()
            if not self._startable():
                return False
            with suppress(UpdateFinishedTrialError):  # this process slept so long that its trial was given to another
                self.study.optimize(lambda trial: self._work(trial, objective), n_trials=1, catch=(Surplus, *PASSING))
        finally:
            # Only now: until its state is written, a trial without its lock would count as abandoned.
            for lock in (self._held, self._taking):
                if lock is not None:
                    lock.release()
            self._held = None
        return True

    def work(self, objective: Objective, deadline: float, on_wait: Callable[[int], None] | None = None) -> None:
        """Carry out trials until all have ended, or none may start any more.

        Args:
            deadline: on the clock of `time.time()`; no trial starts after it.
            on_wait: called with the number of trials of other workers, when these are all that is left.
        """
        waiting = False
        while time.time() < deadline:
            if self.take(objective):
                waiting = False
                continue
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if not running:
                return
            if on_wait and not waiting:
                on_wait(len(running))
            waiting = True
            time.sleep(POLL)

    def is_over(self) -> bool:
        """Whether all trials have ended, so that no worker need begin."""
        with self._taking:
            self.recover()
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            return not running and not self._startable()

    def add_own(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> None:
        """Let a new search begin with this setting."""
        with self._taking:
            if not self.study.get_trials(deepcopy=False):
                self._enqueue(dict(params), dict(distributions), {OWN: True})

    def recover(self) -> None:
        """Fail the trials whose process is gone, and queue again what failed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._is_abandoned(trial):
                with suppress(UpdateFinishedTrialError, ValueError):  # another host was first
                    self.study.tell(trial.number, state=TrialState.FAIL)
        for entry in ledger(self.study.get_trials(deepcopy=False))[: self.total]:
            last = entry.last
            attempts = [tried.number for tried in entry.attempts]
            if last.state == TrialState.FAIL and sum(number >= self.first for number in attempts) <= RETRIES:
                kept = {OWN: True} if last.user_attrs.get(OWN) else {}
                self._enqueue(last.params, last.distributions, {ATTEMPTS: attempts, **kept})

    def _enqueue(
        self, params: dict[str, Any], distributions: dict[str, BaseDistribution], attrs: dict[str, Any]
    ) -> None:
        self.study.add_trial(
            create_trial(state=TrialState.WAITING, params=params, distributions=distributions, user_attrs=attrs)
        )

    def _startable(self) -> bool:
        trials = self.study.get_trials(deepcopy=False)
        return any(trial.state == TrialState.WAITING for trial in trials) or len(ledger(trials)) < self.total

    def _work(self, trial: optuna.Trial, objective: Objective) -> float:
        self._held = FileLock(self.folder / f"trial-{trial.number}.lock")
        self._held.acquire()
        trial.set_user_attr(PLACE, [socket.gethostname(), str(self._held.lock_file)])
        self._taking.release()
        index = self._index_of(trial)
        try:
            return objective(trial, index)
        except (UserError, EnvironmentFault, *PASSING) as error:
            trial.set_user_attr(ERROR, " ".join(f"{type(error).__name__}: {error}".split())[:500])
            raise

    def _index_of(self, trial: optuna.Trial) -> int:
        """The trial's index; gives it back if another host took the same turn first."""
        trials = self.study.get_trials(deepcopy=False)
        mine = next(other for other in trials if other.number == trial.number)
        for entry in ledger(trials):
            if mine not in entry.attempts:
                continue
            rivals = [t for t in entry.attempts if t.user_attrs.get(ATTEMPTS) == mine.user_attrs.get(ATTEMPTS)]
            second_own = mine.user_attrs.get(OWN) and entry.index > 0
            if rivals[0].number == mine.number and entry.index < self.total and not second_own:
                return entry.index
        trial.set_user_attr(SURPLUS, True)
        raise Surplus

    def _is_abandoned(self, trial: FrozenTrial) -> bool:
        place = trial.user_attrs.get(PLACE)
        if place is None:  # killed before it said where it is; on one host nobody else is taking a trial right now
            started = trial.datetime_start
            return self.one_host or (started is not None and datetime.now() - started > timedelta(seconds=GRACE))
        host, path = place
        if self.one_host and not Path(path).exists():
            return True
        if not self.one_host and (host != socket.gethostname() or not Path(path).exists()):
            return False  # its signs of life tell
        try:
            with FileLock(path, timeout=0):
                return True
        except Timeout:
            return False
