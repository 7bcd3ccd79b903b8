"""What pruning does to a localization network (paper B): its tables, from scores of single images.

After Jaiswal et al., *Attend Who is Weak*: table 1 (effect of the pruned share), table 2 (fine-tuning on hard-to-learn
images, HTLs, against baselines), table 3 and figure 7 (pruning methods), figure 2 (drops of single images). Who the
HTLs are (figure 6) stands in :mod:`prunecxr.studies.localization.analysis.groups`.

All scores are means over images of the scores of single images; so every interval over images is a bootstrap of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from prunecxr.analysis.association import holm
from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject

REGIONS = ("background", "foreground")
METRICS = ("background", "foreground", "mean", "dice")
LARGE_DROP = 0.4  # the paper's figure 2 counts images that lose this share of their IoU or more
BINS = np.linspace(-1, 1, 41)


def relative_drop(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """(dense - pruned) / dense, elementwise; NaN where the dense score is 0 and there is nothing to lose."""
    dense, pruned = np.broadcast_arrays(np.asarray(dense, np.float64), np.asarray(pruned, np.float64))
    return np.divide(dense - pruned, dense, out=np.full(dense.shape, np.nan), where=dense > 0)


def effect(iou: xr.DataArray, resamples: int, seed: int = 0, subjects: Sequence[str] | None = None) -> pd.DataFrame:
    """How much of their IoU background and foreground lose, by pruned share (the paper's table 1).

    Args:
        iou: of single training images, dims (seed, fraction, image, region), regions as :data:`REGIONS`; fraction 0 is
            the dense network; NaN for a variant that is missing.
        resamples, seed: of the bootstrap over images.
        subjects: the patient of each image, shape (n_images,); without them every image is its own.

    Returns:
        One row a fraction > 0: fraction, n_seeds (with both networks, the dense of which finds something); for either
        region `drop_<region>`, the mean over seeds of (dense - pruned) / dense of the mean IoU over images, and its
        sample SD over seeds; `difference`, foreground minus background, with `low` and `high` (95% interval of a
        bootstrap over patients, the networks held fixed).
    """
    iou = iou.transpose("seed", "fraction", "image", "region").sel(region=list(REGIONS))
    dense = iou.sel(fraction=0.0).to_numpy()
    unit = _subjects(subjects, iou.sizes["image"])
    rows = []
    for fraction in (float(k) for k in iou["fraction"].to_numpy() if k > 0):
        pruned = iou.sel(fraction=fraction).to_numpy()
        known = ~np.isnan(pruned).any(axis=(1, 2)) & (dense.mean(axis=1) > 0).all(axis=1)
        before, after = dense[known], pruned[known]
        n = int(known.sum())
        drops = relative_drop(before.mean(axis=1), after.mean(axis=1))  # (n, region)
        low, high = _difference_interval(before, after, unit, resamples, seed) if n else (np.nan, np.nan)
        mean, sd = _mean_sd(drops)
        rows.append(
            {
                "fraction": fraction, "n_seeds": n,
                "drop_background": mean[0], "sd_background": sd[0],
                "drop_foreground": mean[1], "sd_foreground": sd[1],
                "difference": mean[1] - mean[0], "low": low, "high": high,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


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


def drops(dense: np.ndarray, pruned: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How the relative drops of single images are distributed (the paper's figure 2).

    Args:
        dense, pruned: IoUs, shape (n_seeds, n_images, 2), regions as :data:`REGIONS`.

    Returns:
        Histogram: region, low, high, share (of the images with a defined drop, mean over seeds); drops outside the
        outermost edges count in the outermost bins. Summary: region, n_seeds, n_images, undefined (images without a
        dense IoU, mean over seeds), median, share_large (those that lose :data:`LARGE_DROP` or more) and its sample SD
        over seeds.
    """
    drop = relative_drop(dense, pruned)
    histogram, summary = [], []
    for index, region in enumerate(REGIONS):
        per_seed = [row[~np.isnan(row)] for row in drop[..., index]]
        shares = [np.histogram(row.clip(BINS[0], BINS[-1]), BINS)[0] / len(row) for row in per_seed if len(row)]
        share = np.mean(shares, axis=0) if shares else np.zeros(len(BINS) - 1)
        histogram.append(pd.DataFrame({"region": region, "low": BINS[:-1], "high": BINS[1:], "share": share}))
        # 1e-12: (0.5 - 0.3) / 0.5 is a hair below 0.4 in binary
        large = np.array([(row >= LARGE_DROP - 1e-12).mean() if len(row) else np.nan for row in per_seed])
        mean, sd = _mean_sd(large[~np.isnan(large)][:, None])
        summary.append(
            {
                "region": region, "n_seeds": sum(len(row) > 0 for row in per_seed), "n_images": drop.shape[1],
                "undefined": float(np.isnan(drop[..., index]).sum(axis=1).mean()),
                "median": float(np.mean([np.median(row) for row in per_seed if len(row)] or [np.nan])),
                "share_large": mean[0], "sd_large": sd[0],
            }
        )  # fmt: skip
    return pd.concat(histogram, ignore_index=True), pd.DataFrame(summary)


def comparison(scores: pd.DataFrame) -> pd.DataFrame:
    """Every approach by its scores on the test images (the paper's table 2).

    Args:
        scores: seed, approach, and the columns of :data:`METRICS`; one row a network.

    Returns:
        approach (in order of appearance), n_seeds, and for every metric its mean and sample SD over seeds.
    """
    rows = []
    for approach, group in scores.groupby("approach", sort=False):
        mean, sd = _mean_sd(group[list(METRICS)].to_numpy())
        both = {name: value for i, m in enumerate(METRICS) for name, value in ((m, mean[i]), (f"{m}_sd", sd[i]))}
        rows.append({"approach": approach, "n_seeds": len(group), **both})
    return pd.DataFrame(rows)


def paired(
    images: Mapping[str, np.ndarray],
    seeds: Mapping[str, Sequence[int]],
    resamples: int,
    seed: int = 0,
    subjects: Sequence[str] | None = None,
    reference: str = "htl",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """The approach `reference` against every other, paired by seed and test image.

    Args:
        images: approach -> scores of single test images, shape (n_seeds, n_images, 4), metrics as :data:`METRICS`.
        seeds: approach -> the seeds of its first axis; only seeds that both have are compared.
        resamples, seed: of the bootstrap over patients.
        subjects: the patient of each image, shape (n_images,).
        alpha: 1 - coverage of both intervals.

    Returns:
        One row an approach and metric: approach, metric, n_seeds, difference (reference minus approach, mean over
        seeds); low_images and high_images: interval of a bootstrap over patients, the trained networks held fixed;
        low_seeds, high_seeds and p_seeds: Student's paired t over seeds, which holds the test images fixed (from 2
        seeds on), and p_holm: Holm-adjusted over the approaches of a metric.
    """
    rows = []
    for approach in images:
        if approach == reference or reference not in images:
            continue
        common = [one for one in seeds[reference] if one in seeds[approach]]
        if not common:
            continue
        ours = images[reference][[list(seeds[reference]).index(one) for one in common]]
        theirs = images[approach][[list(seeds[approach]).index(one) for one in common]]
        per_image = (ours - theirs).mean(axis=0)  # (n_images, metric)
        with_size = np.column_stack([per_image, np.ones(len(per_image))])
        totals = totals_by_subject(_subjects(subjects, len(per_image)), with_size)
        draws = resampled_totals(totals, resamples, seed)
        low, high = percentile_interval(draws[:, :-1] / draws[:, -1:], 1 - alpha)
        per_seed = (ours - theirs).mean(axis=1)  # (n_seeds, metric)
        for index, metric in enumerate(METRICS):
            rows.append(
                {
                    "approach": approach, "metric": metric, "n_seeds": len(common),
                    "difference": float(per_seed[:, index].mean()),
                    "low_images": low[index], "high_images": high[index],
                    **_student(per_seed[:, index], alpha),
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = table.groupby("metric")["p_seeds"].transform(lambda p: holm(p.to_numpy()))
    return table


def ablation(scores: pd.DataFrame) -> pd.DataFrame:
    """Test scores of the pruned networks by method and pruned share (the paper's table 3).

    Args:
        scores: seed, method, fraction, `foreground`, `background`; fraction 0 is the dense network, of any method.

    Returns:
        method, fraction (rising, > 0), n_seeds, foreground and background (means over seeds) with their SD, and
        `drop_foreground`, `drop_background`: dense minus pruned, mean over seeds of the same seed's difference.
    """
    dense = scores[scores["fraction"] == 0].drop_duplicates("seed").set_index("seed")[list(REGIONS)]
    rows = []
    for (method, fraction), group in scores[scores["fraction"] > 0].groupby(["method", "fraction"], sort=False):
        group = group[group["seed"].isin(dense.index)]
        values = group[list(REGIONS)].to_numpy()
        mean, sd = _mean_sd(values)
        lost = (dense.loc[group["seed"]].to_numpy() - values).mean(axis=0) if len(group) else np.full(2, np.nan)
        rows.append(
            {
                "method": method, "fraction": fraction, "n_seeds": len(group),
                "foreground": mean[1], "foreground_sd": sd[1], "background": mean[0], "background_sd": sd[0],
                "drop_foreground": lost[1], "drop_background": lost[0],
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["method", "fraction"], kind="stable", ignore_index=True)


def _student(values: np.ndarray, alpha: float) -> dict[str, float]:
    """Interval and P of a mean of paired differences; NaN below two values or where they do not vary."""
    if len(values) < 2 or np.ptp(values) == 0:
        return {"low_seeds": np.nan, "high_seeds": np.nan, "p_seeds": np.nan}
    tested = stats.ttest_1samp(values, 0.0)
    low, high = tested.confidence_interval(1 - alpha)
    return {"low_seeds": float(low), "high_seeds": float(high), "p_seeds": float(tested.pvalue)}


def _subjects(subjects: Sequence[str] | None, n: int) -> np.ndarray:
    return np.arange(n).astype(str) if subjects is None else np.asarray(subjects, dtype=str)


def _mean_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample SD of every column, shape (n, m); NaN without rows, an SD needs two."""
    n, m = values.shape
    mean = values.mean(axis=0) if n else np.full(m, np.nan)
    return mean, values.std(axis=0, ddof=1) if n > 1 else np.full(m, np.nan)
