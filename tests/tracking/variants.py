"""Variants as a study would log them, made up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.tracking import artifacts, names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

CLASSES = ("Effusion", "Mass/Nodule", "No Finding")
IDS = np.array([f"i{n}.png" for n in range(9)], dtype=object)
SPLIT = "0123456789abcdef"


def log_seed(store: Store, seed: int, study: str = "s") -> TrackedRun:
    """A seed run with the labels and counts of its test split."""
    run = runs.create(store, "seed", {names.KEY: f"seed{seed}", names.STUDY: study}, name=names.seed_run_name(seed))
    run.log(tags={names.SEED: str(seed), names.DATASET: "d", names.ARCHITECTURE: "a"})
    labels = (np.arange(27).reshape(9, 3) % 4 == 0).astype(np.uint8)
    counts = pd.DataFrame(
        {
            "class": CLASSES,
            "train_count": [50, 5, 100],
            "val_count": [1, 1, 1],
            "test_count": labels.sum(axis=0),
            "n_train": 200,
            "n_val": 20,
            "n_test": 9,
        }
    )
    with run.files() as folder:
        (folder / names.test_labels(SPLIT)).parent.mkdir(parents=True)
        subjects = np.array([name[:2] for name in IDS], dtype=object)
        artifacts.write_labels(folder / names.test_labels(SPLIT), IDS, subjects, CLASSES, labels)
        counts.to_csv(folder / names.class_counts(SPLIT), index=False)
        (folder / names.data_warnings(SPLIT)).write_text("noticed", encoding="utf-8")
    run.finish()
    return run


def scores_of(seed: int, sparsity: float) -> dict[str, float]:
    """AP of each class: distinct everywhere; the second class has none at sparsity 0.9."""
    values = {name: 0.9 - 0.1 * i - 0.3 * sparsity - 0.01 * seed for i, name in enumerate(CLASSES)}
    if sparsity == 0.9:
        values["Mass/Nodule"] = float("nan")
    return values


def probabilities_of(seed: int, sparsity: float) -> np.ndarray:
    return np.random.default_rng([seed, round(100 * sparsity)]).random((9, 3)).astype(np.float32)


def log_variant(
    store: Store,
    seed_run: TrackedRun,
    sparsity: float,
    *,
    method: str = "magnitude",
    population: str = "p",
    key: str | None = None,
    ids: np.ndarray = IDS,
    finish: bool = True,
) -> TrackedRun:
    seed, study = int(seed_run.tags[names.SEED]), seed_run.tags[names.STUDY]
    key = key or f"{population}-{seed}-{method}-{sparsity}"
    run = runs.create(
        store,
        "variant",
        {
            names.KEY: key,
            names.STUDY: study,
            names.POPULATION: population,
            names.TEST_SPLIT: SPLIT,
            names.DATASET: "d",
            names.ARCHITECTURE: "a",
            names.SEED: str(seed),
            names.METHOD: method,
            names.SPARSITY: names.sparsity_text(sparsity),
        },
        name=names.variant_run_name(seed, method, sparsity),
        parent=seed_run.id,
    )
    with run.files() as folder:
        artifacts.write_predictions(folder / names.PREDICTIONS, ids, CLASSES, probabilities_of(seed, sparsity))
    metric = names.metric_names("ap", CLASSES)
    run.log(metrics={metric[name]: value for name, value in scores_of(seed, sparsity).items()})
    if finish:
        run.finish()
    return run
