"""How much the set of PIEs depends on the measure of agreement, and on the seeds that happened to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis.exemplars import AGREEMENT, agreement, lowest, lowest_by_rank, ranks_of_ids
from prunecxr.studies.pruning.analysis.forgettability import MIN_SEEDS

AT_ONCE = 10  # resamples whose means are in memory together


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Members of both sets over members of either, for masks of shape (n_images,); NaN where both are empty."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


def membership(
    ids: Sequence[str] | np.ndarray, dense: np.ndarray, pruned: np.ndarray, fraction: float = 0.05
) -> pd.DataFrame:
    """Which images are PIEs under each measure of agreement.

    Args:
        ids: image ids, shape (n_images,).
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes).
        pruned: the same at the PIE sparsity.
        fraction: share of the images that are PIEs.

    Returns:
        A bool column for each of :data:`analysis.exemplars.AGREEMENT`, one row an image in the order given.
    """
    return pd.DataFrame({name: lowest(agreement(dense, pruned, name), ids, fraction) for name in AGREEMENT})


def pie_overlap(members: pd.DataFrame) -> pd.DataFrame:
    """How alike the sets of PIEs of any two measures are.

    Args:
        members: the table of :func:`membership`.

    Returns:
        Columns measure_a, measure_b, jaccard (images in both over images in either; NaN where both are empty) and
        n (images in both), one row a pair.
    """
    rows = [
        {"measure_a": a, "measure_b": b, "jaccard": jaccard(x, y), "n": int((x & y).sum())}
        for (a, x), (b, y) in combinations(((name, members[name].to_numpy()) for name in members), 2)
    ]
    return pd.DataFrame(rows)


def pie_stability(
    ids: Sequence[str] | np.ndarray,
    dense: xr.DataArray,
    pruned: xr.DataArray,
    fraction: float = 0.05,
    measure: str = "spearman",
    resamples: int = 50,
    seed: int = 0,
) -> pd.DataFrame:
    """How much of the set of PIEs other seeds would find again: a bootstrap of seeds.

    Each resample draws as many seeds as there are, with replacement, the same ones for dense and pruned models, and
    averages their predictions anew.

    Args:
        ids: image ids, shape (n_images,).
        dense: probabilities of every seed at sparsity 0, dims (seed, image, class).
        pruned: the same at the PIE sparsity. Seeds that only one of the two has are left out.
        fraction: share of the images that are PIEs.
        measure: a key of :data:`prunecxr.studies.pruning.analysis.exemplars.AGREEMENT`.
        resamples: number of draws.
        seed: of the random generator.

    Returns:
        Columns resample (from 1), jaccard (of its PIEs with those of all seeds); without rows below 3 seeds.
    """
    common, at_dense, at_pruned = np.intersect1d(dense["seed"], pruned["seed"], return_indices=True)
    if len(common) < MIN_SEEDS:
        return pd.DataFrame({"resample": pd.Series(dtype=int), "jaccard": pd.Series(dtype=float)})
    n = len(common)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    weights = np.vstack([np.ones(n), drawn]) / n  # the first row is the full set
    order = ranks_of_ids(ids)
    sets = []
    for block in np.array_split(weights, -(-len(weights) // AT_ONCE)):
        means = zip(_weighted(dense, at_dense, block), _weighted(pruned, at_pruned, block), strict=True)
        sets += [lowest_by_rank(agreement(a, b, measure), order, fraction) for a, b in means]
    found = [jaccard(sets[0], other) for other in sets[1:]]
    return pd.DataFrame({"resample": np.arange(1, resamples + 1), "jaccard": found})


def _weighted(population: xr.DataArray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means over the seeds at ``rows``; weights (n, n_rows) -> (n, n_images, n_classes), float32."""
    spread = np.zeros((len(weights), population.sizes["seed"]), np.float32)
    spread[:, rows] = weights
    stack = population.transpose("seed", "image", "class").to_numpy()
    return (spread @ stack.reshape(len(stack), -1)).reshape(len(weights), *stack.shape[1:])
