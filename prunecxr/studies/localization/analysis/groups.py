"""Who the hard-to-learn images (HTLs) are: sex and age (paper B's figure 6), and, on the phantom, the planted ones.

Every seed's network has HTLs of its own. A share 'among the HTLs' pools the seeds: an image that is an HTL of two seeds
of three weighs 2/3. Intervals and tests draw images (intervals patients, where they are known), with all seeds of an
image together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from scipy import stats

from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject

UNKNOWN = "unknown"
PERMUTATIONS = 10_000


def age_groups(ages: Sequence[float] | np.ndarray, edges: Sequence[int]) -> np.ndarray:
    """Ages as groups: '≤30', '31–40', ..., '>70' for edges 30, 40, ..., 70; 'unknown' for NaN.

    Args:
        ages: years, shape (n,).
        edges: upper ends of the groups, rising; 30.5 years lie in the group after 30.
    """
    values = np.asarray(ages, np.float64)
    names = np.array([*age_names(edges), UNKNOWN])
    index = np.searchsorted(np.asarray(edges, np.float64), values, side="left")
    return names[np.where(np.isnan(values), len(names) - 1, index)]


def age_names(edges: Sequence[int]) -> list[str]:
    """The groups in order, without 'unknown'."""
    between = [f"{low + 1}–{high}" for low, high in pairwise(edges)]
    return [f"≤{edges[0]}", *between, f">{edges[-1]}"]


def groups(
    group: Sequence[str] | np.ndarray,
    is_htl: np.ndarray,
    drop: np.ndarray,
    resamples: int,
    seed: int = 0,
    subjects: Sequence[str] | np.ndarray | None = None,
    order: Sequence[str] = (),
) -> pd.DataFrame:
    """Shares and mean drops of groups of images, in the data and among the HTLs.

    Args:
        group: of every image, shape (n_images,); 'unknown' is a group like others, and comes last.
        is_htl: shape (n_seeds, n_images), bool.
        drop: what pruning costs each image, shape (n_seeds, n_images); NaN where undefined.
        resamples, seed: of the bootstrap over patients.
        subjects: the patient of each image; without them every image is its own.
        order: of the groups; default alphabetical.

    Returns:
        One row a group: group, n (images), share, htl_images (mean over seeds), htl_share, excess (htl_share - share)
        with excess_low and excess_high, mean_drop with drop_low and drop_high, htl_mean_drop (among the HTLs),
        undefined_drops (mean over seeds). Intervals are 95%, of a bootstrap over patients.
    """
    group, is_htl, drop = np.asarray(group, dtype=str), np.asarray(is_htl, bool), np.asarray(drop, np.float64)
    names = _ordered(group, order)
    known = ~np.isnan(drop)
    sums = np.stack(
        [
            np.ones(len(group)), is_htl.mean(axis=0), np.where(known, drop, 0).sum(axis=0), known.sum(axis=0),
            np.where(known & is_htl, drop, 0).sum(axis=0), (known & is_htl).sum(axis=0),
        ],
        axis=1,
    )  # fmt: skip
    columns = np.concatenate([np.where((group == name)[:, None], sums, 0.0) for name in names], axis=1)
    unit = np.arange(len(group)).astype(str) if subjects is None else np.asarray(subjects, dtype=str)
    draws = resampled_totals(totals_by_subject(unit, columns), resamples, seed).reshape(resamples, len(names), -1)
    excess = percentile_interval(_share(draws[..., 1]) - _share(draws[..., 0]))
    drops = percentile_interval(_ratio(draws[..., 2], draws[..., 3]))
    total = columns.sum(axis=0).reshape(len(names), -1)
    share, htl_share = _share(total[:, 0]), _share(total[:, 1])
    return pd.DataFrame(
        {
            "group": names, "n": total[:, 0].astype(int), "share": share,
            "htl_images": total[:, 1], "htl_share": htl_share,
            "excess": htl_share - share, "excess_low": excess[0], "excess_high": excess[1],
            "mean_drop": _ratio(total[:, 2], total[:, 3]), "drop_low": drops[0], "drop_high": drops[1],
            "htl_mean_drop": _ratio(total[:, 4], total[:, 5]),
            "undefined_drops": total[:, 0] - total[:, 3] / len(drop),
        }
    )  # fmt: skip


def group_tests(
    group: Sequence[str] | np.ndarray,
    is_htl: np.ndarray,
    drop: np.ndarray,
    seed: int = 0,
    draws: int = PERMUTATIONS,
    subjects: Sequence[str] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Whether known groups differ in how often their images are HTLs, and in what pruning costs these.

    Args:
        group, is_htl, drop: as in :func:`groups`.
        seed, draws: of the permutations.
        subjects: the patient of each image: images of one patient and group count as one, by their mean, since they
            are not independent. Without them every image is its own.

    Returns:
        Two rows, `what` = 'htl share' and 'mean drop': n (images of known group), n_unknown, n_patients, groups,
        statistic, p. The first is Pearson's chi-square of the HTL rates (mean over seeds) with a permutation P, which
        holds where an image counts for several seeds; the second Kruskal-Wallis on the drops (mean over seeds). NaN
        with fewer than two groups, or where all are alike.
    """
    group, is_htl = np.asarray(group, dtype=str), np.asarray(is_htl, bool)
    known = group != UNKNOWN
    unit = np.arange(len(group)).astype(str) if subjects is None else np.asarray(subjects, dtype=str)
    defined = ~np.isnan(drop)
    counts = defined.sum(axis=0)
    mean = np.divide(np.where(defined, drop, 0).sum(axis=0), counts, out=np.full(len(group), np.nan), where=counts > 0)
    images = pd.DataFrame({"unit": unit, "group": group, "rate": is_htl.mean(axis=0), "drop": mean})[known]
    tested = images.groupby(["group", "unit"], sort=True)[["rate", "drop"]].mean().reset_index("group")
    names = sorted(set(tested["group"]))
    rate = tested["rate"].to_numpy()
    member = np.stack([tested["group"] == name for name in names], axis=1).astype(float) if names else np.empty((0, 0))
    statistic = p = np.nan
    if len(names) > 1 and np.ptp(rate) > 0:
        statistic, p = _chi_square_by_permutation(rate, member, seed, draws)
    parts = [part.dropna().to_numpy() for _, part in tested.groupby("group")["drop"]]
    parts = [part for part in parts if len(part)]
    h = h_p = np.nan
    if len(parts) > 1 and np.ptp(np.concatenate(parts)) > 0:
        h, h_p = stats.kruskal(*parts)
    shared = {"n_unknown": int((~known).sum()), "n_patients": len(tested), "groups": len(names)}
    return pd.DataFrame(
        [
            {"what": "htl share", "n": int(known.sum()), **shared, "statistic": statistic, "p": p},
            {
                "what": "mean drop", "n": int(images["drop"].notna().sum()), **shared,
                "n_patients": int(tested["drop"].notna().sum()), "statistic": float(h), "p": float(h_p),
            },
        ]
    )  # fmt: skip


