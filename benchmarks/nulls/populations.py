"""Populations of networks whose forgetting is known, because it is put in.

A class's scores are normal: d standard deviations apart between its positives and negatives, on top of what an image
shares in all networks. Pruning keeps a share of d. With one share for all classes they are forgotten alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

SHARED = 0.8  # of the spread of scores, what an image gets from every network


@dataclass(frozen=True)
class Drawn:
    """Predictions of every variant, and the labels that they are about."""

    predictions: xr.DataArray
    labels: pd.DataFrame

    @property
    def counts(self) -> np.ndarray:
        """Positive images of each class."""
        return self.labels.iloc[:, 2:].to_numpy().sum(axis=0)


def draw(
    rng: np.random.Generator, positives: np.ndarray, kept: np.ndarray, *, images: int, seeds: int,
    dense: np.ndarray | float = 1.5, between_seeds: float = 0.06, per_patient: int = 1,
) -> Drawn:  # fmt: skip
    """A population.

    Args:
        positives: images of each class, shape (n_classes,).
        kept: share of d' that is kept at each sparsity, shape (n_sparsities, n_classes); the first row is 1 (dense).
        images: in the test split.
        seeds: of networks.
        dense: d' of the dense networks, by class.
        between_seeds: standard deviation over seeds of d', as a share of it.
        per_patient: images of a patient, which share what they get from every network.
    """
    classes, levels = len(positives), len(kept)
    truth = np.zeros((images, classes), bool)
    for c, count in enumerate(positives):
        truth[rng.choice(images, int(count), replace=False), c] = True
    patients = np.arange(images) // per_patient
    by_patient = rng.normal(size=(patients.max() + 1, classes))[patients]
    image = np.sqrt(0.5) * by_patient + np.sqrt(0.5) * rng.normal(size=(images, classes))
    stack = np.empty((seeds, levels, images, classes), np.float32)
    for s in range(seeds):
        d = dense * (1 + between_seeds * rng.normal(size=classes))
        for k in range(levels):
            noise = rng.normal(size=(images, classes))
            share = kept[k] * (1 + between_seeds * rng.normal(size=classes) * (k > 0))
            stack[s, k] = special.expit(d * share * truth + SHARED * image + np.sqrt(1 - SHARED**2) * noise - 2)
    names = [f"c{c}" for c in range(classes)]
    labels = pd.DataFrame(truth.astype(np.uint8), columns=names)
    labels.insert(0, "id", [f"{i:06d}" for i in range(images)])
    labels.insert(1, "subject_id", [f"p{p:06d}" for p in patients])
    coords = {"seed": range(seeds), "sparsity": np.linspace(0, 0.9, levels), "class": names}
    return Drawn(xr.DataArray(stack, dims=("seed", "sparsity", "image", "class"), coords=coords), labels)


def long_tail(images: int, classes: int, largest: float = 0.25, smallest: int = 12) -> np.ndarray:
    """Positive images of each class, from frequent to rare, falling geometrically; shape (n_classes,)."""
    return np.geomspace(largest * images, smallest, classes).round().astype(int)
