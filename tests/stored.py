"""What tests look up in a store by MLflow's own client, as a user's notebook would."""

from __future__ import annotations

from mlflow import MlflowClient

from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


def client_of(store: Store) -> MlflowClient:
    """MLflow's client of an open store."""
    return MlflowClient(store.uri)


def list_paths(run: TrackedRun, folder: str | None = None) -> list[str]:
    """Paths of the artifacts in a folder of a run's, or at its top."""
    return [entry.path for entry in client_of(run.store).list_artifacts(run.id, folder)]
