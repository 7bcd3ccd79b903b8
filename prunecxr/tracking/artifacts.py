"""Artifacts: writing what a study keeps, and reading it back, checked against what was logged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path

from prunecxr.data.labels import LabelTable
from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import digests, names
from prunecxr.tracking.faults import first_line
from prunecxr.tracking.run import TrackedRun

DAMAGED = "restore it, or delete the run and repeat the command that made it"


def fetch(run: TrackedRun, artifact: str, folder: Path) -> Path:
    """A local path of a run's artifact: the file itself in a local store, else a download into `folder`.

    Raises:
        EnvironmentFault: the artifact is not there, or does not hold what was logged.
    """
    path = _locate(run, artifact, folder)
    if not _is_intact(run, artifact, path):
        run.refresh()  # another process may have logged it anew
        path = _locate(run, artifact, folder)
        if not _is_intact(run, artifact, path):
            raise EnvironmentFault(
                f"run {run.id}: its artifact {artifact} is damaged (its content is not what was logged); {DAMAGED}"
            )
    return path


def _is_intact(run: TrackedRun, artifact: str, path: Path) -> bool:
    try:
        return digests.is_intact(run.tags.get(names.DIGESTS, ""), artifact, path)
    except OSError as error:
        raise EnvironmentFault(f"run {run.id}: its artifact {artifact} cannot be read ({first_line(error)})") from None


def _locate(run: TrackedRun, artifact: str, folder: Path) -> Path:
    if run.artifact_uri.startswith(("file:", "/", ".")):
        path = Path(local_file_uri_to_path(run.artifact_uri)) / artifact
        if path.is_file():
            return path
        raise EnvironmentFault(f"run {run.id}: its artifact {artifact} is not at {path}")
    try:
        # MLflow's client would look the run up twice more, and its models.
        repository = get_artifact_repository(run.artifact_uri, tracking_uri=run.store.uri)
        return Path(repository.download_artifacts(artifact, str(folder)))
    except (MlflowException, OSError) as error:
        raise EnvironmentFault(f"run {run.id}: its artifact {artifact} cannot be read ({first_line(error)})") from None


def read_table(run: TrackedRun, name: str, texts: Sequence[str] = ("id",)) -> pd.DataFrame:
    """A table that was logged with a run, Parquet or CSV; empty cells of a CSV are missing.

    Args:
        texts: columns of a CSV that are text, whatever they hold, even where they are empty.
    Raises:
        EnvironmentFault: it is not there, or damaged.
    """
    with _read(run, name) as path:
        if path.suffix != ".csv":
            return pd.read_parquet(path)
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])
        return table.fillna({column: "" for column in texts if column in table})


def read_arrow(run: TrackedRun, name: str, columns: Sequence[str]) -> pa.Table:
    """Some columns of a Parquet table that was logged with a run.

    Raises:
        EnvironmentFault: it is not there, or damaged.
    """
    with _read(run, name) as path:
        return pq.read_table(path, columns=list(columns))


@contextmanager
def _read(run: TrackedRun, name: str) -> Iterator[Path]:
    """The file of an artifact; what fails while it is read is its damage, where it has no digest that says so."""
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        path = fetch(run, name, Path(folder))
        try:
            yield path
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise EnvironmentFault(
                f"run {run.id}: its artifact {name} is damaged ({first_line(error)}); {DAMAGED}"
            ) from None


def read_text(run: TrackedRun, name: str) -> str:
    """A text that was logged with a run.

    Raises:
        EnvironmentFault: it is not there, or damaged.
    """
    with _read(run, name) as path:
        return path.read_text(encoding="utf-8")


def write_predictions(path: Path, ids: np.ndarray, classes: tuple[str, ...], probabilities: np.ndarray) -> None:
    """Predictions as Parquet: `id` + one float32 column a class, lossless.

    Args:
        ids: shape (n,); probabilities: shape (n, n_classes).
    """
    columns = {"id": pa.array(ids.tolist(), pa.string())}
    for index, name in enumerate(classes):
        columns[name] = pa.array(np.ascontiguousarray(probabilities[:, index], dtype=np.float32))
    # Splitting the bytes of floats lets the compressor see their exponents together; of an id only the end is new.
    encoding = {"id": "DELTA_BYTE_ARRAY", **dict.fromkeys(classes, "BYTE_STREAM_SPLIT")}
    how = {"compression": "zstd", "compression_level": 3, "use_dictionary": False, "column_encoding": encoding}
    # Without statistics of the columns: nobody looks for an image by its probability.
    pq.write_table(pa.table(columns), path, write_statistics=False, **how)


def write_labels(
    path: Path, ids: np.ndarray, subjects: np.ndarray, classes: tuple[str, ...], labels: np.ndarray
) -> None:
    """A split's labels as Parquet: `id`, `subject_id`, one 0/1 column a class: what the analysis needs."""
    table = pd.DataFrame(labels, columns=list(classes))
    table.insert(0, "subject_id", subjects.astype(str))
    table.insert(0, "id", ids.astype(str))
    table.to_parquet(path, index=False)


def write_test_split(
    folder: Path, split: str, table: LabelTable, counts: pd.DataFrame, warnings: Iterable[str]
) -> None:
    """What an analysis must know of the data, as the artifacts of a seed run.

    Args:
        split: fingerprint of the test split.
        counts: as in `names.class_counts`.
        warnings: what was noticed about the data, a line each.
    """
    for artifact in (names.test_labels(split), names.class_counts(split), names.data_warnings(split)):
        (folder / artifact).parent.mkdir(parents=True, exist_ok=True)
    write_labels(folder / names.test_labels(split), table.ids, table.subjects, table.classes, table.labels)
    counts.to_csv(folder / names.class_counts(split), index=False)
    (folder / names.data_warnings(split)).write_text("\n".join(warnings), encoding="utf-8")


def write_metadata(folder: Path, split: str, table: LabelTable) -> None:
    """What is known of the test images besides labels, as an artifact of a seed run; nothing where nothing is known.

    Args:
        split: fingerprint of the test split.
    """
    if not table.metadata:
        return
    path = folder / names.test_metadata(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"id": table.ids.astype(str), **table.metadata}).to_parquet(path, index=False)


def write_recipe(folder: Path, recipe: Mapping[str, Any]) -> None:
    """What rebuilds a variant's weights, or says where its predictions are from, as an artifact of its run."""
    (folder / names.VARIANT_RECIPE).write_text(json.dumps(dict(recipe), indent=1), encoding="utf-8")
