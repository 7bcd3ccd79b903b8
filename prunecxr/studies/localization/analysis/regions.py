"""How much background and foreground lose by pruning (paper B's table 1): of their IoU, and of it above its floor.

A mask that marks nothing has a background IoU of 1 - area of the lesion, 0.8 and more, and a foreground IoU of 0. So
the same loss of knowledge is a large share of the foreground's IoU and a small one of the background's. Measured from
that mask, (IoU[0] - IoU[k]) / (IoU[0] - IoU[nothing marked]), both regions have all of their scale to lose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import holm
from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject
from prunecxr.studies.localization.analysis.crossed import Crossed, crossed
from prunecxr.studies.localization.analysis.htl import REGIONS, mean_sd, patients, relative_drop

AT_FLOOR = 0.95  # share of the foreground lost above the floor from which on there is nothing left to compare


def effect(
    iou: xr.DataArray,
    resamples: int,
    seed: int = 0,
    subjects: Sequence[str] | None = None,
    floor: np.ndarray | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How much background and foreground lose, by pruned share.

    Args:
        iou: of single training images, dims (seed, fraction, image, region), regions as :data:`REGIONS`; fraction 0 is
            the dense network; NaN for a variant that is missing.
        resamples, seed: of the bootstrap over images.
        subjects: the patient of each image, shape (n_images,); without them every image is its own.
        floor: IoUs of a mask that marks nothing, shape (n_images, 2), regions likewise; None: not known.
        alpha: 1 - coverage of the interval above the floor.

    Returns:
        One row a fraction > 0: fraction, n_seeds (with both networks, the dense of which finds something); for either
        region `drop_<region>`, the mean over seeds of (dense - pruned) / dense of the mean IoU over images, and its
        sample SD over seeds; `difference`, foreground minus background, with `low` and `high` (95% interval of a
        bootstrap over patients, the networks held fixed).
        With a floor, over the seeds whose dense network is above it in both regions (`above_seeds`), the share lost
        above it: `above_<region>`, `above_sd_<region>`, `above_difference` with `above_low`, `above_high`, `above_p`
        (over seeds and patients) and `above_p_holm` (over the fractions); `floor_background`; `at_floor`, whether the
        foreground has lost :data:`AT_FLOOR` of it: then there is no test. NaN without a floor.
    """
    iou = iou.transpose("seed", "fraction", "image", "region").sel(region=list(REGIONS))
    dense = iou.sel(fraction=0.0).to_numpy()
    unit = patients(subjects, iou.sizes["image"])
    rows = []
    for fraction in (float(k) for k in iou["fraction"].to_numpy() if k > 0):
        pruned = iou.sel(fraction=fraction).to_numpy()
        known = ~np.isnan(pruned).any(axis=(1, 2)) & (dense.mean(axis=1) > 0).all(axis=1)
        before, after = dense[known], pruned[known]
        n = int(known.sum())
        drops = relative_drop(before.mean(axis=1), after.mean(axis=1))  # (n, region)
        low, high = _difference_interval(before, after, unit, resamples, seed) if n else (np.nan, np.nan)
        mean, sd = mean_sd(drops)
        rows.append(
            {
                "fraction": fraction, "n_seeds": n,
                "drop_background": mean[0], "sd_background": sd[0],
                "drop_foreground": mean[1], "sd_foreground": sd[1],
                "difference": mean[1] - mean[0], "low": low, "high": high,
                **_above(before, after, floor, unit, alpha),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(above_p_holm=holm(table["above_p"].to_numpy())) if len(table) else table


def _above(
    dense: np.ndarray, pruned: np.ndarray, floor: np.ndarray | None, unit: np.ndarray, alpha: float
) -> dict[str, float]:
    """The columns of the loss above the floor; IoUs of shape (n_seeds, n_images, region)."""
    if floor is None:
        floor = np.full(dense.shape[1:], np.nan)
    lost = np.stack([shares_above(dense[..., r], pruned[..., r], floor[:, r], unit) for r in (0, 1)])
    lost = lost[:, ~np.isnan(lost).any(axis=(0, 2))]  # seeds that are above it in both regions
    mean, sd = mean_sd(lost.mean(axis=2).T)
    at_floor = bool(mean[1] >= AT_FLOOR)
    tested = crossed(lost[1] - lost[0], unit, alpha)
    if at_floor:
        tested = Crossed(tested.difference, np.nan, np.nan, np.nan)
    return {
        "floor_background": float(floor[:, 0].mean()), "above_seeds": lost.shape[1],
        "above_background": mean[0], "above_sd_background": sd[0],
        "above_foreground": mean[1], "above_sd_foreground": sd[1],
        **tested.columns("above_"), "at_floor": at_floor,
    }  # fmt: skip


def shares_above(dense: np.ndarray, pruned: np.ndarray, floor: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """The share of the mean IoU above the floor that pruning takes, as pseudo-values of single images.

    Args:
        dense, pruned: IoU of one region, shape (n_seeds, n_images).
        floor: that of a mask that marks nothing, shape (n_images,).
        unit: the patient of each image.

    Returns:
        Shape (n_seeds, n_images). The mean of a seed's is (dense - pruned) / (dense - floor) of its mean IoUs; what an
        image's differs from it is its influence on that ratio. NaN for a seed whose dense network is not above the
        floor beyond what patients do by chance (1.96 standard errors): a ratio to nothing.
    """
    lost, above = dense - pruned, dense - floor
    mean = above.mean(axis=1, keepdims=True)
    clear = (mean > 1.96 * _errors(above, unit)[:, None]) & (mean > 0)
    ratio = np.divide(lost.mean(axis=1, keepdims=True), mean, out=np.full(mean.shape, np.nan), where=clear)
    influence = np.divide(lost - ratio * above, mean, out=np.full(above.shape, np.nan), where=clear)
    shares: np.ndarray = ratio + influence
    return shares


def _errors(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Standard errors over patients of the means of every row; shape (n_rows,), infinite for a single patient."""
    centred = values - values.mean(axis=1, keepdims=True)
    totals = totals_by_subject(unit, centred.T) if len(values) else np.empty((0, 0))
    n = len(totals)
    if n < 2:
        return np.full(len(values), np.inf)
    errors: np.ndarray = np.sqrt((totals**2).sum(axis=0) * n / (n - 1)) / values.shape[1]
    return errors


def _difference_interval(
    dense: np.ndarray, pruned: np.ndarray, unit: np.ndarray, resamples: int, seed: int
) -> tuple[float, float]:
    """95% interval of the foreground's drop minus the background's; IoUs of shape (n_seeds, n_images, region)."""
    n_seeds, n_images, _ = dense.shape
    columns = np.concatenate([dense, pruned], axis=2).transpose(1, 0, 2).reshape(n_images, -1)
    draws = resampled_totals(totals_by_subject(unit, columns), resamples, seed).reshape(resamples, n_seeds, 4)
    sampled = relative_drop(draws[..., :2], draws[..., 2:]).mean(axis=1)
    low, high = percentile_interval(sampled[:, 1:] - sampled[:, :1])
    return float(low[0]), float(high[0])
