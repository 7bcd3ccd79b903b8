"""Which sparsity is safe for which class: how far one can prune and be sure that a loss stays within a margin."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.analysis.association import holm
from prunecxr.analysis.twoway import Estimates, estimate, median
from prunecxr.studies.pruning.analysis.rankings import MIN_SEEDS, Rankings, estimates, plain_changes
from prunecxr.studies.pruning.analysis.scales import Scale

SAFE, NOT_SAFE, NOT_KNOWN = "safe", "not_safe", "not_known"


def safe_sparsity(rankings: Rankings, scale: Scale, delta: float = 0.10, alpha: float = 0.05) -> pd.DataFrame:
    """Whether each class is safe at each sparsity: its relative change is surely above minus the margin.

    H0, a change of -delta or worse, is tested one-sided over seeds and patients, by a fixed sequence from the lowest
    sparsity upward within a class, and by Holm's method over classes. Likewise that a change is surely below -delta.

    Args:
        scale: on which changes are measured.
        delta: margin, a relative change.
        alpha: one-sided level.

    Returns:
        Columns class, scale, delta, sparsity (above 0), change (median over seeds), low, high (one-sided bounds at
        1 - alpha each), p (adjusted, of H0), outcome (``safe``, ``not_safe``, ``not_known``), reason (why not known),
        safe_up_to (of the class; NaN if none), test_count. What cannot be told (a class that the dense networks do not
        know, with fewer than 10 positives, or fewer than 3 seeds) is ``not_known``; so is a change whose bounds lie on
        both sides of the margin: a loss down to ``low`` may have been missed.
    """
    untestable = _untestable(rankings)
    change = median(plain_changes(rankings, scale).to_numpy())
    pruned = [(k, one) for k, one in enumerate(estimates(rankings, scale, changes=True)) if rankings.sparsities[k] > 0]
    tables, p = [], np.zeros(len(rankings.classes))
    for k, one in pruned:
        p = np.fmax(p, np.where(np.isnan(one.value), 1.0, one.p_not_above(-delta)))
        tables.append(_at(rankings, k, one, change[k], p, untestable, delta, alpha))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)
    table = table.assign(scale=scale.name, delta=delta)
    table["safe_up_to"] = table["class"].map(table[table["outcome"] == SAFE].groupby("class")["sparsity"].max())
    places = {name: i for i, name in enumerate(rankings.classes)}
    order = np.lexsort((table["sparsity"].to_numpy(float), table["class"].map(places)))
    return table.iloc[order].reset_index(drop=True)[list(_COLUMNS)]


_COLUMNS = (
    "class", "scale", "delta", "sparsity", "change", "low", "high", "p", "outcome", "reason", "safe_up_to",
    "test_count",
)  # fmt: skip


def mean_change(rankings: Rankings, scale: Scale, delta: float = 0.10, alpha: float = 0.05) -> pd.DataFrame:
    """The same for the mean over the classes that the dense networks know and that have 10 positives or more.

    Returns:
        Columns sparsity (above 0), change, low, high, p (fixed sequence upward; NaN below 3 seeds), safe, n_classes,
        collapsed.
    """
    known = rankings.known()[0] & ~rankings.few
    collapsed, rows, p = rankings.collapsed(), [], 0.0
    nothing, dense, enough = rankings.nothing(scale)[known], None, len(rankings.seeds) >= MIN_SEEDS
    columns = ["sparsity", "change", "low", "high", "p", "safe", "n_classes", "collapsed"]
    if not known.any():
        return pd.DataFrame(columns=columns)
    for k, (values, influences) in enumerate(rankings.values_of(scale)):
        value, moved = (values[:, known] - nothing).mean(axis=1), influences[:, known].mean(axis=1)
        dense = dense or (value, moved)
        if rankings.sparsities[k] == 0:
            continue
        above = np.where(dense[0] > 0, dense[0], np.nan)
        ratio = value / above
        slope = (moved - ratio[:, None] * dense[1]) / above[:, None]
        one = estimate((ratio - 1)[:, None], slope[:, None], np.array([rankings.evidence[known].sum()]))
        low, high = one.interval(1 - 2 * alpha)
        p = float(np.fmax(p, one.p_not_above(-delta)[0] if np.isfinite(one.value[0]) else 1.0))
        rows.append(
            {
                "sparsity": rankings.sparsities[k], "change": float(one.value[0]), "low": float(low[0]),
                "high": float(high[0]), "p": p if enough else np.nan, "safe": enough and p < alpha,
                "n_classes": int(known.sum()), "collapsed": bool(collapsed[k]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _untestable(rankings: Rankings) -> np.ndarray:
    """Why nothing can be told of a class, empty where something can; shape (n_classes,)."""
    few_seeds = f"fewer than {MIN_SEEDS} seeds" if len(rankings.seeds) < MIN_SEEDS else ""
    unknown = np.where(rankings.known()[0], few_seeds, "not known by the dense networks")
    return np.where(rankings.few, "too few positives", unknown)


def _at(
    rankings: Rankings, k: int, one: Estimates, change: np.ndarray, p: np.ndarray, untestable: np.ndarray,
    delta: float, alpha: float,
) -> pd.DataFrame:  # fmt: skip
    """The rows of one sparsity."""
    tested = untestable == ""
    adjusted, worse = (holm(np.where(tested, values, np.nan)) for values in (p, one.p_not_below(-delta)))
    low, high = one.interval(1 - 2 * alpha)
    outcome = np.select([adjusted < alpha, worse < alpha], [SAFE, NOT_SAFE], NOT_KNOWN)
    return pd.DataFrame(
        {
            "class": rankings.classes,
            "sparsity": rankings.sparsities[k],
            "change": change,
            "low": low,
            "high": high,
            "p": adjusted,
            "outcome": outcome,
            "reason": np.where(outcome == NOT_KNOWN, np.where(tested, "between the bounds", untestable), ""),
            "test_count": rankings.positives,
        }
    )
