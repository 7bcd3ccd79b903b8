"""Runs: find or create, continue. Work is identified by its key; a finished run is never touched again."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.tracking import names
from prunecxr.tracking.run import TrackedRun as TrackedRun
from prunecxr.tracking.run import batched, tracked
from prunecxr.tracking.store import Store


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
    return _search(store, clauses, list(experiment_ids) or [store.experiment_id], most)


def _search(store: Store, clauses: Sequence[str], experiment_ids: list[str], most: int | None) -> list[TrackedRun]:
    found: list[TrackedRun] = []
    token: str | None = None
    while True:
        with _collector_paused():
            page = store._client.search_runs(
                experiment_ids,
                " and ".join(clauses),
                max_results=most or 1000,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found.extend(tracked(store, run) for run in page)
        token = page.token
        if not token or most:
            return found


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


def _quoted(value: str) -> str:
    """MLflow's filters have no escape for quotes; no name of this tool holds one."""
    if "'" in value:
        raise UserError(f"{value!r}: names hold no quotes")
    return f"'{value}'"


def get(store: Store, run_id: str) -> TrackedRun | None:
    """The run of that id, in whatever experiment, or None."""
    try:
        run = store._client.get_run(run_id)
    except MlflowException:
        return None
    return tracked(store, run) if run.info.lifecycle_stage == "active" else None


def get_existing(store: Store, run_id: str) -> TrackedRun:
    """The run of that id, which another one names.

    Raises:
        EnvironmentFault: it is not there any more.
    """
    run = get(store, run_id)
    if run is None:
        raise EnvironmentFault(f"run {run_id} is gone from {store}; restore it (mlflow runs restore --run-id {run_id})")
    return run


def get_all(store: Store, run_ids: Iterable[str]) -> dict[str, TrackedRun]:
    """Id -> run, of runs of the store's experiment that others name, in few calls.

    Raises:
        EnvironmentFault: one of them is not there any more.
    """
    ids = list(dict.fromkeys(run_ids))
    there: dict[str, TrackedRun] = {}
    for part in batched(ids, 100):
        listed = ", ".join(_quoted(run_id) for run_id in part)
        there |= {
            run.id: run for run in _search(store, [f"attributes.run_id IN ({listed})"], [store.experiment_id], None)
        }
    return {run_id: there.get(run_id) or get_existing(store, run_id) for run_id in ids}


def origin_of(run: TrackedRun) -> str | None:
    """Where the networks of a study, seed or variant run are from, as in `names.ORIGIN`; None: it does not say."""
    if names.ORIGIN in run.tags or run.tags.get(names.KIND) != "seed":
        return run.tags.get(names.ORIGIN)
    # Imports of the first version carry no origin; what was trained has a model before it has a test split.
    return names.IMPORTED if names.TEST_SPLIT in run.tags and names.MODEL not in run.tags else names.TRAINED


def find(store: Store, kind: str, tags: Mapping[str, str]) -> TrackedRun | None:
    """The run of that kind and tags: a finished one rather than an unfinished, the newest of several."""
    found = search(store, {names.KIND: kind, **tags})
    found.sort(key=lambda run: not run.finished)
    return found[0] if found else None


def children_by_key(parent: TrackedRun, kind: str) -> dict[str, TrackedRun]:
    """The runs of a kind below another, by key: of several a finished one rather than an unfinished, the newest."""
    tags = {names.KIND: kind, names.STUDY: parent.tags[names.STUDY], names.PARENT: parent.id}
    there = search(parent.store, tags)
    there.reverse()
    there.sort(key=lambda run: run.finished)
    return {run.tags[names.KEY]: run for run in there}


def create(store: Store, kind: str, tags: Mapping[str, str], *, name: str, parent: str | None = None) -> TrackedRun:
    """A new run of that kind, of which the caller knows that it is not there yet."""
    labels = _labels(kind, tags, parent)
    run = tracked(store, store._client.create_run(store.experiment_id, tags=labels, run_name=name))
    run._read = None
    return run


def adopt(
    invocation: TrackedRun, kind: str, tags: Mapping[str, str], *, name: str, parent: str | None = None
) -> TrackedRun:
    """Make the run that `mlflow run` made one of that kind."""
    invocation.log(tags={names.RUN_NAME: name, **_labels(kind, tags, parent)})
    return invocation


def discard(run: TrackedRun) -> None:
    """Take back a run that was opened in vain; the one that `mlflow run` made stays, without a meaning."""
    if run.id != run.store.invocation:
        run.delete()
        return
    for tag in [tag for tag in run.tags if tag.startswith("prunecxr.") or tag == names.PARENT]:
        run.store._client.delete_tag(run.id, tag)
        del run.tags[tag]


def _labels(kind: str, tags: Mapping[str, str], parent: str | None) -> dict[str, str]:
    return {names.KIND: kind, **tags, **({names.PARENT: parent} if parent else {})}


def unclaimed_invocation(store: Store) -> TrackedRun | None:
    """The run that `mlflow run` made, if it does not stand for anything yet."""
    if store.invocation is None:
        return None
    run = get(store, store.invocation)
    return None if run is None or names.KIND in run.tags else run


def claim_invocation(store: Store, kind: str, study: str, parent: str | None, holder: str | None) -> None:
    """Let the run that `mlflow run` made say what became of it, where no new work took its place.

    Args:
        kind: the entry point.
        parent: the study's run.
        holder: id of the run that holds what was asked for.
    """
    invocation = unclaimed_invocation(store)
    if invocation is None:
        return
    tags = {names.KIND: kind, names.STUDY: study, names.RUN_NAME: f"{kind} (continued)"}
    if holder:
        tags[names.FOUND] = holder
    if parent and parent != invocation.id:
        tags[names.PARENT] = parent
    invocation.log(tags=tags)
