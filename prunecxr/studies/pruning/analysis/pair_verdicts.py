"""What the tests over pairs of classes say: one of five states for each question, from the table of tests alone.

A verdict needs scales on which a class's prevalence plays no part: AP moves with prevalence, so that classes forgotten
alike differ on it by their frequency, and by whatever goes with frequency.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from prunecxr.analysis.association import holm
from prunecxr.studies.pruning.analysis.pair_tests import FREQUENCY, OVERLAP_GIVEN_FREQUENCY, PARTIAL_RHO, RHO

State = Literal["yes", "opposite", "no_association_shown", "only_at_own_prevalence", "cannot_be_told"]

PREVALENCE_FREE = ("ap_ref", "auroc", "separability")
OWN_PREVALENCE = ("ap", "ap_chance")
AGREEING = 2  # prevalence-free scales that must show it, while the others point the same way


def cooccurring_alike(pair_tests: pd.DataFrame, definition: str, alpha: float = 0.05) -> State:
    """Whether classes that occur together are forgotten alike, at equal difference in frequency.

    P is the larger one of the two that the table has, stratified and not: the other errs too often where forgetting
    follows frequency on a curve.

    Args:
        pair_tests: the table of :func:`prunecxr.studies.pruning.analysis.pair_tests.pair_tests`.
        definition: of pairs, ``paper`` or ``published``.
        alpha: level, after Holm's adjustment over scales.

    Returns:
        ``yes`` (more overlap, smaller difference of curves) or ``opposite`` where all three prevalence-free scales
        have the same sign and at least two have P < alpha; ``only_at_own_prevalence`` where that fails, and AP or
        chance-corrected AP has P < alpha; ``cannot_be_told`` where any prevalence-free scale has no P; else
        ``no_association_shown``.
    """
    return _state(rows_of(pair_tests, definition, OVERLAP_GIVEN_FREQUENCY, PARTIAL_RHO), alike=-1, alpha=alpha)


def alike_by_frequency(pair_tests: pd.DataFrame, definition: str, alpha: float = 0.05) -> State:
    """Whether classes of similar frequency are forgotten alike, nothing held equal; see :func:`cooccurring_alike`."""
    return _state(rows_of(pair_tests, definition, FREQUENCY, RHO), alike=1, alpha=alpha)


def larger_p(rows: pd.DataFrame) -> pd.Series:
    """The permutation P of each row, or the stratified one where that is larger; NaN where nothing was tested."""
    return np.fmax(rows["permutation_p"], rows["stratified_p"])


def rows_of(pair_tests: pd.DataFrame, definition: str, x: str, statistic: str) -> pd.DataFrame:
    """The rows of one question, one for each scale, which is the index."""
    chosen = (pair_tests["definition"] == definition) & (pair_tests["x"] == x) & (pair_tests["statistic"] == statistic)
    return pair_tests[chosen].set_index("scale")


def _state(tests: pd.DataFrame, alike: int, alpha: float) -> State:
    """The state; ``alike`` is the sign of the value where the answer is yes."""
    tests = tests.assign(p=larger_p(tests))
    free, own = (tests.reindex(scales)[["value", "p"]].T for scales in (PREVALENCE_FREE, OWN_PREVALENCE))
    value, p = free.to_numpy(np.float64)
    if np.isnan(p).any():
        return "cannot_be_told"
    signs = np.sign(value)
    if (signs == signs[0]).all() and (holm(p) < alpha).sum() >= AGREEING:
        return "yes" if signs[0] == alike else "opposite"
    if (holm(own.loc["p"]) < alpha).any():
        return "only_at_own_prevalence"
    return "no_association_shown"
