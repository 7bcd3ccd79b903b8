"""Runs: find or create, resume, log. Work is identified by its key; a finished run is never touched again."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from prunecxr.data.labels import LabelTable
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.tracking import names
from prunecxr.tracking.store import Store

# MLflow admits 100 params, 100 tags, and 1000 entries of all kinds together in a batch.
MAX_METRICS, MAX_PARAMS, MAX_TAGS = 800, 100, 100


def search(
    store: Store,
    tags: Mapping[str, str],
    finished: bool = False,
    experiment_ids: Iterable[str] = (),
    most: int | None = None,
) -> list[TrackedRun]:
    """The runs that carry these tags, newest first: all of them, or at most that many."""
    clauses = [f"tags.`{name}` = {_quoted(value)}" for name, value in tags.items()]
    if finished:
        clauses.append("attributes.status = 'FINISHED'")
    pages: list[TrackedRun] = []
    token: str | None = None
    while True:
        with _collector_paused():
            page = store.client.search_runs(
                list(experiment_ids) or [store.experiment_id],
                " and ".join(clauses),
                max_results=most or 1000,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
        pages.extend(wrap(store, run) for run in page)
        token = page.token
        if not token or most:
            return pages


@contextmanager
def _collector_paused() -> Iterator[None]:
    """MLflow makes a hundred objects a run: the collector, which walks over all that is loaded, doubles its time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def batched(entries: list[Any], size: int) -> Iterator[list[Any]]:
    """Pieces of at most `size` entries."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def _metrics(points: Iterable[tuple[int, Mapping[str, float]]]) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(n, float(v), now, step) for step, values in points for n, v in values.items() if not np.isnan(v)]


def _quoted(value: str) -> str:
    """MLflow's filters have no escape for quotes; no name of this tool holds one."""
    if "'" in value:
        raise UserError(f"{value!r}: names hold no quotes")
    return f"'{value}'"


