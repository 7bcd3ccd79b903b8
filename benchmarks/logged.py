"""A drawn study, scored and logged as the sweep logs its variants."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pandas as pd
from drawn import Predictions

from prunecxr.evaluation.metrics import class_scores
from prunecxr.tracking import artifacts, names, runs, variants
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

SPLIT = "0123456789abcdef"


def log_seed(store: Store, study: str, seed: int, labels: pd.DataFrame) -> TrackedRun:
    """A seed run with the labels and counts of its test split."""
    classes = tuple(labels.columns[2:])
    tags = {names.KEY: f"{study}-{seed}", names.STUDY: study, names.SEED: str(seed), names.DATASET: "drawn"}
    run = runs.create(store, "seed", {**tags, names.ARCHITECTURE: "none"}, name=names.seed_run_name(seed))
    truth = labels[list(classes)].to_numpy()
    with run.files() as folder:
        (folder / names.test_labels(SPLIT)).parent.mkdir(parents=True)
        subjects = labels["subject_id"].to_numpy(object)
        ids = labels["id"].to_numpy(object)
        artifacts.write_labels(folder / names.test_labels(SPLIT), ids, subjects, classes, truth)
        counts = pd.DataFrame({"class": classes, "test_count": truth.sum(axis=0), "n_test": len(labels)})
        counts = counts.assign(train_count=4 * counts["test_count"], n_train=4 * len(labels))
        counts.to_csv(folder / names.class_counts(SPLIT), index=False)
        (folder / names.data_warnings(SPLIT)).write_text("", encoding="utf-8")
    run.finish()
    return run


def log_study(
    store: Store, study: str, labels: pd.DataFrame, drawn: Predictions, seeds: int, sparsities: tuple[float, ...]
) -> np.ndarray:
    """Log a study; the wall and the CPU seconds that its variants' entries took, drawing and scoring left out."""
    classes = tuple(labels.columns[2:])
    ids, truth = labels["id"].to_numpy(object), labels[list(classes)].to_numpy()
    spent = np.zeros(2)
    for seed in range(seeds):
        seed_run = log_seed(store, study, seed, labels)
        for k, probabilities in zip(sparsities, drawn.of_seed(seed, sparsities), strict=True):
            scores = class_scores(truth, probabilities, classes)
            sizes = {names.REALISED_SPARSITY: k, names.NONZERO_WEIGHTS: round(1e7 * (1 - k))}
            metrics = variants.score_metrics(scores) | sizes
            start = _clocks()
            _log(seed_run, k, ids, classes, probabilities, scores, metrics)
            spent += _clocks() - start
        start = _clocks()
        variants.log_curves(seed_run, "magnitude")
        spent += _clocks() - start
    return spent


def _clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _log(
    seed_run: TrackedRun,
    sparsity: float,
    ids: np.ndarray,
    classes: tuple[str, ...],
    probabilities: np.ndarray,
    scores: pd.DataFrame,
    metrics: dict[str, float],
) -> None:
    inherited = {name: seed_run.tags[name] for name in (names.DATASET, names.ARCHITECTURE, names.SEED, names.STUDY)}
    tags = {
        **inherited,
        names.KEY: f"{seed_run.tags[names.KEY]}-{sparsity:g}",
        names.POPULATION: seed_run.tags[names.STUDY],
        names.TEST_SPLIT: SPLIT,
        names.METHOD: "magnitude",
        names.SPARSITY: names.sparsity_text(sparsity),
    }
    files = {"ids": ids, "classes": classes, "predicted": probabilities, "scores": scores, "recipe": {}}
    variants.log_variant(seed_run, None, tags, metrics, partial(variants.write_variant, **files))
