"""Opening a store: what is made, what is respected, what is said when it cannot be opened."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import runs
from prunecxr.tracking.store import open_store


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_sqlite_is_prepared_for_concurrent_use(tmp_path):
    store = open_store()
    assert store.experiment_name == "Default"
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_several_processes_may_open_a_new_store_at_once(tmp_path):
    code = "from prunecxr.tracking.store import open_store; print(open_store(experiment='x').experiment_id)"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [process.communicate(timeout=120)[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    assert len(set(answers)) == 1


def test_the_run_that_mlflow_made_gives_the_experiment(monkeypatch):
    store = open_store(experiment="chosen")
    run = store._client.create_run(store.experiment_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    again = open_store()
    assert (again.experiment_name, again.invocation) == ("chosen", run.info.run_id)
    assert runs.unclaimed_invocation(again).id == run.info.run_id
    assert again.in_experiment("0").invocation is None


@pytest.mark.parametrize("uri", ["sqlite:////proc/nowhere/mlflow.db", "http://127.0.0.1:9", "nosuch://x"])
def test_a_store_that_cannot_be_opened_is_named(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(EnvironmentFault, match="tracking store") as caught:
        open_store(uri)
    assert uri in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, and it is long enough to be looked at" * 20)
    with pytest.raises(EnvironmentFault, match="not a database"):
        open_store()
    assert (tmp_path / "mlflow.db").read_bytes().startswith(b"this is not")


def test_a_deleted_experiment_is_not_revived():
    store = open_store(experiment="gone")
    store._client.delete_experiment(store.experiment_id)
    with pytest.raises(EnvironmentFault, match="'gone' was deleted"):
        open_store(experiment="gone")
