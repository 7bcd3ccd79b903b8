"""Pruning-identified exemplars (PIEs): the images on which dense and pruned populations disagree most.

After Hooker et al. (arXiv:1911.05248) and, for several labels an image, Holste et al. (MICCAI 2023), sections 2.3
and 3.4: the predictions of all seeds are averaged at sparsity 0 and at a high sparsity, the two averages of an image
are compared over the classes, and the images that agree least are the PIEs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import special, stats

from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject

NO_FINDING = "no finding"  # this class is no disease; compared without case, '_' as ' '
MANY = 4  # images with this many diseases or more share a bin


def spearman(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Spearman rank correlation over the classes (average ranks on ties), in [-1, 1]; NaN for a constant vector.

    The paper's measure. Both arguments have shape (n_images, n_classes), the result (n_images,), as in all measures.
    """
    # Centred average ranks are multiples of 1/2, so the sums are exact and equal images get equal values.
    x, y = (_average_ranks(a) - (a.shape[1] + 1) / 2 for a in (dense, pruned))
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.divide((x * y).sum(axis=1), scale, where=scale > 0, out=np.full(len(x), np.nan))


def modal(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """1 where both populations put the same class first, 0 where not (the idea of Hooker et al.'s modal label)."""
    return (dense.argmax(axis=1) == pruned.argmax(axis=1)).astype(np.float64)


def mean_absolute(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Minus the mean over classes of the absolute difference in probability, in [-1, 0]."""
    return -np.abs(dense - pruned).mean(axis=1)


def kl(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Minus the mean over classes of KL(dense || pruned) between the two yes/no distributions, in nats.

    Minus infinity where the pruned population rules out what the dense one holds possible.
    """
    divergence = special.rel_entr(dense, pruned) + special.rel_entr(1 - dense, 1 - pruned)
    return -divergence.mean(axis=1)


AGREEMENT: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "spearman": spearman,
    "modal": modal,
    "mean_absolute": mean_absolute,
    "kl": kl,
}


def agreement(dense: np.ndarray, pruned: np.ndarray, measure: str = "spearman") -> np.ndarray:
    """Agreement of two populations on each image; the higher, the more they agree.

    Args:
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes).
        pruned: the same at the sparsity under study.
        measure: a key of :data:`AGREEMENT`.

    Returns:
        Shape (n_images,); NaN where undefined, as for every image with a NaN prediction.

    Raises:
        ValueError: unknown measure, or shapes that differ.
    """
    if measure not in AGREEMENT:
        raise ValueError(f"unknown agreement measure {measure!r}; known: {', '.join(AGREEMENT)}")
    dense, pruned = (np.asarray(a, np.result_type(a, np.float32)) for a in (dense, pruned))
    if dense.ndim != 2 or dense.shape != pruned.shape:
        raise ValueError(f"predictions {dense.shape} and {pruned.shape} must both be (n_images, n_classes)")
    known = np.isfinite(dense).all(axis=1) & np.isfinite(pruned).all(axis=1)
    values = np.full(len(dense), np.nan)
    values[known] = AGREEMENT[measure](dense[known], pruned[known])
    return values


def lowest(values: np.ndarray, ids: Sequence[str] | np.ndarray, fraction: float) -> np.ndarray:
    """The floor(fraction * n) images of lowest agreement, ties broken by image id; undefined ones are never chosen.

    Args:
        values: agreement, shape (n_images,).
        ids: image ids, shape (n_images,).
        fraction: share of all n images, in [0, 1].

    Returns:
        Shape (n_images,), bool.
    """
    return lowest_by_rank(values, ranks_of_ids(ids), fraction)


def ranks_of_ids(ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Places of the ids in sorted order, shape (n_images,): what breaks ties, sorted once for many choices."""
    ranks = np.empty(len(ids), int)
    ranks[np.argsort(np.asarray(ids, dtype=str), kind="stable")] = np.arange(len(ids))
    return ranks


def lowest_by_rank(values: np.ndarray, ranks: np.ndarray, fraction: float) -> np.ndarray:
    """:func:`lowest` for images whose ids have the places ``ranks``."""
    wanted = math.floor(round(fraction * len(values), 6))  # 0.29 * 100 is 28.999... in floating point
    order = np.lexsort((ranks, values))  # NaN last
    chosen = np.zeros(len(values), bool)
    chosen[order[:wanted]] = True
    return chosen & ~np.isnan(values)


def pies(
    labels: pd.DataFrame,
    dense: np.ndarray,
    pruned: np.ndarray,
    fraction: float = 0.05,
    measure: str = "spearman",
) -> pd.DataFrame:
    """Every test image with its agreement, lowest first.

    Args:
        labels: ``id``, ``subject_id``, then one 0/1 column a class.
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes), in the order of ``labels``.
        pruned: the same at the PIE sparsity.
        fraction: share of the images that are PIEs; 5% in the paper.
        measure: a key of :data:`AGREEMENT`.

    Returns:
        Columns id, subject_id, agreement (NaN where undefined; these images come last and are no PIE), is_pie, the
        label columns, and top_dense, top_dense_probability, top_pruned, top_pruned_probability: the class that each
        population puts first.
    """
    names = np.asarray(class_columns(labels))
    values = agreement(dense, pruned, measure)
    head = labels[["id", "subject_id"]].assign(
        agreement=values, is_pie=lowest(values, labels["id"].to_numpy(), fraction)
    )
    tops: dict[str, np.ndarray] = {}
    for population, predictions in (("dense", np.asarray(dense)), ("pruned", np.asarray(pruned))):
        tops[f"top_{population}"] = names[predictions.argmax(axis=1)]
        tops[f"top_{population}_probability"] = predictions.max(axis=1)
    table = pd.concat([head, labels[names], pd.DataFrame(tops, index=labels.index)], axis=1)
    order = np.lexsort((labels["id"].to_numpy(dtype=str), values))
    return table.iloc[order].reset_index(drop=True)


def pie_ratios(
    pie_table: pd.DataFrame,
    names: Sequence[str],
    resamples: int = 2_000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """How much more often each class, and each number of diseases, appears in PIEs than in other images (figure 5).

    Images without a defined agreement are in neither group. Intervals are percentiles of a bootstrap over patients
    that keeps each image's group.

    Args:
        pie_table: the table of :func:`pies`.
        names: its label columns.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        level: coverage of the intervals.

    Returns:
        Columns group (``class`` or ``diseases``), value (class name; 0, 1, 2, 3, 4+ diseases, not counting 'No
        Finding'), pie_share, non_pie_share, ratio, low, high, pie_count, non_pie_count. The ratio is NaN where
        neither group has such an image, infinite where only PIEs do; without such images in both groups there is no
        interval. Empty bins stay.
    """
    ranked = pie_table[pie_table["agreement"].notna()]
    has, groups, values = _image_properties(ranked, names)
    is_pie = ranked["is_pie"].to_numpy()
    ones = np.ones((len(ranked), 1))
    # One column for the size of the group, then one a property; PIEs left, the others right.
    counted = np.hstack([ones, has])
    both = np.hstack([counted * is_pie[:, None], counted * ~is_pie[:, None]])
    totals = totals_by_subject(ranked["subject_id"].to_numpy(), both)
    pie_share, other_share, ratio = _shares(totals.sum(axis=0, keepdims=True))
    pie_count, other_count = (has[group].sum(axis=0).astype(int) for group in (is_pie, ~is_pie))
    low = high = np.full(len(values), np.nan)
    if len(totals):
        ends = percentile_interval(_shares(resampled_totals(totals, resamples, seed))[2], level)
        # Every resample repeats a count of 0: that is no evidence that there is nothing to find.
        low, high = (np.where((pie_count > 0) & (other_count > 0), end, np.nan) for end in ends)
    return pd.DataFrame(
        {
            "group": groups,
            "value": values,
            "pie_share": pie_share[0],
            "non_pie_share": other_share[0],
            "ratio": ratio[0],
            "low": low,
            "high": high,
            "pie_count": pie_count,
            "non_pie_count": other_count,
        }
    )


def class_columns(labels: pd.DataFrame) -> list[str]:
    """The class names of a label table: its columns without ``id`` and ``subject_id``."""
    return [column for column in labels.columns if column not in ("id", "subject_id")]


def disease_columns(names: Sequence[str]) -> list[str]:
    """The class names that are diseases: all but 'No Finding'."""
    return [name for name in names if name.replace("_", " ").strip().lower() != NO_FINDING]


def nearest_sparsity(available: Sequence[float], wanted: float) -> float:
    """The sparsity above 0 closest to ``wanted``, the higher of two equally close; NaN where all models are dense."""
    pruned = sorted((k for k in available if k > 0), reverse=True)
    return min(pruned, key=lambda k: round(abs(k - wanted), 9), default=math.nan)


def _average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 within each row, ties averaged; shape as ``values``. Only the rows with ties take the slow way."""
    order = values.argsort(axis=1)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, values.shape[1] + 1)[None, :], axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if tied.any():
        ranks[tied] = stats.rankdata(values[tied], axis=1)
    return ranks


def _image_properties(images: pd.DataFrame, names: Sequence[str]) -> tuple[np.ndarray, list[str], list[str]]:
    """0/1 matrix (n_images, n_properties), and the group and value that each property goes by."""
    diseases = images[disease_columns(names)].to_numpy().sum(axis=1, dtype=int).clip(max=MANY)
    by_number = diseases[:, None] == np.arange(MANY + 1)
    has = np.hstack([images[list(names)].to_numpy(np.float64), by_number])
    numbers = [str(d) for d in range(MANY)] + [f"{MANY}+"]
    return has, ["class"] * len(names) + ["diseases"] * len(numbers), [*names, *numbers]


def _shares(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of PIEs, share of non-PIEs, and their ratio, from rows of (n, counts...) of PIEs and then of non-PIEs."""
    pie, other = np.split(totals, 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pie_share, other_share = pie[:, 1:] / pie[:, :1], other[:, 1:] / other[:, :1]
        return pie_share, other_share, pie_share / other_share
