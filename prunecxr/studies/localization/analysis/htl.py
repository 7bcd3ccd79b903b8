"""What pruning does to a localization network (paper B): its tables, from scores of single images.

After Jaiswal et al., *Attend Who is Weak*: table 2 (fine-tuning on hard-to-learn images, HTLs, against other arms),
table 3 and figure 7 (pruning methods), figure 2 (drops of single images). Table 1 (effect of the pruned share) stands
in `regions`, who the HTLs are (figure 6) in `groups`.

All scores are means over images of the scores of single images; so every interval over images is a bootstrap of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from prunecxr.analysis.association import holm
from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject
from prunecxr.studies.localization.analysis.crossed import crossed

REGIONS = ("background", "foreground")
METRICS = ("background", "foreground", "mean", "dice")
MEASURED = (*METRICS, "area")  # of a network on an image; area: the share of the image that it marks
LARGE_DROP = 0.4  # the paper's figure 2 counts images that lose this share of their IoU or more
TESTED = ("fraction", "method", "other", "n_seeds", "difference", "low", "high", "p")
BINS = np.linspace(-1, 1, 41)


def relative_drop(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """(dense - pruned) / dense, elementwise; NaN where the dense score is 0 and there is nothing to lose."""
    dense, pruned = np.broadcast_arrays(np.asarray(dense, np.float64), np.asarray(pruned, np.float64))
    return np.divide(dense - pruned, dense, out=np.full(dense.shape, np.nan), where=dense > 0)


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
        mean, sd = mean_sd(large[~np.isnan(large)][:, None])
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
        scores: seed, approach, and the columns of :data:`MEASURED`; one row a network.

    Returns:
        approach (in order of appearance), n_seeds, and for every measure its mean and sample SD over seeds.
    """
    rows = []
    for approach, group in scores.groupby("approach", sort=False):
        mean, sd = mean_sd(group[list(MEASURED)].to_numpy())
        both = {name: value for i, m in enumerate(MEASURED) for name, value in ((m, mean[i]), (f"{m}_sd", sd[i]))}
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
        images: approach -> scores of single test images, shape (n_seeds, n_images, 5), as :data:`MEASURED`.
        seeds: approach -> the seeds of its first axis; only seeds that both have are compared.
        resamples, seed: of the bootstrap over patients.
        subjects: the patient of each image, shape (n_images,).
        alpha: 1 - coverage of both intervals.

    Returns:
        One row an approach and measure: approach, metric, n_seeds, difference (reference minus approach, mean over
        seeds); low, high and p: over seeds and patients together (:mod:`.crossed`), and p_holm: Holm-adjusted over the
        approaches of a metric. Beside them, what either does alone: low_images and high_images, of a bootstrap over
        patients, the trained networks held fixed; low_seeds, high_seeds and p_seeds, Student's paired t over seeds,
        which holds the test images fixed (from 2 seeds on). A measure that was not taken has no row.
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
        unit = patients(subjects, len(per_image))
        totals = totals_by_subject(unit, with_size)
        draws = resampled_totals(totals, resamples, seed)
        low, high = percentile_interval(draws[:, :-1] / draws[:, -1:], 1 - alpha)
        per_seed = (ours - theirs).mean(axis=1)  # (n_seeds, metric)
        for index, metric in enumerate(MEASURED):
            if np.isnan(per_seed[:, index]).all():
                continue
            rows.append(
                {
                    "approach": approach, "metric": metric, "n_seeds": len(common),
                    **crossed((ours - theirs)[..., index], unit, alpha).columns(),
                    "low_images": low[index], "high_images": high[index],
                    **_student(per_seed[:, index], alpha),
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = holm_by_metric(table)
    return table


def holm_by_metric(table: pd.DataFrame) -> pd.Series:
    """P adjusted over the rows of each metric of a table of differences."""
    adjusted: pd.Series = table.groupby("metric")["p"].transform(lambda p: holm(p.to_numpy()))
    return adjusted


def ablation(scores: pd.DataFrame, floor: Sequence[float] = (np.nan, np.nan)) -> pd.DataFrame:
    """Test scores of the pruned networks by method and pruned share (the paper's table 3).

    Args:
        scores: seed, method, fraction, `foreground`, `background`; fraction 0 is the dense network, of any method.
        floor: mean IoU of a mask that marks nothing, background and foreground.

    Returns:
        method, fraction (rising, > 0), n_seeds, foreground and background (means over seeds) with their SD, and
        `drop_foreground`, `drop_background`: dense minus pruned, mean over seeds of the same seed's difference; and
        `above_foreground`, `above_background`: the same as a share of dense minus floor, NaN where that is not above 0.
    """
    dense = scores[scores["fraction"] == 0].drop_duplicates("seed").set_index("seed")[list(REGIONS)]
    rows = []
    for (method, fraction), group in scores[scores["fraction"] > 0].groupby(["method", "fraction"], sort=False):
        group = group[group["seed"].isin(dense.index)]
        values, before = group[list(REGIONS)].to_numpy(), dense.loc[group["seed"]].to_numpy()
        mean, sd = mean_sd(values)
        lost, _ = mean_sd(before - values)
        room = before - np.asarray(floor, np.float64)
        above, _ = mean_sd(np.divide(before - values, room, out=np.full(room.shape, np.nan), where=room > 0))
        rows.append(
            {
                "method": method, "fraction": fraction, "n_seeds": len(group),
                "foreground": mean[1], "foreground_sd": sd[1], "background": mean[0], "background_sd": sd[0],
                "drop_foreground": lost[1], "drop_background": lost[0],
                "above_foreground": above[1], "above_background": above[0],
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["method", "fraction"], kind="stable", ignore_index=True)


def ablation_tests(
    images: Mapping[tuple[str, float], tuple[Sequence[int], np.ndarray]],
    subjects: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Every two pruning methods at every pruned share, paired by seed and test image.

    Args:
        images: (method, fraction) -> its seeds, and foreground IoU of single test images, shape (n_seeds, n_images).

    Returns:
        fraction, method, other, n_seeds, difference (method minus other) with low, high and p over seeds and patients,
        and p_holm over all rows.
    """
    rows: list[dict[str, Any]] = []
    for (method, fraction), (other, same) in combinations(images, 2):
        (seeds, ours), (others, theirs) = images[method, fraction], images[other, same]
        common = [one for one in seeds if one in others]
        if fraction != same or not common:
            continue
        at, there = ([list(every).index(one) for one in common] for every in (seeds, others))
        found = crossed(ours[at] - theirs[there], patients(subjects, ours.shape[1]), alpha)
        rows.append({"fraction": fraction, "method": method, "other": other, "n_seeds": len(common), **found.columns()})
    table = pd.DataFrame(rows, columns=[*TESTED, "p_holm"]).sort_values("fraction", kind="stable", ignore_index=True)
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def _student(values: np.ndarray, alpha: float) -> dict[str, float]:
    """Interval and P of a mean of paired differences; NaN below two values or where they do not vary."""
    if len(values) < 2 or np.ptp(values) == 0:
        return {"low_seeds": np.nan, "high_seeds": np.nan, "p_seeds": np.nan}
    tested = stats.ttest_1samp(values, 0.0)
    low, high = tested.confidence_interval(1 - alpha)
    return {"low_seeds": float(low), "high_seeds": float(high), "p_seeds": float(tested.pvalue)}


def patients(subjects: Sequence[str] | None, n: int) -> np.ndarray:
    """The patient of each of n images; without subjects every image is its own."""
    return np.arange(n).astype(str) if subjects is None else np.asarray(subjects, dtype=str)


def mean_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample SD of every column, shape (n, m); NaN without rows, an SD needs two."""
    n, m = values.shape
    mean = values.mean(axis=0) if n else np.full(m, np.nan)
    return mean, values.std(axis=0, ddof=1) if n > 1 else np.full(m, np.nan)
