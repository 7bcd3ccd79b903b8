"""The variants below a seed run: which are there, logging one, their points on the seed run's curves.

A study has hundreds of them: each is logged in as few calls of the store as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

MEAN_AP = names.MEAN_METRICS["ap"]


def find_variants(store: Store, study: str, seed_run: str | None = None) -> dict[tuple[str, str], TrackedRun]:
    """The variants of a study, or of one of its seed runs, by key and parent.

    Of several of the same key and parent a finished one rather than an unfinished, the newest.
    """
    parent = {names.PARENT: seed_run} if seed_run else {}
    found = runs.search(store, {names.KIND: "variant", names.STUDY: study, **parent})
    tracked = sorted((runs.wrap(store, run) for run in reversed(found)), key=lambda run: run.finished)
    return {(run.tags[names.KEY], run.tags[names.PARENT]): run for run in tracked}


def log_variant(
    seed_run: TrackedRun,
    unfinished: TrackedRun | None,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    folder: Path,
) -> TrackedRun:
    """Log a variant as a child of its seed run; it is finished once all of it is there.

    Args:
        unfinished: what a kill left of it, from `find_variants`; None: nothing.
        tags: with its key, seed, method and sparsity.
        folder: holds its artifacts, and nothing else.
    """
    seed, method, sparsity = int(tags[names.SEED]), tags[names.METHOD], float(tags[names.SPARSITY])
    run = unfinished or runs.create(
        seed_run.store,
        "variant",
        {names.STUDY: seed_run.tags[names.STUDY], **tags},
        name=names.variant_run_name(seed, method, sparsity),
        parent=seed_run.id,
    )
    run.log_files(folder)
    params = {"cfg/seed": str(seed), "cfg/method": method, "cfg/sparsity": f"{sparsity:g}"}
    run.log(metrics=metrics, params=params)
    run.finish()
    return run


def log_curves(seed_run: TrackedRun, method: str) -> None:
    """Log the points of the seed run's curves (step = 100 x sparsity) that its finished variants have and it lacks.

    All of them in one call, after its variants: a call a variant would cost as much as a third of the variant. What a
    kill kept from being logged is found missing by the next command.
    """
    client, prefix = seed_run.store.client, names.curve_prefix(method)
    logged = {(point.step, point.value) for point in client.get_metric_history(seed_run.id, f"{prefix}{MEAN_AP}")}
    tags = {names.KIND: "variant", names.PARENT: seed_run.id, names.METHOD: method}
    points = []
    for run in reversed(runs.search(seed_run.store, tags, finished=True)):
        step, values = round(100 * float(run.data.tags[names.SPARSITY])), run.data.metrics
        if MEAN_AP in values and (step, values[MEAN_AP]) not in logged:
            curves = {name: value for name, value in values.items() if name == MEAN_AP or name.startswith("ap/")}
            points.append((step, {f"{prefix}{name}": value for name, value in curves.items()}))
    seed_run.log_points(points)