def planted(hard: np.ndarray, is_htl: np.ndarray, seeds: Sequence[int]) -> pd.DataFrame:
    """How well the HTLs find images that are known to be hard, against as many images chosen at random.

    Args:
        hard: shape (n_images,), bool.
        is_htl: shape (n_seeds, n_images), bool.

    Returns:
        One row a seed, and a last one 'all' with means over seeds: seed, n, n_hard, n_htl, found, precision, recall;
        random_precision and random_recall, what a random choice of n_htl images has on average; random_precision_low
        and _high, within which 95% of these choices lie (hypergeometric; not for 'all'); lift (precision over that of
        a random choice); p (one-sided, hypergeometric, of as many or more; for 'all' two-sided, of the sum over seeds
        among permutations of the images, which keep the HTLs of all seeds together). NaN where there is no HTL.
    """
    hard = np.asarray(hard, bool)
    n, n_hard = len(hard), int(hard.sum())
    rows = []
    for one, chosen in zip(seeds, np.asarray(is_htl, bool), strict=True):
        n_htl, found = int(chosen.sum()), int((chosen & hard).sum())
        luck = stats.hypergeom(n, n_hard, n_htl)
        low, high = luck.ppf([0.025, 0.975]) / n_htl if n_htl else (np.nan, np.nan)
        precision = found / n_htl if n_htl else np.nan
        rows.append(
            {
                "seed": str(one), "n": n, "n_hard": n_hard, "n_htl": n_htl, "found": found, "precision": precision,
                "recall": found / n_hard if n_hard else np.nan, "random_precision": n_hard / n,
                "random_recall": n_htl / n, "random_precision_low": low, "random_precision_high": high,
                "lift": precision / (n_hard / n) if n_hard else np.nan,
                "p": float(luck.sf(found - 1)) if n_htl else np.nan,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    means = table.drop(columns=["seed", "random_precision_low", "random_precision_high", "p"]).mean()
    every = {"seed": "all", **means, "p": _permuted(hard, np.asarray(is_htl, bool).mean(axis=0))}
    return pd.concat([table, pd.DataFrame([every])], ignore_index=True)


def _permuted(hard: np.ndarray, rate: np.ndarray, draws: int = PERMUTATIONS) -> float:
    """Two-sided P of how much of the rate falls on hard images; NaN where all images are alike."""
    if hard.all() or not hard.any() or np.ptp(rate) == 0:
        return np.nan
    rng, n_hard = np.random.default_rng(0), int(hard.sum())
    expected = rate.mean() * n_hard
    block, extreme = max(1, 2_000_000 // len(rate)), 0
    far = abs(rate[hard].sum() - expected) * (1 - 1e-12)
    for start in range(0, draws, block):
        shuffled = rng.permuted(np.tile(rate, (min(block, draws - start), 1)), axis=1)
        extreme += int((np.abs(shuffled[:, :n_hard].sum(axis=1) - expected) >= far).sum())
    return (extreme + 1) / (draws + 1)


def subgroups(
    group: Sequence[str] | np.ndarray, is_htl: np.ndarray, resamples: int, seed: int = 0, order: Sequence[str] = ()
) -> pd.DataFrame:
    """How often images of each planted subgroup are HTLs.

    Returns:
        subgroup, n, htl_rate (mean over seeds) with low and high (95%, bootstrap over images), lift over the rate of
        all images.
    """
    group, rate = np.asarray(group, dtype=str), np.asarray(is_htl, bool).mean(axis=0)
    names = _ordered(group, order)
    columns = np.concatenate(
        [np.stack([group == name, np.where(group == name, rate, 0.0)], axis=1) for name in names], axis=1
    )
    draws = resampled_totals(columns.astype(np.float64), resamples, seed).reshape(resamples, len(names), 2)
    low, high = percentile_interval(_ratio(draws[..., 1], draws[..., 0]))
    total = columns.sum(axis=0).reshape(len(names), 2)
    rates = _ratio(total[:, 1], total[:, 0])
    every = float(rate.mean())
    lift = rates / every if every else np.full(len(names), np.nan)
    return pd.DataFrame(
        {"subgroup": names, "n": total[:, 0].astype(int), "htl_rate": rates, "low": low, "high": high, "lift": lift}
    )


def mined(is_htl: np.ndarray, undefined: np.ndarray, seeds: Sequence[int]) -> pd.DataFrame:
    """How many images are HTLs in every seed, and how far the seeds agree.

    Args:
        is_htl, undefined: shape (n_seeds, n_images), bool; undefined: without a drop to speak of.

    Returns:
        seed, n_images, n_htl, share, undefined, jaccard: mean Jaccard index with the HTLs of the other seeds (images
        in both over images in either; NaN for a single seed and where neither has any); random_jaccard: what sets of
        these sizes, drawn at random, have on average, and random_jaccard_high: what 97.5% of them do not exceed.
    """
    is_htl = np.asarray(is_htl, bool)
    pairs: dict[int, list[tuple[float, float, float]]] = {i: [] for i in range(len(is_htl))}
    for a, b in combinations(range(len(is_htl)), 2):
        either = (is_htl[a] | is_htl[b]).sum()
        if either:
            sizes = int(is_htl[a].sum()), int(is_htl[b].sum())
            for i in (a, b):
                pairs[i].append(((is_htl[a] & is_htl[b]).sum() / either, *random_jaccard(is_htl.shape[1], *sizes)))
    means = np.array([np.mean(found, axis=0) if found else np.full(3, np.nan) for found in pairs.values()])
    return pd.DataFrame(
        {
            "seed": list(seeds), "n_images": is_htl.shape[1], "n_htl": is_htl.sum(axis=1),
            "share": is_htl.mean(axis=1), "undefined": np.asarray(undefined, bool).sum(axis=1),
            "jaccard": means[:, 0], "random_jaccard": means[:, 1], "random_jaccard_high": means[:, 2],
        }
    )  # fmt: skip


def random_jaccard(n: int, one: int, other: int) -> tuple[float, float]:
    """Mean and 97.5% quantile of the Jaccard index of two random sets of `one` and `other` of n images."""
    common = np.arange(max(0, one + other - n), min(one, other) + 1)
    index = common / (one + other - common)
    luck = stats.hypergeom(n, one, other)
    return float(index @ luck.pmf(common)), float(index[np.searchsorted(common, luck.ppf(0.975))])


def _chi_square_by_permutation(rate: np.ndarray, member: np.ndarray, seed: int, draws: int) -> tuple[float, float]:
    """Pearson's chi-square of HTL against not, summed over groups, and its P among permutations of the images."""
    sizes, overall = member.sum(axis=0), rate.mean()

    def statistic(rates: np.ndarray) -> np.ndarray:
        observed = rates @ member  # (..., groups)
        expected = overall * sizes
        return ((observed - expected) ** 2 / (expected * (1 - overall))).sum(axis=-1)

    rng = np.random.default_rng(seed)
    observed = float(statistic(rate))
    block = max(1, 2_000_000 // len(rate))
    at_least = 0
    for start in range(0, draws, block):
        shuffled = rng.permuted(np.tile(rate, (min(block, draws - start), 1)), axis=1)
        at_least += int((statistic(shuffled) >= observed * (1 - 1e-12)).sum())
    return observed, (at_least + 1) / (draws + 1)


def _ordered(group: np.ndarray, order: Sequence[str]) -> list[str]:
    """The groups there are: those of `order` first, others by name, 'unknown' last."""
    there = set(group.tolist())
    listed = [name for name in order if name in there and name != UNKNOWN]
    rest = sorted(there - set(listed) - {UNKNOWN})
    return [*listed, *rest, *([UNKNOWN] if UNKNOWN in there else [])]


def _share(values: np.ndarray) -> np.ndarray:
    """Values over their sum along the last axis; NaN where that is 0."""
    return _ratio(values, values.sum(axis=-1, keepdims=True))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
