"""What a population of models forgets as it is pruned: overall and class by class.

After Holste et al., *How Does Pruning Impact Long-Tailed Multi-Label Medical Image Classifiers?* (MICCAI 2023),
sections 2.2, 3.1 and 3.2. ``scores`` is everywhere an ``xarray.Dataset`` with dims (seed, sparsity, class), variable
``ap`` (NaN where undefined or missing), class coordinates ``train_count`` and ``test_count`` (images) and
``attrs["n_test"]`` (images). Sparsity is the fraction of prunable weights set to zero; 0 is the dense model.

Beside every raw result stands its chance-corrected counterpart. A classifier that has forgotten a class scores
AP = prevalence, not 0, so the raw relative change of a class cannot fall below prevalence / AP0 - 1: rare classes
*can* fall further. Measured from chance, every class can lose exactly everything.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from prunecxr.analysis.association import correlate, holm

MIN_SEEDS = 3
DROP = 0.20
ROUNDING = 1e-12  # a ratio of exactly -20% may come out a rounding error below it
QUARTILES = (0.25, 0.5, 0.75)
NO_TEST_POSITIVE = "no positive image in the test split"
NO_SCORE = "no score in any variant"
NO_DENSE_SCORE = "no dense model with an AP above 0"
NOT_ABOVE_CHANCE = "no dense model above chance: chance-corrected change undefined"
NO_TRAIN_COUNT = "training frequency unknown"
NO_TRAIN_IMAGE = "no positive training image: log frequency undefined"


def prevalence(scores: xr.Dataset) -> xr.DataArray:
    """Share of test images with each class, the AP of a classifier that knows nothing of it; dim (class)."""
    return scores["test_count"] / scores.attrs["n_test"]


def chance_corrected(ap: xr.DataArray, chance: xr.DataArray) -> xr.DataArray:
    """AP on the scale where 0 is chance and 1 perfect: (AP - prevalence) / (1 - prevalence); NaN at prevalence 1."""
    return (ap - chance) / (1 - chance).where(chance < 1)


def relative_change(ap: xr.DataArray) -> xr.DataArray:
    """(AP[i,k,c] - AP[i,0,c]) / AP[i,0,c], inside equation 1; NaN where AP[i,0,c] is 0 or missing.

    Raises:
        ValueError: sparsity 0 is not among the sparsities.
    """
    dense = _dense(ap)
    return (ap - dense) / dense.where(dense > 0)


def chance_corrected_relative_change(ap: xr.DataArray, chance: xr.DataArray) -> xr.DataArray:
    """(AP[k] - AP[0]) / (AP[0] - prevalence): -1 is back at chance. NaN where the dense model is not above chance."""
    dense = _dense(ap)
    return (ap - dense) / (dense - chance).where(dense > chance)


def forgettability_curves(scores: xr.Dataset) -> xr.Dataset:
    """Median over seeds of the two relative changes (equation 1), and the quartiles of the raw one.

    Returns:
        Dims (class, sparsity), variables as the columns of :func:`curves`.
    """
    low, median, high = _quartiles(relative_change(scores["ap"]))
    corrected = chance_corrected_relative_change(scores["ap"], prevalence(scores))
    return xr.Dataset(
        {
            "relative_change": median,
            "q25": low,
            "q75": high,
            "chance_corrected_relative_change": corrected.median("seed"),
        }
    ).transpose("class", "sparsity")


def curves(scores: xr.Dataset) -> pd.DataFrame:
    """The forgettability curves as a tidy table.

    Returns:
        Columns class, sparsity, relative_change, q25, q75, chance_corrected_relative_change; classes in the order
        of ``scores``, sparsity ascending.
    """
    values = forgettability_curves(scores.sortby("sparsity")).reset_coords(drop=True)
    return values.to_dataframe(dim_order=["class", "sparsity"]).reset_index()


def overall(scores: xr.Dataset, alpha: float = 0.05) -> pd.DataFrame:
    """Mean AP by sparsity, and tests of every sparsity against the dense models (section 2.2).

    A seed's dense and pruned networks share what its training made of them, so the paired t-test on the differences by
    seed is the test; Welch's, which takes them as strangers, stays as the paper's.

    Args:
        scores: see the module.
        alpha: a drop is significant where the mean is lower than the dense one and P < alpha.

    Returns:
        Columns sparsity, median_mean_ap, q25, q75, n (seeds), welch_t, welch_p, welch_p_holm (adjusted over all
        tested sparsities), significant_drop (by Welch's raw P, as in the paper), significant_drop_holm, paired_n (seeds
        with both), paired_t, paired_p, paired_p_holm, paired_p_sequence (of a drop, by a fixed sequence from the
        highest sparsity downward), paired_drop (by the latter); the same again with the prefix ``chance_corrected_``
        for the mean of the chance-corrected AP. With fewer than 3 seeds on either side, or no variance, t and P are
        NaN.
    """
    scores = scores.sortby("sparsity")
    raw = _population(scores["ap"].mean("class"), alpha)
    corrected = _population(chance_corrected(scores["ap"], prevalence(scores)).mean("class"), alpha)
    corrected = corrected.drop(columns=["sparsity", "n"]).add_prefix("chance_corrected_")
    return pd.concat([raw, corrected], axis=1)


def first_significant_drop(table: pd.DataFrame, column: str = "significant_drop") -> float:
    """The smallest sparsity whose drop is significant in the table of :func:`overall`; NaN if none is."""
    return float(table.loc[table[column], "sparsity"].min())


def classes(scores: xr.Dataset) -> pd.DataFrame:
    """When and how much each class is forgotten (section 3.2).

    Returns:
        Columns class, train_count, test_count, dense_ap (median over seeds), first_drop_20 (smallest sparsity whose
        median relative change is below -20%; NaN where that never happens), relative_change_at_max (at the highest
        sparsity), chance_corrected_first_drop_20, chance_corrected_relative_change_at_max, prevalence, floor_at_max
        (the raw relative change of a class forgotten entirely), censored and chance_corrected_censored (the curve is
        known but never drops that far), and reason: why a value is undefined, empty where none is.
    """
    scores = scores.sortby("sparsity")
    curve = forgettability_curves(scores)
    dense_ap = _dense(scores["ap"]).median("seed")
    chance = prevalence(scores)
    columns = {
        "class": scores["class"],
        "train_count": _train_count(scores),
        "test_count": scores["test_count"],
        "dense_ap": dense_ap,
        **_drop_columns(curve["relative_change"]),
        **{f"chance_corrected_{name}": column for name, column in
           _drop_columns(curve["chance_corrected_relative_change"]).items()},
        "prevalence": chance,
        "floor_at_max": chance / dense_ap.where(dense_ap > 0) - 1,
    }  # fmt: skip
    table = pd.DataFrame({name: column.to_numpy() for name, column in columns.items()})
    return table.assign(reason=_reasons(scores, curve))


def correlations(class_table: pd.DataFrame) -> pd.DataFrame:
    """Pearson and Spearman correlation of log training frequency with when and how much a class is forgotten.

    A class that never drops by 20% is right-censored: it is left out of Pearson and shares the last rank in
    Spearman. Classes without a positive training image, or with an undefined curve, are left out of both.

    Args:
        class_table: the table of :func:`classes`.

    Returns:
        One row for each of first_drop_20, relative_change_at_max and their chance-corrected counterparts: columns x,
        y, n (classes in Spearman), pearson_r, pearson_p, spearman_rho, spearman_p, n_pearson, n_censored.
    """
    counts = class_table["train_count"].to_numpy(np.float64)
    x = np.log(counts, where=counts > 0, out=np.full(len(counts), np.nan))
    rows = []
    for prefix in ("", "chance_corrected_"):
        drop, change = f"{prefix}first_drop_20", f"{prefix}relative_change_at_max"
        rows.append({"y": drop, **correlate(x, class_table[drop], class_table[f"{prefix}censored"])})
        rows.append({"y": change, **correlate(x, class_table[change])})
    table = pd.DataFrame(rows)
    table.insert(0, "x", "log_train_count")
    return table


def seeds_compared(scores: xr.Dataset, highest: bool = False) -> int:
    """Seeds whose dense and pruned models both have a score: at any sparsity above 0, or at the highest alone."""
    scored = (scores["ap"].count("class") > 0).transpose("seed", "sparsity").sortby("sparsity")
    pruned = scored.where(scored["sparsity"] > 0, drop=True).astype(bool)
    if not pruned.sizes["sparsity"]:
        return 0
    there = pruned.isel(sparsity=-1) if highest else pruned.any("sparsity")
    return int((there & _dense(scored)).sum())


def _dense(ap: xr.DataArray) -> xr.DataArray:
    if 0 not in ap["sparsity"].to_numpy():
        raise ValueError("the dense models (sparsity 0) are missing: nothing to compare pruned ones with")
    return ap.sel(sparsity=0, drop=True)


def _quartiles(values: xr.DataArray) -> list[xr.DataArray]:
    """Quartiles over seeds, NaN where no seed has a value."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered")
        return [values.quantile(q, dim="seed").drop_vars("quantile") for q in QUARTILES]


