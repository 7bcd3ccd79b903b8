"""What tests look up in a store by MLflow's own client, as a user's notebook would."""

from __future__ import annotations

from mlflow import MlflowClient

from prunecxr.tracking.store import Store


def client_of(store: Store) -> MlflowClient:
    """MLflow's client of an open store."""
    return MlflowClient(store.uri)
