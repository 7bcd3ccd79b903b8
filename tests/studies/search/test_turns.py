"""The contract of a shared search over every kind of storage: no trial lost, repeated, or one too many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.storages._rdb.models import TrialHeartbeatModel
from optuna.trial import TrialState

from prunecxr.errors import UserError
from prunecxr.studies.search.ledger import ATTEMPTS, ERROR, OWN, PLACE, as_study, best_of, count, ledger, table
from prunecxr.studies.search.sampling import distributions
from prunecxr.studies.search.turns import RETRIES
from tests.studies.search.conftest import SPACE, Place, value_of

FOREVER = float("inf")


def plain(trial: optuna.Trial, index: int) -> float:  # noqa: ARG001
    return value_of(trial)


def ask(study: optuna.Study) -> optuna.Trial:
    """A trial that is taken, and nothing more: what a process leaves that is killed at that moment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Optuna misses the signs of life of its own loop
        return study.ask()


def entries(place: Place):
    return ledger(place.study().get_trials())


def test_a_search_ends_with_its_trials_and_goes_on_when_more_are_asked(place):
    seen = []

    def objective(trial, index):
        seen.append(index)
        return value_of(trial)

    place.turns(4).work(objective, FOREVER)
    place.turns(4).work(objective, FOREVER)
    assert seen == [0, 1, 2, 3]
    assert place.turns(4).is_over()
    assert not place.turns(6).is_over()
    place.turns(6).work(objective, FOREVER)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [entry.state for entry in entries(place)] == ["complete"] * 6


def test_what_is_tried_follows_from_seed_and_number_in_whatever_process(place):
    place.turns(8).work(plain, FOREVER)
    tried = [entry.last.params for entry in entries(place)]
    assert len({params["learning_rate"] for params in tried}) == 8
    optuna.delete_study(study_name=place.name, storage=place.study()._storage)
    for total in range(1, 9):  # each trial in a worker of its own, as after a kill
        place.turns(total).work(plain, FOREVER)
    assert [entry.last.params for entry in entries(place)] == tried


def test_no_trial_starts_after_the_deadline(place):
    place.turns(4).work(plain, time.time() - 1)
    assert entries(place) == []


def test_a_failed_trial_is_tried_again_with_the_same_options(place):
    tried = []

    def objective(trial, index):
        value = value_of(trial)
        tried.append((index, trial.params))
        if len(tried) == 2:
            raise RuntimeError("out of memory\nwhile training")
        return value

    place.turns(3).work(objective, FOREVER)
    assert [index for index, _ in tried] == [0, 1, 1, 2]
    assert tried[1][1] == tried[2][1]
    second = entries(place)[1]
    assert (second.state, len(second.attempts)) == ("complete", 2)
    assert second.attempts[0].user_attrs[ERROR] == "RuntimeError: out of memory while training"


def test_a_trial_that_always_fails_is_given_up_and_tried_by_the_next_command(place):
    def objective(trial, index):
        if index == 1:
            raise MemoryError
        return value_of(trial)

    place.turns(3, first=0).work(objective, FOREVER)
    found = entries(place)
    assert [entry.state for entry in found] == ["complete", "failed", "complete"]
    assert len(found[1].attempts) == 1 + RETRIES
    place.turns(3).work(plain, FOREVER)
    found = entries(place)
    assert [entry.state for entry in found] == ["complete"] * 3
    assert len(found[1].attempts) == 2 + RETRIES


def test_a_fault_of_the_user_stops_the_worker_and_the_trial_is_tried_by_the_next_command(place):
    def objective(trial, index):  # noqa: ARG001
        value_of(trial)
        raise UserError("no disk")

    with pytest.raises(UserError, match="no disk"):
        place.turns(2).work(objective, FOREVER)
    (first,) = entries(place)
    assert (first.state, first.last.user_attrs[ERROR]) == ("failed", "UserError: no disk")
    place.turns(2).work(plain, FOREVER)
    assert [(entry.state, len(entry.attempts)) for entry in entries(place)] == [("complete", 2), ("complete", 1)]


