"""What a network finds and misses at a threshold that is set once: the dense network's on validation images.

Whoever replaces a network by a pruned one keeps the threshold, unless somebody sets it anew. Sensitivity and
specificity are those of the pruned networks at the threshold at which the dense network of the same seed has the
specificity asked for on validation images.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special, stats

from prunecxr.analysis.twoway import Estimates, median
from prunecxr.studies.pruning.analysis.exemplars import class_columns
from prunecxr.studies.pruning.analysis.images import Images, each_seed, in_order, over_seeds

# Shares of positive, of negative and, twice, of all images; and the unit in which they are told.
QUANTITIES = {"sensitivity": 1, "specificity": 1, "missed_per_1000": 1000, "flagged_per_1000": 1000}


def thresholds(validation: xr.DataArray, labels: pd.DataFrame, specificity: float = 0.9) -> xr.DataArray:
    """The lowest threshold at which at least this share of the negative validation images is not above it.

    Args:
        validation: probabilities of the dense networks, dims (seed, image, class).
        labels: of the validation images, ``id``, ``subject_id``, one column of 0, 1 or NaN a class.

    Returns:
        dims (seed, class), float32; an image is flagged above it. NaN without a negative image.
    """
    names = class_columns(labels)
    truth = labels[names].to_numpy(np.float64)
    values = validation.transpose("seed", "image", "class").to_numpy()
    result = np.full((len(values), len(names)), np.nan, np.float32)
    for column in range(len(names)):
        negatives = np.sort(values[:, truth[:, column] == 0, column], axis=1)
        if negatives.shape[1]:
            at = int(np.ceil(round(specificity * negatives.shape[1], 9))) - 1
            result[:, column] = negatives[:, max(at, 0)]
    coords = {"seed": validation["seed"].to_numpy(), "class": names}
    return xr.DataArray(result, dims=("seed", "class"), coords=coords, attrs={"specificity": specificity})


def operating_points(predictions: xr.DataArray, labels: pd.DataFrame, limits: xr.DataArray) -> pd.DataFrame:
    """What is found and missed at the kept thresholds, for every class and sparsity.

    Args:
        predictions: probabilities, dims (seed, sparsity, image, class), float32, images in the order of ``labels``.
        labels: of the test images, ``id``, ``subject_id``, one column of 0, 1 or NaN a class.
        limits: from :func:`thresholds`; seeds without one are left out.

    Returns:
        Columns class, sparsity, asked_specificity (on validation images), threshold, sensitivity, specificity,
        missed_per_1000 (positive images that are not flagged, per 1,000 images), flagged_per_1000 (all that are), each
        a median over seeds, with 95% intervals over seeds and patients, ``*_low`` and ``*_high``; test_count
        (positives), n_seeds. Undefined values are NaN.
    """
    common = [seed for seed in predictions["seed"].to_numpy().tolist() if seed in limits["seed"].to_numpy()]
    kept = limits.reindex(seed=predictions["seed"].to_numpy()).to_numpy()
    images, tables = Images.of(labels), []
    positives, negatives = images.positive.sum(axis=1), images.negative.sum(axis=1)
    evidence = np.stack([positives, negatives, positives, images.rarer])  # behind each of the quantities
    counted = np.stack([positives, negatives, images.count, images.count])  # of how many each is a share
    for sparsity in predictions["sparsity"].to_numpy():
        variants = each_seed(predictions, sparsity, lambda at, one: flag(images.scores(one), kept[at], images))
        values, influences = (np.stack(part) for part in zip(*variants, strict=True))
        estimates = over_seeds(values, influences, evidence)
        low, high = share_interval(estimates, counted)
        columns = {"asked_specificity": limits.attrs.get("specificity", np.nan)}
        columns |= {"threshold": median(limits.sel(seed=common).to_numpy().astype(np.float64))}
        for at, (name, unit) in enumerate(QUANTITIES.items()):
            ends = {f"{name}_low": unit * low[at], f"{name}_high": unit * high[at]}
            columns |= {name: unit * estimates.value[at], **ends}
        counts = {"test_count": images.positive.sum(axis=1), "n_seeds": np.isfinite(values[:, 3]).sum(axis=0)}
        tables.append(pd.DataFrame({"class": images.classes, "sparsity": float(sparsity), **columns, **counts}))
    return in_order(tables, images.classes)


def flag(p: np.ndarray, limits: np.ndarray, images: Images) -> tuple[np.ndarray, np.ndarray]:
    """The quantities of one variant, shape (4, n_classes), and influences, shape (4, n_classes, n_patients).

    Args:
        p: probabilities, shape (n_classes, n), in the order of ``images``.
        limits: thresholds, shape (n_classes,).
    """
    flagged = p > limits[:, None]
    found, alarms = (images.by_patient(flagged & kind) for kind in (images.positive, images.negative))
    shares = (
        (found, images.positives),
        (images.negatives - alarms, images.negatives),
        (images.positives - found, images.per_patient),
        (found + alarms, images.per_patient),
    )
    undefined = np.isnan(limits) | np.isnan(p).any(axis=1)
    values, influences = (np.stack(part) for part in zip(*(share(*pair) for pair in shares), strict=True))
    return np.where(undefined, np.nan, values), np.where(undefined[:, None], np.float32(np.nan), influences)


def share(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ratio of sums over patients, and each patient's influence on it.

    Args:
        part, whole: of each patient, shape (..., n_patients).
    """
    total = whole.sum(axis=-1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = part.sum(axis=-1, dtype=np.float64) / total
        return rate, ((part - rate[..., None] * whole) / total[..., None]).astype(np.float32)


def share_interval(estimates: Estimates, counted: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval of shares on the scale of their log odds: it stays between 0 and 1.

    Where all or none of the images are counted, in the median over seeds, no spread can be seen: the interval is then
    that of Clopper and Pearson for as many images as there are.

    Args:
        counted: images of which each is a share, of the shape of the estimates.
    """
    tail, value = (1 - level) / 2, estimates.value
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stats.t.ppf(1 - tail, estimates.freedom) * estimates.error / (value * (1 - value))
        middle, beyond = special.logit(value), 1 - tail ** (1 / counted)
        inner_low, inner_high = special.expit(middle - half), special.expit(middle + half)  # unused where value is 0, 1
    low = np.where(value == 1, 1 - beyond, np.where(value == 0, 0.0, inner_low))
    high = np.where(value == 0, beyond, np.where(value == 1, 1.0, inner_high))
    return low, high