@dataclass
class TrackedRun:
    """One run of the store, and what may be read from it and logged to it.

    Attributes:
        status: RUNNING, FINISHED, FAILED or KILLED, when it was last read.
        start_time: milliseconds since 1970, by the clock of whoever opened it.
    """

    store: Store
    id: str
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"
    artifact_uri: str = ""
    experiment_id: str = ""
    start_time: int = 0
    _read: Run | None = None  # as the store last gave it

    @property
    def finished(self) -> bool:
        """Whether it ended well."""
        return self.status == "FINISHED"

    def refresh(self) -> None:
        """Read tags and status again, and params and metrics when they are asked for."""
        self._take(self.store.client.get_run(self.id))

    def _take(self, run: Run) -> None:
        self._read, self.tags, self.status = run, dict(run.data.tags), run.info.status

    def metrics(self) -> dict[str, float]:
        """The newest value of every metric."""
        return dict(self._fresh().data.metrics)

    def params(self) -> dict[str, str]:
        """Every param."""
        return dict(self._fresh().data.params)

    def _fresh(self) -> Run:
        """The run as the store last gave it, unless something was logged since."""
        if self._read is None:
            self._take(self.store.client.get_run(self.id))
        assert self._read is not None
        return self._read

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Step and value of every logged point of a metric."""
        return [(point.step, point.value) for point in self.store.client.get_metric_history(self.id, metric)]

    def put_tag(self, name: str, value: str) -> None:
        """Set one tag, and leave everything that this object knows as it is: other threads may do so."""
        self.store.client.set_tag(self.id, name, value)

    def write_once(self, name: str, value: str) -> str:
        """Write a param unless it is there; what it is afterwards: of several writers one wins, by the store's keys."""
        self._read = None
        try:
            self.store.client.log_param(self.id, name, value)
        except MlflowException:
            there = self.params().get(name)
            if there is None:
                raise
            return there
        return value

    def log(
        self,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log everything in as few calls as MLflow's limits admit; undefined (NaN) metrics are left out."""
        values = _metrics([(step, metrics or {})])
        texts = [Param(n, v[:6000]) for n, v in (params or {}).items()]
        labels = [RunTag(n, v) for n, v in (tags or {}).items()]
        self.tags.update(tags or {})
        self._read = None
        batches = zip_longest(batched(values, MAX_METRICS), batched(texts, MAX_PARAMS), batched(labels, MAX_TAGS))
        for part in batches:
            metric_part, param_part, tag_part = ([*(entries or ())] for entries in part)
            self.store.client.log_batch(self.id, metrics=metric_part, params=param_part, tags=tag_part)

    def log_points(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Log metrics of many steps in as few calls as MLflow's limits admit; undefined (NaN) ones are left out."""
        self._read = None
        for part in batched(_metrics(points), MAX_METRICS):
            self.store.client.log_batch(self.id, metrics=part)

    def log_new_points(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """The same without those points that are there, by metric and step, where a kill came in the middle."""
        points = list(points)
        there: dict[str, set[int]] = {}
        for name in {name for _, values in points for name in values} & set(self.metrics()):
            there[name] = {step for step, _ in self.history(name)}
        self.log_points(
            (step, {name: value for name, value in values.items() if step not in there.get(name, ())})
            for step, values in points
        )

    def log_new_params(self, params: Mapping[str, str]) -> None:
        """Log those params that the run does not have yet: MLflow's are immutable, and continued work may differ."""
        there = self.params()
        self.log(params={name: value for name, value in params.items() if name not in there})

    def log_files(self, folder: Path) -> None:
        """Log everything that lies in a folder, with its sub-folders."""
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
        self.store.client.log_inputs(self.id, [DatasetInput(dataset, [tag])])

    def resume(self) -> None:
        """Mark as running again."""
        self.store.client.update_run(self.id, "RUNNING")
        self.status = "RUNNING"

    def finish(self, status: str = "FINISHED") -> None:
        """Mark as ended: FINISHED, FAILED or KILLED."""
        self.store.client.set_terminated(self.id, status)
        self.status = status


def wrap(store: Store, run: Run) -> TrackedRun:
    """A run of MLflow's as a TrackedRun."""
    info = run.info
    tags = dict(run.data.tags)
    return TrackedRun(
        store, info.run_id, tags, info.status, info.artifact_uri, info.experiment_id, info.start_time, run
    )


def get(store: Store, run_id: str) -> TrackedRun | None:
    """The run of that id, in whatever experiment, or None."""
    try:
        run = store.client.get_run(run_id)
    except MlflowException:
        return None
    return wrap(store, run) if run.info.lifecycle_stage == "active" else None


def get_existing(store: Store, run_id: str) -> TrackedRun:
    """The run of that id.

    Raises:
        EnvironmentFault: it was deleted, or never was.
    """
    run = get(store, run_id)
    if run is None:
        raise EnvironmentFault(f"run {run_id} is not in {store}: it was deleted; restore it, or repeat what made it")
    return run


def origin_of(run: TrackedRun) -> str | None:
    """Where the networks of a study, seed or variant run are from, as in `names.ORIGIN`; None: it does not say."""
    if names.ORIGIN in run.tags or run.tags.get(names.KIND) != "seed":
        return run.tags.get(names.ORIGIN)
    # Imports of the first version carry no origin; what was trained has a model before it has a test split.
    return names.IMPORTED if names.TEST_SPLIT in run.tags and names.MODEL not in run.tags else names.TRAINED


def find(store: Store, kind: str, tags: Mapping[str, str]) -> TrackedRun | None:
    """The run of that kind and tags: a finished one rather than an unfinished, the newest of several."""
    ordered = sorted(search(store, {names.KIND: kind, **tags}), key=lambda run: not run.finished)
    return ordered[0] if ordered else None


def create(store: Store, kind: str, tags: Mapping[str, str], *, name: str, parent: str | None = None) -> TrackedRun:
    """A new run of that kind, of which the caller knows that it is not there yet."""
    labels = _labels(kind, tags, parent)
    return wrap(store, store.client.create_run(store.experiment_id, tags=labels, run_name=name))


def adopt(run: TrackedRun, kind: str, tags: Mapping[str, str], *, name: str, parent: str | None = None) -> TrackedRun:
    """The run that `mlflow run` made for this command, as one of that kind."""
    run.log(tags={names.RUN_NAME: name, **_labels(kind, tags, parent)})
    return run


def discard(run: TrackedRun) -> None:
    """Take back a run that was opened in vain; the one that `mlflow run` made stays, without a meaning."""
    if run.id != run.store.invocation:
        run.store.client.delete_run(run.id)
        return
    for tag in [tag for tag in run.tags if tag.startswith("prunecxr.") or tag == names.PARENT]:
        run.store.client.delete_tag(run.id, tag)
        del run.tags[tag]


def _labels(kind: str, tags: Mapping[str, str], parent: str | None) -> dict[str, str]:
    return {names.KIND: kind, **tags, **({names.PARENT: parent} if parent else {})}


def unclaimed_invocation(store: Store) -> TrackedRun | None:
    """The run that `mlflow run` made for this command, if it does not stand for anything yet."""
    run = get(store, store.invocation) if store.invocation else None
    return run if run is not None and names.KIND not in run.tags else None


def claim_invocation(store: Store, kind: str, study: str, parent: str | None, found: str | None) -> None:
    """Let the run that `mlflow run` made say what became of it, where no new work took its place.

    Args:
        kind: the entry point.
        parent: the study's run.
        found: id of the run that holds what was asked for.
    """
    own = unclaimed_invocation(store)
    if own is None:
        return
    tags = {names.KIND: kind, names.STUDY: study, names.RUN_NAME: f"{kind} (continued)"}
    if found:
        tags[names.FOUND] = found
    if parent and parent != own.id:
        tags[names.PARENT] = parent
    own.log(tags=tags)


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


def write_test_split(
    folder: Path, split: str, table: LabelTable, counts: pd.DataFrame, warnings: Iterable[str]
) -> None:
    """What an analysis must know of the data, as artifacts of a seed run.

    Args:
        split: what the test split is called, from its content.
        counts: as in `names.class_counts`.
    """
    for artifact in (names.test_labels(split), names.class_counts(split), names.data_warnings(split)):
        (folder / artifact).parent.mkdir(parents=True, exist_ok=True)
    write_labels(folder / names.test_labels(split), table.ids, table.subjects, table.classes, table.labels)
    counts.to_csv(folder / names.class_counts(split), index=False)
    (folder / names.data_warnings(split)).write_text("\n".join(warnings), encoding="utf-8")


def write_labels(
    path: Path, ids: np.ndarray, subjects: np.ndarray, classes: tuple[str, ...], labels: np.ndarray
) -> None:
    """The test split's labels as Parquet: `id`, `subject_id`, one 0/1 column a class: what the analysis needs."""
    table = pd.DataFrame(labels, columns=list(classes))
    table.insert(0, "subject_id", subjects.astype(str))
    table.insert(0, "id", ids.astype(str))
    table.to_parquet(path, index=False)
