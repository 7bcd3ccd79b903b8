"""The processes that carry out a search's trials: this one, or several of this host, which share its cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import optuna
import torch
from optuna.storages import BaseStorage

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.progress import progress
from prunecxr.studies.search.ledger import ENDED, ledger
from prunecxr.studies.search.sampling import guide
from prunecxr.studies.search.storage import open_database, open_journal, storage_faults
from prunecxr.studies.search.subject import subject_of
from prunecxr.studies.search.trials import Objective, journal_file, lock_folder
from prunecxr.studies.search.turns import Turns
from prunecxr.tracking.store import Store, open_store, store_faults

WAIT = 1.0  # seconds between two looks at the workers


@dataclass(frozen=True)
class Plan:
    """Everything that a worker must know, whatever process it is.

    Attributes:
        tune_run: id of the search's run.
        storage: database URL, or None for a journal file.
        search: identity of the search.
        first: number of the first trial of this command.
        total: trials of the whole search.
        deadline: no trial starts after it, on the clock of `time.time()`.
    """

    config: Any
    store_uri: str
    experiment: str
    tune_run: str
    storage: str | None
    search: str
    first: int
    total: int
    deadline: float


def open_storage(config: Any, tune_run: str, url: str | None) -> BaseStorage:
    """The storage of a search: the database of that URL, or the journal in the work folder."""
    return open_database(url) if url else open_journal(journal_file(config, tune_run))


def open_study(storage: BaseStorage, name: str) -> optuna.Study:
    """Optuna's study of the search, made if there is none."""
    return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)


def longest(config: Any) -> int:
    """The most epochs that a trial may train."""
    searched = config.search.get("epochs")
    if searched is None:
        return config.training.epochs
    written = searched.written()
    return int(written["high"] if isinstance(written, dict) else max(written))


def turns_of(plan: Plan, study: optuna.Study) -> Turns:
    """This process's view of the search."""
    guide(study, plan.config.seeds[0], longest(plan.config))
    folder = lock_folder(plan.config, plan.tune_run)
    return Turns(study, folder, one_host=plan.storage is None, first=plan.first, total=plan.total)


def carry_out(plan: Plan, store: Store, data: Any, study: optuna.Study, n_workers: int) -> None:
    """Carry out what is left of the search.

    Raises:
        UserError, EnvironmentFault: what stopped a worker would stop the others, too.
    """
    with storage_faults():
        turns = turns_of(plan, study)
        if turns.is_over():
            return
        if n_workers > 1:
            _in_processes(plan, study, n_workers)
            return
        turns.work(Objective(store, plan.config, data, plan.tune_run, plan.search), plan.deadline, _say_waiting)


def _say_waiting(number: int) -> None:
    print(f"waiting for {number} trial(s) of other workers", flush=True)


def _in_processes(plan: Plan, study: optuna.Study, n_workers: int) -> None:
    """The same in several processes. A worker that is killed leaves its trial to the others."""
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // n_workers)
    print(f"{n_workers} workers, {threads} thread(s) each", flush=True)
    workers: dict[BaseProcess, Connection] = {}
    try:
        with _environment(OMP_NUM_THREADS=str(threads), TQDM_DISABLE="1"):
            for number in range(n_workers):
                receiver, sender = context.Pipe(duplex=False)
                worker: BaseProcess = context.Process(target=_worker, args=(plan, number, sender), daemon=True)
                worker.start()
                sender.close()
                workers[worker] = receiver
        _watch(plan, study, workers)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
            worker.join()


def _watch(plan: Plan, study: optuna.Study, workers: dict[BaseProcess, Connection]) -> None:
    """Wait for the workers to end; show how many trials have ended.

    Raises:
        UserError, EnvironmentFault: what a worker ended with; or all of them were killed.
    """
    running, killed = set(workers), 0
    with progress(plan.total, "trials", "trial", initial=_ended(study)) as bar:
        while running:
            wait([worker.sentinel for worker in running], timeout=WAIT)
            bar.update(_ended(study) - bar.n)
            for worker in [worker for worker in running if not worker.is_alive()]:
                running.remove(worker)
                if error := _said(workers[worker]):
                    raise error
                code = worker.exitcode or 0
                if code < 0:
                    killed += 1
                    name = signal.Signals(-code).name
                    print(f"warning: a worker was killed ({name}); another one takes its trial over", flush=True)
                elif code > 0:
                    raise EnvironmentFault(f"a worker ended with exit code {code}; what it said stands above")
    if killed == len(workers):
        raise EnvironmentFault(
            "all workers were killed, perhaps for want of memory; the same command continues, with fewer workers or "
            "a smaller batch_size"
        )


def _said(receiver: Connection) -> Exception | None:
    """The error that a worker ended with; a killed one closes its end of the pipe without a word."""
    try:
        return receiver.recv() if receiver.poll() else None
    except EOFError:
        return None


def _ended(study: optuna.Study) -> int:
    return sum(trial.state in ENDED for trial in ledger(study.get_trials(deepcopy=False)))


def _worker(plan: Plan, number: int, sender: Connection) -> None:
    """A worker process: carries out trials until none is left. Ends with the process that started it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with store_faults(plan.store_uri):
            _carry_out_alone(plan, number)
    except (UserError, EnvironmentFault) as error:
        sender.send(error)
    except KeyboardInterrupt:  # the command that started this process was interrupted, too, and says so
        pass


def _carry_out_alone(plan: Plan, number: int) -> None:
    store = open_store(plan.store_uri, plan.experiment)
    config = plan.config.model_copy(update={"execution": _own_device(plan.config.execution, number)})
    data = subject_of(config).prepare(config, quiet=True)
    study = open_study(open_storage(config, plan.tune_run, plan.storage), config.study)
    with storage_faults():
        turns = turns_of(plan, study)
        turns.work(Objective(store, config, data, plan.tune_run, plan.search), plan.deadline)


def _own_device(execution: Any, number: int) -> Any:
    """The options of execution with a GPU for each worker, where there are several."""
    count = torch.cuda.device_count() if execution.device in ("auto", "cuda") else 0
    return execution.model_copy(update={"device": f"cuda:{number % count}"}) if count > 1 else execution


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Variables for processes that start within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text
