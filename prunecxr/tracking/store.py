"""Open a tracking store safely, and say plainly what is wrong when that fails."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import sqlalchemy.event
from mlflow import MlflowClient
from mlflow.environment_variables import MLFLOW_ALLOW_FILE_STORE
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import databases, sqlite
from prunecxr.tracking.faults import quiet_libraries, shown, store_faults
from prunecxr.tracking.sqlite import resolved, sqlite_path, sqlite_uri

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
    uri = resolved(uri or os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(Path.cwd() / DEFAULT_FILE))
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # bars of its own are shown for long work
    # Two lines a run that ends, of which a study has hundreds, each after two more calls of the server.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's own 7 keep silent for minutes
    quiet_libraries()
    with store_faults(uri):
        _prepare(uri)
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(uri)
        invocation = os.environ.get("MLFLOW_RUN_ID") or None
        if invocation:
            return Store(client, uri, client.get_run(invocation).info.experiment_id, invocation)
        name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        return Store(client, uri, _experiment(client, name))


def _prepare(uri: str) -> None:
    """Make a new store; see that an old one can be used."""
    path = sqlite_path(uri)
    if path is not None:
        sqlite.prepare(path)
    elif databases.is_database_server(uri):
        databases.prepare(uri)
    elif (folder := _folder(uri)) and not MLFLOW_ALLOW_FILE_STORE.get():
        raise EnvironmentFault(
            f"tracking store {uri}: MLflow no longer keeps runs in folders; move these runs into a database with "
            f"mlflow migrate-filestore --source {folder} --target sqlite:///{DEFAULT_FILE}, then set "
            f"MLFLOW_TRACKING_URI=sqlite:///{DEFAULT_FILE}"
        )


def _folder(uri: str) -> str:
    """The folder that a URI names; empty: it names none."""
    return local_file_uri_to_path(uri) if uri.startswith("file:") or ("://" not in uri and uri != "databricks") else ""


def _experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment of that name, made if need be, by this process or by another at the same moment."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # somebody else was faster, or an answer was lost
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        raise EnvironmentFault(f"experiment {name!r} was deleted; restore it or choose another --experiment-name")
    return str(found.experiment_id)


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _sync_at_checkpoints(connection: object, _: object) -> None:
    """Let SQLite write through to the disk at its checkpoints, not at each of the dozen commits a run takes.

    With a write-ahead log a killed process loses nothing by this, and a power failure the last commits at most: the
    file stays whole, and the same command makes what is missing.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")
