"""Are some classes more frequent among PIEs because of pruning? An answer in one of four states, from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, OPPOSITE, YES
from prunecxr.studies.pruning.analysis.forgettability import MIN_SEEDS

# Why it cannot be told.
NO_PREDICTIONS, COLLAPSED, NO_PIES = "no_predictions", "collapsed", "no_pies"
FEW_SEEDS, FEW_IMAGES, FEW_RESAMPLES = "few_seeds", "few_images", "few_resamples"


@dataclass(frozen=True)
class Enrichment:
    """What the tables of PIEs say of the classes.

    Attributes:
        state: ``yes`` where some class is more frequent among PIEs than two dense populations explain; ``opposite``
            where none is, and some class is less frequent; ``no_association_shown``; ``cannot_be_told``.
        more, less: the classes beyond that control, farthest first.
        frequent: classes more frequent in PIEs than in other images, but not shown to be so because of pruning; the
            most frequent first.
        reason: why it cannot be told.
    """

    state: str
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    frequent: tuple[str, ...] = ()
    reason: str = ""


def pies_enriched(tables: Mapping[str, pd.DataFrame], *, collapsed: bool = False) -> Enrichment:
    """Whether classes are more frequent among PIEs, beyond what two dense populations show.

    A class counts where the simultaneous interval of its excess (over all classes) excludes 1, and where it is more
    frequent in PIEs than in other images; fewer than 10 positive test images, or images of fewer than 10 patients,
    never do.

    Args:
        tables: ``pie_ratios`` and ``pie_null``, where the study has them.
        collapsed: whether the pruned networks know nothing at any sparsity, so that nothing was asked.
    """
    ratios, null = tables.get("pie_ratios"), tables.get("pie_null")
    if collapsed:
        return Enrichment(CANNOT_BE_TOLD, reason=COLLAPSED)
    if ratios is None:
        return Enrichment(CANNOT_BE_TOLD, reason=NO_PREDICTIONS)
    if not ratios["pie_count"].any():
        return Enrichment(CANNOT_BE_TOLD, reason=NO_PIES)
    of_classes = ratios[ratios["group"] == "class"].sort_values("ratio", ascending=False, kind="stable")
    frequent = of_classes.loc[of_classes["adjusted_low"] > 1, "value"]
    reason = _reason(null)
    if reason or null is None:
        return Enrichment(CANNOT_BE_TOLD, frequent=tuple(frequent), reason=reason)
    table = null[null["group"] == "class"].sort_values("excess", ascending=False, kind="stable")
    more = tuple(table.loc[(table["adjusted_low"] > 1) & (table["ratio"] > 1), "value"])
    less = tuple(table.loc[table["adjusted_high"] < 1, "value"])[::-1]
    state = YES if more else OPPOSITE if less else NOT_SHOWN
    return Enrichment(state, more, less, tuple(name for name in frequent if name not in more))


def _reason(null: pd.DataFrame | None) -> str:
    """Why the control decides nothing; empty where it does."""
    if null is None or null["seeds"].iloc[0] < MIN_SEEDS:
        return FEW_SEEDS
    table = null[null["group"] == "class"]
    decided = table["adjusted_low"].notna()
    if decided.any():
        return ""
    return FEW_IMAGES if not (~table["few"] & table["excess"].notna()).any() else FEW_RESAMPLES