def test_fewer_trials_than_there_are_end_the_search_at_once(place):
    place.turns(3).work(plain, FOREVER)
    waiting = place.study().get_trials()[2]
    turns = place.turns(3)
    turns._enqueue(waiting.params, waiting.distributions, {ATTEMPTS: [2]})
    place.turns(1).work(plain, FOREVER)  # the queued attempt is given back, and nothing is queued anew
    assert [entry.state for entry in entries(place)] == ["complete"] * 3


def test_the_recipes_own_options_come_first_and_once(place):
    own = {"learning_rate": 0.25, "batch_size": 32}
    for _ in range(2):
        place.turns(3).add_own(own, distributions(SPACE))
    place.turns(3).work(plain, FOREVER)
    place.turns(3).add_own(own, distributions(SPACE))
    found = entries(place)
    assert found[0].last.params == own
    assert [bool(entry.last.user_attrs.get(OWN)) for entry in found] == [True, False, False]
    assert len(place.study().get_trials()) == 3


def test_pruning_is_fed_and_counts_as_an_end(place):
    def objective(trial, index):
        value = value_of(trial)
        for epoch in range(1, 10):
            trial.report(value if index == 0 else value / 1000, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    place.turns(8).work(objective, FOREVER)
    states = [entry.state for entry in entries(place)]
    assert states[0] == "complete"
    assert "pruned" in states
    assert sum(count(entries(place)).values()) == 8


# Processes: they are started as a user's workers are, and killed as a user, or the kernel, kills them.


def _process(place: Place, total: int, log: Path, slow_index: int | None) -> None:
    def objective(trial, index):
        value = value_of(trial)
        with log.open("a") as file:
            file.write(f"begin {index}\n")
        time.sleep(600 if index == slow_index else 0.02)
        with log.open("a") as file:
            file.write(f"end {index}\n")
        return value

    place.turns(total, first=0).work(objective, FOREVER)


def _start(place: Place, total: int, log: Path, slow_index: int | None = None) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=_process, args=(place, total, log, slow_index))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads about; these wait for no lock
        process.start()
    return process


def ended(log: Path) -> list[int]:
    return [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("end")]


def wait_for(log: Path, line: str) -> None:
    for _ in range(600):
        if log.exists() and line in log.read_text().splitlines():
            return
        time.sleep(0.02)
    pytest.fail(f"never saw {line!r}")


def test_two_processes_share_a_search_and_no_trial_comes_twice(place, tmp_path):
    place.study()
    logs = [tmp_path / f"log{i}" for i in range(2)]
    for log in logs:
        log.touch()
    processes = [_start(place, 12, log) for log in logs]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    done = [ended(log) for log in logs]
    assert sorted(done[0] + done[1]) == list(range(12))
    assert all(done)
    trials = place.study().get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12


def test_a_killed_process_loses_its_trial_to_the_next_and_nothing_else(place, tmp_path):
    place.study()
    log = tmp_path / "log"
    process = _start(place, 5, log, slow_index=2)
    wait_for(log, "begin 2")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [entry.state for entry in entries(place)] == ["complete", "complete", "running"]
    params = entries(place)[2].last.params
    place.turns(5).work(plain, FOREVER)
    found = entries(place)
    assert [(entry.state, len(entry.attempts)) for entry in found] == [
        ("complete", 1), ("complete", 1), ("complete", 2), ("complete", 1), ("complete", 1),
    ]  # fmt: skip
    assert found[2].last.params == params
    assert ended(log) == [0, 1]


def test_a_living_process_keeps_its_trial(place, tmp_path):
    place.study()
    log = tmp_path / "log"
    process = _start(place, 1, log, slow_index=0)
    try:
        wait_for(log, "begin 0")
        turns = place.turns(1)
        assert not turns.take(plain)
        assert not turns.is_over()
        assert entries(place)[0].state == "running"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert turns.take(plain)
    assert entries(place)[0].state == "complete"


