"""The variants below a seed run: which are there, logging one, their points on the seed run's curves.

A study has hundreds of them: each is logged in as few calls of the store as it takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from prunecxr.data.labels import LabelTable
from prunecxr.evaluation.metrics import mean_scores
from prunecxr.tracking import digests, names, runs
from prunecxr.tracking.artifacts import write_labels, write_predictions, write_recipe
from prunecxr.tracking.runs import TrackedRun

MEAN_AP = names.MEAN_METRICS["ap"]


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
    write_predictions(folder / names.PREDICTIONS, ids, classes, predicted)
    scores.to_csv(folder / names.SCORES)
    write_recipe(folder, recipe)


def write_validation(folder: Path, table: LabelTable, predicted: np.ndarray) -> None:
    """What a dense network says of the validation images, and their labels: where thresholds are set.

    Args:
        predicted: probabilities, shape (n, n_classes).
    """
    write_predictions(folder / names.VAL_PREDICTIONS, table.ids, table.classes, predicted)
    write_labels(folder / names.VAL_LABELS, table.ids, table.subjects, table.classes, table.labels)


def score_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Metrics by their names in the store: each class's scores (a row of `class_scores`), and their means."""
    classes, means = tuple(scores.index), mean_scores(scores)
    metrics = {mean: means[score] for score, mean in names.MEAN_METRICS.items()}
    for score in names.MEAN_METRICS:
        metrics |= zip(names.metric_names(score, classes).values(), scores[score].tolist(), strict=True)
    return metrics


def log_variant(
    seed_run: TrackedRun,
    kind: str,
    unfinished: TrackedRun | None,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    write: Callable[[Path], object],
) -> TrackedRun:
    """Log a variant as a child of its seed run; it is finished once all of it is there.

    Args:
        kind: of its run.
        unfinished: what a kill left of it; None: nothing.
        tags: with its key, seed, method and sparsity.
        write: puts its artifacts into the folder that it is given. A thread of its own does that and logs them while
            the store takes the metrics: compressing, copying and sending them leave the interpreter free.
    """
    seed, method, sparsity = int(tags[names.SEED]), tags[names.METHOD], float(tags[names.SPARSITY])
    params = {"cfg/seed": str(seed), "cfg/method": method, "cfg/sparsity": f"{sparsity:g}"}
    with TemporaryDirectory(prefix="prunecxr-") as folder, ThreadPoolExecutor(max_workers=1) as beside:
        writing = beside.submit(_written, write, Path(folder))
        run = unfinished or runs.create(
            seed_run.store,
            kind,
            {names.STUDY: seed_run.tags[names.STUDY], **tags},
            name=names.variant_run_name(seed, method, sparsity),
            parent=seed_run.id,
        )
        logged = unfinished.params() if unfinished else {}
        params = {name: value for name, value in params.items() if name not in logged}
        noted = writing.result()
        sending = beside.submit(run.send_files, Path(folder))
        run.log(metrics=metrics, params=params, tags={names.DIGESTS: noted})
        sending.result()
    run.finish()
    return run


def _written(write: Callable[[Path], object], folder: Path) -> str:
    """Write artifacts into a folder; the tag with their digests."""
    write(folder)
    return digests.merged("", digests.folder_digests(folder))


# Metrics of a variant that are points of its seed run's curves, by the kind of its run: these, and those that begin so.
CURVES: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "variant": ({MEAN_AP}, ("ap/",)),
    "htl_pruned": (set(names.LOCALIZATION_METRICS.values()), ()),
}


def log_curves(seed_run: TrackedRun, method: str, kind: str) -> None:
    """Log the points of the seed run's curves (over `names.curve_step`) that its finished variants have and it lacks.

    All of them in one call, after its variants: a call a variant would cost as much as a third of the variant. What a
    kill kept from being logged is found missing by the next command. Whoever calls this holds the seed run's claim.

    Args:
        kind: of the variants' runs.
    """
    points, held = _curves(seed_run, method, kind)
    if seed_run.tags.get(_noted(method)) != held:
        seed_run.log_new_points(sorted(points.items()))
        seed_run.log(tags={_noted(method): held})


def has_curves(seed_run: TrackedRun, method: str, kind: str) -> bool:
    """Whether all of these points are there, as a tag says: nobody need ask for them one by one."""
    return seed_run.tags.get(_noted(method)) == _curves(seed_run, method, kind)[1]


def _curves(seed_run: TrackedRun, method: str, kind: str) -> tuple[dict[int, dict[str, float]], str]:
    """Step -> values of the points that the finished variants have, and a hash of which these are."""
    prefix, (whole, begins) = names.curve_prefix(method), CURVES[kind]
    tags = {names.KIND: kind, names.PARENT: seed_run.id, names.METHOD: method}
    points: dict[int, dict[str, float]] = {}
    for run in runs.search(seed_run.store, tags, finished=True):  # of several of one sparsity the newest
        values = {
            f"{prefix}{name}": value
            for name, value in run.metrics().items()
            if name in whole or name.startswith(begins)
        }
        points.setdefault(names.curve_step(float(run.tags[names.SPARSITY])), values)
    steps = sorted((step, sorted(values)) for step, values in points.items())
    return points, hashlib.sha256(json.dumps(steps).encode()).hexdigest()[:16]


def _noted(method: str) -> str:
    return f"{names.CURVES}.{names.approach_suffix(method)}"
