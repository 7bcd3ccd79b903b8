"""A seeded synthetic study with known statistics: rare classes are harder and forgotten earlier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from prunecxr.evaluation.metrics import CLASS_SCORES, class_scores

CLASSES = (
    "Infiltration", "Effusion", "Atelectasis", "Nodule", "Mass", "Pneumothorax", "Consolidation", "Pleural Thickening",
    "Cardiomegaly", "Emphysema", "Edema", "Fibrosis", "Subcutaneous Emphysema", "Pneumonia", "Tortuous Aorta",
    "Calcification of the Aorta", "Pneumoperitoneum", "Hernia", "Pneumomediastinum",
)  # fmt: skip


@dataclass
class Study:
    """What `analyse` takes, and the pixels a gallery shows."""

    scores: xr.Dataset
    labels: pd.DataFrame
    dense: np.ndarray
    pruned: np.ndarray
    pie_sparsity: float
    by_seed: tuple[xr.DataArray, xr.DataArray]
    predictions: xr.DataArray

    @property
    def arguments(self) -> tuple:
        return self.scores, self.labels, self.dense, self.pruned


def make_labels(rng: np.random.Generator, n_images: int, classes: tuple[str, ...]) -> pd.DataFrame:
    """Long-tailed labels that occur together, images of few patients, and 'No Finding' where none is positive."""
    n_patients = max(2, n_images // 8)
    patient = np.sort(rng.integers(n_patients, size=n_images))
    burden = rng.normal(0, 1, n_patients)[patient]
    logits = np.linspace(-1.6, -5.2, len(classes)) + 0.9 * burden[:, None]
    truth = (rng.random((n_images, len(classes))) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    labels = pd.DataFrame(truth, columns=list(classes))
    labels["No Finding"] = (truth.sum(axis=1) == 0).astype(np.uint8)
    labels.insert(0, "id", [f"{i:08d}.png" for i in range(n_images)])
    labels.insert(1, "subject_id", [f"P{p:05d}" for p in patient])
    return labels


def make_metadata(labels: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """Age and sex of every patient, and the view of every image, which nothing depends on."""
    rng = np.random.default_rng(seed)
    subjects, patient = np.unique(labels["subject_id"], return_inverse=True)
    age = rng.integers(18, 90, len(subjects))[patient].astype(float)
    sex = rng.choice(["F", "M"], len(subjects))[patient]
    view = rng.choice(["AP", "PA"], len(labels))
    return pd.DataFrame({"id": labels["id"], "age": age, "sex": sex, "view": view})


def make_study(
    n_seeds: int = 5,
    sparsities: tuple[float, ...] = (0.0, 0.5, 0.7, 0.9, 0.95),
    n_images: int = 600,
    n_classes: int = 8,
    seed: int = 3,
) -> Study:
    """Predictions of every variant are drawn, scored by the project's own metrics, and averaged over seeds."""
    rng = np.random.default_rng(seed)
    picked = np.linspace(0, len(CLASSES) - 1, n_classes - 1).round().astype(int)
    labels = make_labels(rng, n_images, tuple(CLASSES[i] for i in picked))
    names = list(labels.columns[2:])
    truth = labels[names].to_numpy()
    logit = np.log(truth.mean(axis=0).clip(1e-4, 1 - 1e-4))
    rarity = np.argsort(np.argsort(-truth.sum(axis=0))) / max(len(names) - 1, 1)
    difficulty = rng.normal(size=(2, len(names)))
    skill, breaking = 2.4 - 0.5 * rarity + 0.35 * difficulty[0], 0.84 - 0.16 * rarity + 0.04 * difficulty[1]
    pie_sparsity = min(sparsities, key=lambda k: abs(k - 0.9))
    stack = np.zeros((n_seeds, len(sparsities), *truth.shape), np.float32)
    scores = np.full((len(CLASS_SCORES), n_seeds, len(sparsities), len(names)), np.nan)
    shared = rng.normal(size=truth.shape)
    for s in range(n_seeds):
        noise = shared + 0.5 * rng.normal(size=truth.shape)
        strength = skill * (1 + 0.05 * rng.normal(size=len(names)))
        for k, sparsity in enumerate(sparsities):
            kept = 1 / (1 + np.exp((sparsity - breaking) / 0.045))
            signal = strength * kept * truth + noise * (0.4 + 0.6 * kept)
            probabilities = 1 / (1 + np.exp(-(logit + signal)))
            scores[:, s, k] = class_scores(truth, probabilities, names)[list(CLASS_SCORES)].to_numpy().T
            stack[s, k] = probabilities
    dataset = xr.Dataset(
        {name: (("seed", "sparsity", "class"), values) for name, values in zip(CLASS_SCORES, scores, strict=True)},
        coords={
            "seed": range(n_seeds),
            "sparsity": list(sparsities),
            "class": names,
            "train_count": ("class", 4 * truth.sum(axis=0, dtype=int) + 3),
            "test_count": ("class", truth.sum(axis=0, dtype=int)),
        },
        attrs={"n_test": n_images, "n_train": 4 * n_images},
    )
    predictions = xr.DataArray(
        stack,
        dims=("seed", "sparsity", "image", "class"),
        coords={"seed": range(n_seeds), "sparsity": list(sparsities), "class": names},
    )
    dense, pruned = (predictions.sel(sparsity=k, drop=True) for k in (0.0, pie_sparsity))
    means = (one.mean("seed", dtype=np.float64).to_numpy() for one in (dense, pruned))
    return Study(dataset, labels, *means, pie_sparsity, (dense, pruned), predictions)


def histograms(n_seeds: int) -> pd.DataFrame:
    """Magnitudes of normally distributed weights, a little wider in every further seed: seed, low, high, count."""
    edges = np.array([0.0, *10 ** np.linspace(-6, 1, 71).round(1), np.inf])
    tables = []
    for seed in range(n_seeds):
        below = 2 * stats.norm.cdf(edges, scale=0.012 + 0.001 * seed) - 1
        counts = np.diff((1_000_000 * below).round()).astype(int)
        tables.append(pd.DataFrame({"seed": seed, "low": edges[:-1], "high": edges[1:], "count": counts}))
    return pd.concat(tables, ignore_index=True)