def test_a_trial_of_a_process_killed_before_it_said_where_it_is(place, monkeypatch):
    ask(place.study())
    if place.url is not None:
        assert not place.turns(1).take(plain)
        monkeypatch.setattr("prunecxr.studies.search.turns.GRACE", 0)
    assert place.turns(1).take(plain)
    assert [(entry.state, len(entry.attempts)) for entry in entries(place)] == [("complete", 2)]


# Several hosts: their locks lie in different folders, and only the storage tells of each other.


def test_two_hosts_that_take_the_last_turn_together_leave_one_trial(shared):
    here, there = shared.turns(1, host="here"), shared.turns(1, host="there")
    order = []

    def late(trial, index):  # the other host took its turn in the same moment, and was first
        order.append(index)
        return value_of(trial)

    first = ask(there.study)
    first.set_user_attr(PLACE, ["elsewhere", "/nowhere"])
    here._startable = lambda: True
    assert here.take(late)
    there.study._storage.set_trial_state_values(first._trial_id, TrialState.COMPLETE, [0.5])
    assert order == []
    assert [entry.state for entry in entries(shared)] == ["complete"]
    assert shared.turns(1).is_over()


def test_two_hosts_that_queue_the_same_again_run_it_once(shared):
    def objective(trial, index):  # noqa: ARG001
        value_of(trial)
        raise RuntimeError("once")

    here = shared.turns(1, first=10)
    here.take(objective)
    (failed,) = here.study.get_trials()
    for host in ("here", "there"):
        shared.turns(1, host=host)._enqueue(failed.params, failed.distributions, {ATTEMPTS: [0]})
    done = []

    def count_calls(trial, index):
        done.append(index)
        return value_of(trial)

    shared.turns(1).work(count_calls, FOREVER)
    assert done == [0]
    assert [(entry.state, len(entry.attempts)) for entry in entries(shared)] == [("complete", 2)]


def test_a_trial_of_another_host_lives_as_long_as_it_gives_signs_of_life(shared):
    study = shared.study()
    trial = ask(study)
    trial.set_user_attr(PLACE, ["elsewhere", "/nowhere/trial-0.lock"])
    storage = study._storage
    storage = getattr(storage, "_backend", storage)  # Optuna puts a cache before a database
    storage.record_heartbeat(trial._trial_id)
    turns = shared.turns(1)
    assert not turns.take(plain)
    with storage.scoped_session() as session:
        long_ago = datetime.now() - timedelta(days=2)
        session.query(TrialHeartbeatModel).filter_by(trial_id=trial._trial_id).update({"heartbeat": long_ago})
        session.commit()
    assert turns.take(plain)
    assert [(entry.state, len(entry.attempts)) for entry in entries(shared)] == [("complete", 2)]


# The ledger


def test_the_table_has_a_row_a_trial_and_the_study_in_memory_the_same_numbers(place):
    def objective(trial, index):
        value = value_of(trial)
        if index == 1 and trial.number < 3:
            raise RuntimeError("again")
        if index == 2:
            trial.report(0.125, 1)
            raise optuna.TrialPruned
        return value

    place.turns(4).work(objective, FOREVER)
    found = entries(place)
    rows = table(found, list(SPACE))
    assert rows["trial"].tolist() == [0, 1, 2, 3]
    assert rows["state"].tolist() == ["complete", "complete", "pruned", "complete"]
    assert rows["attempts"].tolist() == [1, 3, 1, 1]
    assert rows["mean_ap"].tolist() == [entry.last.value for entry in found]
    assert rows["mean_ap"][2] == 0.125
    assert rows["learning_rate"].tolist() == [entry.last.params["learning_rate"] for entry in found]
    assert best_of(found) == max((found[0], found[1], found[3]), key=lambda entry: entry.last.value)
    copy = as_study(found, "s")
    assert [trial.params for trial in copy.trials] == [entry.last.params for entry in found]
    assert copy.best_trial.number == best_of(found).index
