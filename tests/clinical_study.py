"""A made-up population of networks and patients, with known gaps between groups and known calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special


def make_population(
    n_seeds: int = 3,
    n_patients: int = 150,
    sparsities: tuple[float, ...] = (0.0, 0.9),
    prevalences: tuple[float, ...] = (0.3, 0.1),
    loss: float = 0.5,
    extra: float = 0.0,
    seed: int = 0,
) -> tuple[xr.DataArray, pd.DataFrame, pd.DataFrame]:
    """Predictions, labels and metadata; 4 images a patient.

    Args:
        loss: share of its separability that every class loses at the highest sparsity.
        extra: what women lose beyond it.
    """
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), 4)
    n = len(patient)
    truth = (rng.random((n, len(prevalences))) < prevalences).astype(np.uint8)
    names = [f"class {i}" for i in range(len(prevalences))]
    labels = pd.DataFrame(truth, columns=names)
    labels.insert(0, "id", [f"i{i:05d}" for i in range(n)])
    labels.insert(1, "subject_id", [f"p{p:04d}" for p in patient])
    sex = rng.choice(["F", "M"], n_patients, p=[0.45, 0.55])[patient]
    age = rng.integers(18, 90, n_patients)[patient].astype(float)
    metadata = pd.DataFrame({"id": labels["id"], "age": age, "sex": sex, "view": rng.choice(["AP", "PA"], n)})
    hard = rng.normal(size=(n_patients, 1))[patient]
    z = 0.5 * hard + np.sqrt(0.75) * rng.normal(size=truth.shape)
    values = np.empty((n_seeds, len(sparsities), n, len(names)), np.float32)
    top = max(sparsities) or 1
    for row in values:
        own = rng.normal(size=truth.shape)
        for k, sparsity in enumerate(sparsities):
            lost = sparsity / top * np.clip(loss + extra * (sex == "F"), 0, 1)[:, None]
            noise = rng.normal(size=truth.shape)
            score = 1.8 * (1 - lost) * truth + 0.7 * z + 0.6 * own + 0.4 * noise
            row[k] = special.expit(1.5 * score - 2.5)
    coords = {"seed": list(range(n_seeds)), "sparsity": list(sparsities), "class": names}
    return xr.DataArray(values, dims=("seed", "sparsity", "image", "class"), coords=coords), labels, metadata
