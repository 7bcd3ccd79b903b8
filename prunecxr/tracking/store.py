"""Open a tracking store safely, and say plainly what is wrong when that fails."""

from __future__ import annotations

import logging
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import sqlalchemy.event
import sqlalchemy.exc
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking.faults import shown, store_faults

DEFAULT_FILE = "mlflow.db"  # in the current folder, as MLflow's own default


@dataclass(frozen=True)
class Store:
    """An open tracking store and where in it this command works.

    Attributes:
        uri: of the store; it may hold a password, so messages show the store itself (`str`).
        experiment_id: where new runs go.
        invocation: the run that `mlflow run` made for this command, if it was started that way.
    """

    _client: MlflowClient = field(repr=False)
    uri: str = field(repr=False)
    experiment_id: str
    invocation: str | None = None

    def __str__(self) -> str:
        return shown(self.uri)

    @property
    def experiment_name(self) -> str:
        return str(self._client.get_experiment(self.experiment_id).name)

    def artifact_location(self, run_id: str, artifact: str) -> str:
        """Where a user finds an artifact: its file in a local store, else the command that fetches it."""
        uri = self._client.get_run(run_id).info.artifact_uri
        if uri.startswith(("file:", "/", ".")):
            return str(Path(local_file_uri_to_path(uri)).resolve() / artifact)
        return f"mlflow artifacts download --run-id {run_id} --artifact-path {artifact}"

    def ui_hint(self) -> str:
        """How to open the experiment's runs as charts."""
        page = f"/#/experiments/{self.experiment_id}/runs?workflowType=machine_learning&compareRunsMode=CHART"
        if self.uri.startswith("http"):
            return self.uri.rstrip("/") + page
        return f"mlflow ui --backend-store-uri {self}  then open  http://127.0.0.1:5000{page}"

    def in_experiment(self, experiment_id: str) -> Store:
        """The same store, working in another experiment; the command's own run stays where it is."""
        own = self.invocation if experiment_id == self.experiment_id else None
        return Store(self._client, self.uri, experiment_id, own)


def open_store(uri: str | None = None, experiment: str | None = None) -> Store:
    """Open the store that MLflow's environment variables name, by default the SQLite file `mlflow.db` in this folder.

    Args:
        uri: tracking URI; default MLFLOW_TRACKING_URI.
        experiment: name of the experiment, made if need be; default the one of the run that `mlflow run` made,
            then MLFLOW_EXPERIMENT_NAME, then MLflow's own 'Default'.
    Raises:
        EnvironmentFault: the store cannot be reached, or was written by another version of MLflow.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / DEFAULT_FILE}"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # bars of its own are shown for long work
    # What MLflow says while it makes its tables and models is no news to the user of this tool.
    for logger in (
        "mlflow.store.db.utils",
        "mlflow.tracking._model_registry",
        "mlflow.store.model_registry",
        "alembic",
    ):
        logging.getLogger(logger).setLevel(logging.WARNING)
    # Two lines a run that ends, of which a study has hundreds, each after two more calls of the server.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's own 7 keep silent for minutes
    with store_faults(uri):
        if uri.startswith("sqlite:///"):
            _prepare_sqlite(Path(uri.removeprefix("sqlite:///").partition("?")[0]), uri)
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(uri)
        invocation = os.environ.get("MLFLOW_RUN_ID") or None
        if invocation:
            return Store(client, uri, client.get_run(invocation).info.experiment_id, invocation)
        name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        return Store(client, uri, _experiment(client, name))


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage == "deleted":
        raise EnvironmentFault(f"experiment {name!r} was deleted; restore it or choose another --experiment-name")
    return str(found.experiment_id)


def _prepare_sqlite(path: Path, uri: str) -> None:
    """Create the tables once, under a lock: several processes opening a new database together can break it for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        with sqlite3.connect(path) as connection:  # readers no longer wait for writers; the setting stays in the file
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        MlflowClient(uri).search_experiments(max_results=1)


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _sync_at_checkpoints(connection: object, _: object) -> None:
    """Let SQLite write through to the disk at its checkpoints, not at each of the dozen commits a run takes.

    With a write-ahead log a killed process loses nothing by this, and a power failure the last commits at most: the
    file stays whole, and the same command makes what is missing.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")
