"""The variants below a seed run: which are there, logging one, their points on the seed run's curves.

A study has hundreds of them: each is logged in as few calls of the store as it takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prunecxr.evaluation.metrics import mean_scores
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


def write_variant(
    folder: Path,
    ids: np.ndarray,
    classes: tuple[str, ...],
    predicted: np.ndarray,
    scores: pd.DataFrame,
    recipe: Mapping[str, Any],
) -> None:
    """The artifacts of a variant.

    Args:
        ids: of the test images, shape (n,).
        predicted: their probabilities, shape (n, n_classes).
        scores: a row a class.
        recipe: what rebuilds its weights, or says where its predictions are from.
    """
    runs.write_predictions(folder / names.PREDICTIONS, ids, classes, predicted)
    scores.to_csv(folder / names.SCORES)
    (folder / names.VARIANT_RECIPE).write_text(json.dumps(dict(recipe), indent=1), encoding="utf-8")


def score_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Metrics by their names in the store: each class's scores (a row of `class_scores`), and their means."""
    classes, means = tuple(scores.index), mean_scores(scores)
    metrics = {mean: means[score] for score, mean in names.MEAN_METRICS.items()}
    for score in names.MEAN_METRICS:
        metrics |= zip(names.metric_names(score, classes).values(), scores[score].tolist(), strict=True)
    return metrics


def log_variant(
    seed_run: TrackedRun,
    unfinished: TrackedRun | None,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    write: Callable[[Path], object],
) -> TrackedRun:
    """Log a variant as a child of its seed run; it is finished once all of it is there.

    Args:
        unfinished: what a kill left of it, from `find_variants`; None: nothing.
        tags: with its key, seed, method and sparsity.
        write: puts its artifacts into the folder that it is given. A thread of its own does that and logs them while
            the store takes the metrics: compressing, copying and sending them leave the interpreter free.
    """
    seed, method, sparsity = int(tags[names.SEED]), tags[names.METHOD], float(tags[names.SPARSITY])
    run = unfinished or runs.create(
        seed_run.store,
        "variant",
        {names.STUDY: seed_run.tags[names.STUDY], **tags},
        name=names.variant_run_name(seed, method, sparsity),
        parent=seed_run.id,
    )
    params = {"cfg/seed": str(seed), "cfg/method": method, "cfg/sparsity": f"{sparsity:g}"}
    with ThreadPoolExecutor(max_workers=1) as beside:
        files = beside.submit(_log_written, run, write)
        run.log(metrics=metrics, params=params)
        files.result()
    run.finish()
    return run


def _log_written(run: TrackedRun, write: Callable[[Path], object]) -> None:
    with run.files() as folder:
        write(folder)


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
