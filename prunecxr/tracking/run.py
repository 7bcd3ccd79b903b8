"""One run of the store: what it holds, and what may be logged to it."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from prunecxr.tracking import digests, names
from prunecxr.tracking.store import Store

# MLflow admits 100 params, 100 tags, and 1000 entries of all kinds together in a batch.
MAX_METRICS, MAX_PARAMS, MAX_TAGS = 800, 100, 100
LONGEST_PARAM, LONGEST_TAG = 6000, 8000  # characters
WRITE_TRIES = 5  # of a param that is written once, in a store that is busy

Points = Iterable[tuple[int, Mapping[str, float]]]  # step -> values of metrics

_logger = logging.getLogger(__name__)


@dataclass
class TrackedRun:
    """One run of the store, and what may be logged to it.

    Attributes:
        tags: as they were read last, and what this object added to them.
        status: RUNNING, FINISHED, FAILED or KILLED; likewise.
        start_time: when it was made, in milliseconds since 1970.
    """

    store: Store
    id: str
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"
    artifact_uri: str = ""
    start_time: int = 0
    experiment_id: str = ""
    _read: tuple[dict[str, float], dict[str, str]] | None = field(default=None, repr=False)  # by a search, just now

    @property
    def finished(self) -> bool:
        """Whether the run has ended well."""
        return self.status == "FINISHED"

    def metrics(self) -> dict[str, float]:
        """The last value of every metric; after a search without another call of the store, until something is logged
        or the run is refreshed.
        """
        return dict(self._data()[0])

    def params(self) -> dict[str, str]:
        """All params; read as metrics are."""
        return dict(self._data()[1])

    def _data(self) -> tuple[dict[str, float], dict[str, str]]:
        if self._read is not None:
            return self._read
        data = self.store._client.get_run(self.id).data
        return data.metrics, data.params

    def history(self, name: str) -> list[tuple[int, float]]:
        """Step and value of every point that was logged of a metric, by steps; none where there is no such metric."""
        points = self.store._client.get_metric_history(self.id, name)
        return sorted((point.step, point.value) for point in points)

    def refresh(self) -> None:
        """Read tags and status again; metrics and params are read when they are asked for."""
        run = self.store._client.get_run(self.id)
        self.tags, self.status, self._read = dict(run.data.tags), run.info.status, None

    def write_once(self, name: str, value: str) -> str:
        """Log a param that is written once: what is in the store afterwards, this value or the one that came before it.

        MLflow's params are immutable, and the table has one row for a run and name: of several processes that write
        one at the same moment a single one succeeds.

        Raises:
            ValueError: a value that MLflow would cut.
        """
        if len(value) > LONGEST_PARAM:
            raise ValueError(f"param {name}: {len(value):,} characters, MLflow takes {LONGEST_PARAM:,}")
        self._read = None
        for attempt in range(WRITE_TRIES):
            try:
                self.store._client.log_param(self.id, name, value)
            except MlflowException:
                written = self.params().get(name)
                if written is not None:
                    return written
                if attempt == WRITE_TRIES - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
            else:
                return value
        raise AssertionError("unreachable")

    def put_tag(self, name: str, value: str) -> None:
        """Set a tag in the store alone: threads may do that beside the run's own work."""
        self.store._client.set_tag(self.id, name, value)

    def log(
        self,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log everything in as few calls as MLflow's limits admit; undefined (NaN) metrics are left out."""
        values = _metrics([(step, metrics or {})])
        texts = [Param(n, self._cut(n, v, LONGEST_PARAM)) for n, v in (params or {}).items()]
        labels = [RunTag(n, self._cut(n, v, LONGEST_TAG)) for n, v in (tags or {}).items()]
        self.tags.update(tags or {})
        self._read = None
        batches = zip_longest(batched(values, MAX_METRICS), batched(texts, MAX_PARAMS), batched(labels, MAX_TAGS))
        for part in batches:
            metric_part, param_part, tag_part = ([*(entries or ())] for entries in part)
            self.store._client.log_batch(self.id, metrics=metric_part, params=param_part, tags=tag_part)

    def _cut(self, name: str, text: str, longest: int) -> str:
        """The text, or its beginning and how long it was, which a line of the log says, too."""
        if len(text) <= longest:
            return text
        mark = f" ... [cut: {len(text):,} characters]"
        _logger.warning("run %s: %s has %s characters; the store keeps %s", self.id, name, len(text), longest)
        return text[: longest - len(mark)] + mark

    def log_points(self, points: Points) -> None:
        """Log metrics of many steps in as few calls as MLflow's limits admit; undefined (NaN) ones are left out."""
        self._read = None
        for part in batched(_metrics(points), MAX_METRICS):
            self.store._client.log_batch(self.id, metrics=part)

    def log_new_points(self, points: Points) -> None:
        """Log those points, by metric and step, that the run does not have yet."""
        points, logged = list(points), self.metrics()
        named = {name for _, values in points for name in values}
        steps = {name: {step for step, _ in self.history(name)} for name in named if name in logged}
        self.log_points(
            (step, {name: value for name, value in values.items() if step not in steps.get(name, ())})
            for step, values in points
        )

    def log_new_params(self, params: Mapping[str, str]) -> None:
        """Log those params that the run does not have yet: MLflow's are immutable, and continued work may differ."""
        logged = self.params()
        self.log(params={name: value for name, value in params.items() if name not in logged})

    def log_files(self, folder: Path) -> None:
        """Log everything that lies in a folder, with its sub-folders, and note digests of what is read back."""
        noted, new = self.tags.get(names.DIGESTS, ""), digests.folder_digests(folder)
        if new and (tag := digests.merged(noted, new)) != noted:
            self.log(tags={names.DIGESTS: tag})  # before the files: none is ever without
        self.send_files(folder)

    def send_files(self, folder: Path) -> None:
        """Log everything that lies in a folder; the caller notes the digests."""
        # MLflow's client would look the run up again, for nothing but this address.
        get_artifact_repository(self.artifact_uri, tracking_uri=self.store.uri).log_artifacts(str(folder))

    @contextmanager
    def files(self) -> Iterator[Path]:
        """A folder to write artifacts into; they are logged together when the block ends well."""
        with tempfile.TemporaryDirectory(prefix="prunecxr-") as folder:
            yield Path(folder)
            self.log_files(Path(folder))

    def log_dataset(
        self, name: str, digest: str, context: str, source: Mapping[str, Any], profile: Mapping[str, Any]
    ) -> None:
        """Log a data set as an input: its content's fingerprint, where it came from, how large it is."""
        dataset = Dataset(name, digest[:36], "local", json.dumps(source), profile=json.dumps(profile))
        tag = InputTag("mlflow.data.context", context)
        self.store._client.log_inputs(self.id, [DatasetInput(dataset, [tag])])

    def resume(self) -> None:
        """Mark as running again."""
        self.store._client.update_run(self.id, "RUNNING")
        self.status = "RUNNING"

    def finish(self, status: str = "FINISHED") -> None:
        """Mark as ended: FINISHED, FAILED or KILLED."""
        self.store._client.set_terminated(self.id, status)
        self.status = status

    def delete(self) -> None:
        """Delete the run: searches pass it over, and `mlflow gc` removes it."""
        self.store._client.delete_run(self.id)


def batched(entries: list[Any], size: int) -> Iterator[list[Any]]:
    """Pieces of at most `size` entries."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def _metrics(points: Points) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(n, float(v), now, step) for step, values in points for n, v in values.items() if not np.isnan(v)]


def tracked(store: Store, run: Run) -> TrackedRun:
    """A run of MLflow's, just read, as a TrackedRun."""
    info, data = run.info, run.data
    return TrackedRun(
        store,
        info.run_id,
        dict(data.tags),
        info.status,
        info.artifact_uri,
        info.start_time,
        info.experiment_id,
        (data.metrics, data.params),
    )