def _population(mean_ap: xr.DataArray, alpha: float) -> pd.DataFrame:
    """Median, quartiles and tests against sparsity 0 of one number a model; ``mean_ap`` of dims (seed, sparsity)."""
    low, median, high = (values.to_numpy() for values in _quartiles(mean_ap))
    sparsities, values = mean_ap["sparsity"].to_numpy(), mean_ap.transpose("sparsity", "seed").to_numpy()
    dense = _dense(mean_ap).to_numpy()
    untested = (np.nan, np.nan)
    welch, paired = (
        np.transpose([test(one, dense) if k else untested for k, one in zip(sparsities, values, strict=True)])
        for test in (_welch, _paired)
    )
    welch_holm, paired_holm = holm(welch[1]), holm(paired[1])
    sequence = _from_highest(np.where(paired[0] > 0, 1.0, paired[1]))
    return pd.DataFrame(
        {
            "sparsity": sparsities,
            "median_mean_ap": median,
            "q25": low,
            "q75": high,
            "n": np.isfinite(values).sum(axis=1),
            "welch_t": welch[0],
            "welch_p": welch[1],
            "welch_p_holm": welch_holm,
            "significant_drop": (welch[0] < 0) & (welch[1] < alpha),
            "significant_drop_holm": (welch[0] < 0) & (welch_holm < alpha),
            "paired_n": np.isfinite(values - dense).sum(axis=1),
            "paired_t": paired[0],
            "paired_p": paired[1],
            "paired_p_holm": paired_holm,
            "paired_p_sequence": sequence,
            "paired_drop": sequence < alpha,
        }
    )


