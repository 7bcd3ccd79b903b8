"""How much the set of PIEs depends on the measure of agreement and on the seeds, beside what chance would give."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from prunecxr.studies.pruning.analysis.agreement import AGREEMENT, measure_named
from prunecxr.studies.pruning.analysis.exemplars import Chooser, Exemplars
from prunecxr.studies.pruning.analysis.forgettability import MIN_SEEDS
from prunecxr.studies.pruning.analysis.seed_halves import Split

EMPTY = {"split": int, "seeds_a": int, "seeds_b": int, "jaccard": float, "expected_jaccard": float, "n": int}


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Members of both sets over members of either, for masks of shape (n_images,); NaN where both are empty."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


@cache
def expected_jaccard(n: int, a: int, b: int) -> float:
    """Mean Jaccard index of two random sets of ``a`` and ``b`` of n images; NaN where both are empty.

    The number of images in both is hypergeometric.
    """
    if not a and not b:
        return float("nan")
    both = np.arange(max(0, a + b - n), min(a, b) + 1)
    return float(np.sum(stats.hypergeom.pmf(both, n, a, b) * both / (a + b - both)))


def by_measure(dense: np.ndarray, pruned: np.ndarray, choose: Chooser) -> dict[str, Exemplars]:
    """The PIEs by each of :data:`AGREEMENT`, and by the measure in use if it is none of these.

    Args:
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes).
        pruned: the same at the PIE sparsity.
        choose: with the measure in use.
    """
    return {name: choose.by(name)(dense, pruned) for name in dict.fromkeys([*AGREEMENT, choose.measure])}


def pie_measures(sets: Mapping[str, Exemplars], measure: str) -> pd.DataFrame:
    """What each measure of agreement has to choose from.

    Args:
        sets: of :func:`by_measure`.
        measure: the one in use.

    Returns:
        Columns measure, used, defined (images whose agreement is), disagreeing (those short of perfect agreement: for
        ``modal`` all images on which the first class differs), pies, and tied: images that share the agreement of the
        last PIE where not all of them are PIEs, so that the id decides.
    """
    rows = []
    for name, (values, is_pie) in sets.items():
        level = values == values[is_pie].max(initial=-np.inf)
        cut = bool(is_pie.any()) and bool((level & ~is_pie).any())
        rows.append(
            {
                "measure": name,
                "used": name == measure,
                "defined": int((~np.isnan(values)).sum()),
                "disagreeing": int((values < measure_named(name).best).sum()),
                "pies": int(is_pie.sum()),
                "tied": int(level.sum()) if cut else 0,
            }
        )
    return pd.DataFrame(rows)


def pie_overlap(sets: Mapping[str, Exemplars]) -> pd.DataFrame:
    """How alike the sets of PIEs of any two measures are.

    Args:
        sets: of :func:`by_measure`.

    Returns:
        Columns measure_a, measure_b, jaccard (images in both over images in either; NaN where both are empty), n
        (images in both), expected_jaccard (the mean of random sets of these sizes, of the images on which either
        measure is defined), one row a pair.
    """
    rows = []
    for (a, (of_a, x)), (b, (of_b, y)) in combinations(sets.items(), 2):
        among = int((~np.isnan(of_a) | ~np.isnan(of_b)).sum())
        expected = expected_jaccard(among, int(x.sum()), int(y.sum()))
        both = {"jaccard": jaccard(x, y), "n": int((x & y).sum()), "expected_jaccard": expected}
        rows.append({"measure_a": a, "measure_b": b, **both})
    return pd.DataFrame(rows)


def pie_stability(dense: np.ndarray, pruned: np.ndarray, splits: list[Split], choose: Chooser) -> pd.DataFrame:
    """How much of the set of PIEs other seeds would find again: those of one part of the seeds against the other's.

    The two sets share no network. Each is averaged over half the seeds, so that a set of all seeds is at least as
    stable.

    Args:
        dense: mean predictions of both parts at sparsity 0, shape (n_splits, 2, n_images, n_classes).
        pruned: the same at the PIE sparsity.
        splits: the seeds of each part.
        choose: which images are PIEs.

    Returns:
        Columns split (from 1), seeds_a, seeds_b (how many), jaccard, expected_jaccard (of random sets of these sizes),
        n (images in both); without rows below 3 seeds.
    """
    rows = []
    if splits and sum(map(len, splits[0])) >= MIN_SEEDS:
        for at, parts in enumerate(splits):
            values, sets = zip(*(choose(dense[at, side], pruned[at, side]) for side in (0, 1)), strict=True)
            defined = int((~np.isnan(values)).any(axis=0).sum())
            sizes = [int(one.sum()) for one in sets]
            both = {"jaccard": jaccard(*sets), "expected_jaccard": expected_jaccard(defined, *sizes)}
            seeds = dict(zip(("seeds_a", "seeds_b"), map(len, parts), strict=True))
            rows.append({"split": at + 1, **seeds, **both, "n": int((sets[0] & sets[1]).sum())})
    return pd.DataFrame(rows, columns=list(EMPTY)).astype(EMPTY)
