"""What tests look up in a store by MLflow's own client, as a user's notebook would; stores that are copied."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


def client_of(store: Store) -> MlflowClient:
    """MLflow's client of an open store."""
    return MlflowClient(store.uri)


def list_paths(run: TrackedRun, folder: str | None = None) -> list[str]:
    """Paths of the artifacts in a folder of a run's, or at its top."""
    return [entry.path for entry in client_of(run.store).list_artifacts(run.id, folder)]


def copy_store(folder: Path, target: Path) -> None:
    """Copy a folder with its SQLite store, artifacts and work folder; its runs then lie in the new place."""
    shutil.copytree(folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db*"))
    for path in target.rglob("MLmodel"):
        path.write_text(_moved(path.read_text(encoding="utf-8"), folder, target), encoding="utf-8")
    with (
        closing(sqlite3.connect(folder / "mlflow.db")) as before,
        closing(sqlite3.connect(target / "mlflow.db")) as after,
    ):
        after.executescript(_moved("\n".join(before.iterdump()), folder, target))


def _moved(text: str, folder: Path, target: Path) -> str:
    return text.replace(str(folder), str(target))