def _welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """t (negative where ``a`` is lower) and two-sided P; NaN below 3 values or where neither side varies."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < MIN_SEEDS or np.ptp(a) == np.ptp(b) == 0:
        return np.nan, np.nan
    test = stats.ttest_ind_from_stats(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b), equal_var=False)
    return float(test.statistic), float(test.pvalue)


def _paired(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The same of the differences a - b by seed."""
    differences = (a - b)[np.isfinite(a - b)]
    if len(differences) < MIN_SEEDS or np.ptp(differences) <= ROUNDING:
        return np.nan, np.nan
    test = stats.ttest_1samp(differences, 0.0)
    return float(test.statistic), float(test.pvalue)


def _from_highest(p: np.ndarray) -> np.ndarray:
    """P of a sequence of tests from the last one to the first, each made where those before it were significant."""
    largest, tested = 0.0, np.full(len(p), np.nan)
    for i in reversed(range(len(p))):
        if not np.isnan(p[i]):
            largest = max(largest, p[i])
            tested[i] = largest
    return tested


def _drop_columns(curve: xr.DataArray) -> dict[str, xr.DataArray]:
    """First 20% drop, change at the highest sparsity, and whether the first is censored; each of dim (class)."""
    dropped = curve < -DROP - ROUNDING
    known = curve.where(curve["sparsity"] > 0).count("sparsity") > 0
    return {
        "first_drop_20": curve["sparsity"].where(dropped).min("sparsity"),
        "relative_change_at_max": curve.isel(sparsity=-1),
        "censored": known & ~dropped.any("sparsity"),
    }


def _train_count(scores: xr.Dataset) -> xr.DataArray:
    """Training images of each class; NaN where a study does not know them."""
    return scores.coords.get("train_count", xr.full_like(scores["test_count"], np.nan, dtype=np.float64))


def _reasons(scores: xr.Dataset, curve: xr.Dataset) -> list[str]:
    """For each class, everything that keeps one of its values undefined, as one text."""
    above_zero = (_dense(scores["ap"]) > 0).any("seed").to_numpy()
    scored = (scores["ap"].count(["seed", "sparsity"]) > 0).to_numpy()
    corrected = (curve["chance_corrected_relative_change"].count("sparsity") > 0).to_numpy()
    reasons = []
    counts = zip(_train_count(scores).to_numpy(), scores["test_count"].to_numpy(), strict=True)
    for c, (train, test) in enumerate(counts):
        if test == 0:
            found = [NO_TEST_POSITIVE]
        elif not scored[c]:
            found = [NO_SCORE]
        elif not above_zero[c]:
            found = [NO_DENSE_SCORE]
        else:
            found = [] if corrected[c] else [NOT_ABOVE_CHANCE]
        if np.isnan(train):
            found.append(NO_TRAIN_COUNT)
        elif train == 0:
            found.append(NO_TRAIN_IMAGE)
        reasons.append("; ".join(found))
    return reasons
