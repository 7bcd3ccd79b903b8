"""Reading what was logged with a run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking.runs import TrackedRun


def fetch(run: TrackedRun, artifact: str, folder: Path) -> Path:
    """A local path of a run's artifact: the file itself in a local store, else a download into `folder`.

    Raises:
        EnvironmentFault: the artifact is not there.
    """
    uri = run.artifact_uri
    if uri.startswith(("file:", "/", ".")):
        path = Path(local_file_uri_to_path(uri)) / artifact
        if path.is_file():
            return path
        raise EnvironmentFault(f"run {run.id}: its artifact {artifact} is not at {path}")
    try:
        # MLflow's client would look the run up twice more, and its models.
        repository = get_artifact_repository(uri, tracking_uri=run.store.uri)
        return Path(repository.download_artifacts(artifact, str(folder)))
    except (MlflowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise EnvironmentFault(f"run {run.id}: its artifact {artifact} cannot be read ({first})") from None


def read_table(run: TrackedRun, name: str) -> pd.DataFrame:
    """A table that was logged with a run: Parquet, or CSV with ids as texts."""
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        path = fetch(run, name, Path(folder))
        if path.suffix != ".csv":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={"id": str}, keep_default_na=False, na_values=[""])


def read_text(run: TrackedRun, name: str) -> str:
    """A text that was logged with a run."""
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        return fetch(run, name, Path(folder)).read_text(encoding="utf-8")
