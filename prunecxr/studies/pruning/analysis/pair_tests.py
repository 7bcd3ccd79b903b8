"""Is the dissimilarity of curves associated with difference in frequency and co-occurrence? By permuting classes.

On every scale, so that an answer can name the one it holds on: see :mod:`prunecxr.analysis.permutation` for the tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from prunecxr.analysis.permutation import (
    MIN_CLASSES,
    PERMUTATIONS,
    PermutationTest,
    defined_classes,
    mantel,
    partial_mantel,
    qap,
)
from prunecxr.studies.pruning.analysis.pairs import DEFINITIONS, PREFIXES, scales_of

FREQUENCY, OVERLAP, INTERACTION = "log_freq_diff", "iou_fourth_root", "interaction"
OVERLAP_GIVEN_FREQUENCY, FREQUENCY_GIVEN_OVERLAP = "iou_given_frequency", "frequency_given_iou"
RHO, R, PARTIAL_RHO, PARTIAL_R, COEFFICIENT = (
    "spearman_rho", "pearson_r", "partial_spearman_rho", "partial_pearson_r", "coefficient",
)  # fmt: skip
COLUMNS = (
    "definition", "scale", "x", "statistic", "value", "naive_p", "permutation_p", "n", "n_classes",
    "stratified_p", "null_low", "null_high", "reason",
)  # fmt: skip


def pair_tests(
    pair_table: pd.DataFrame,
    definitions: tuple[str, ...] = tuple(DEFINITIONS),
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> pd.DataFrame:
    """Mantel, partial Mantel and QAP tests of FCD on every scale that the table has.

    Args:
        pair_table: the table of :func:`prunecxr.studies.pruning.analysis.pairs.pairs`.
        definitions: keys of :data:`prunecxr.studies.pruning.analysis.pairs.DEFINITIONS`.
        permutations: of the classes, how many are drawn where there are more than 7.
        seed: of the permutations, the same for every test.

    Returns:
        Columns definition, scale, x, statistic, value, naive_p (two-sided t-test that takes pairs as independent, as
        the paper does), permutation_p, n (pairs), n_classes, null_low and null_high (between which 95% of the
        permutations lie; NaN for coefficients), reason (why the numbers are NaN; else empty), and for
        ``iou_given_frequency`` stratified_p: by permutation of classes within strata of 5 or more of similar frequency,
        so that frequency is held equal however it acts. Rows by x and statistic:

        - ``log_freq_diff``, ``iou_fourth_root``: spearman_rho and pearson_r with nothing held equal, and coefficient
          in equation 2
        - ``iou_given_frequency``, ``frequency_given_iou``: partial_spearman_rho and partial_pearson_r
        - ``interaction``: coefficient of the product in equation 2
    """
    rows = [
        {"definition": name, "scale": scale, **row}
        for name in definitions
        for scale in scales_of(pair_table, name)
        for row in _tests(pair_table, name, scale, permutations, seed)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _tests(pair_table: pd.DataFrame, name: str, scale: str, permutations: int, seed: int) -> Iterator[dict]:
    """The rows of one definition and scale."""
    dissimilarity, frequency, overlap = (
        _square(pair_table, f"{column}_{name}") for column in (f"{PREFIXES[scale]}fcd", FREQUENCY, OVERLAP)
    )
    strata = _strata(frequency, defined_classes(dissimilarity, frequency, overlap))
    terms = {FREQUENCY: frequency, OVERLAP: overlap, INTERACTION: frequency * overlap}
    fit = qap(dissimilarity, terms, permutations, seed)
    for x in (FREQUENCY, OVERLAP):
        for statistic, ranks in ((RHO, True), (R, False)):
            yield _row(x, statistic, mantel(dissimilarity, terms[x], permutations, seed, ranks=ranks))
        yield _row(x, COEFFICIENT, fit[x])
    for x, of, given in (
        (OVERLAP_GIVEN_FREQUENCY, overlap, frequency),
        (FREQUENCY_GIVEN_OVERLAP, frequency, overlap),
    ):
        for statistic, ranks in ((PARTIAL_RHO, True), (PARTIAL_R, False)):
            test = partial_mantel(dissimilarity, of, [given], permutations, seed, ranks=ranks)
            if x == FREQUENCY_GIVEN_OVERLAP:
                yield _row(x, statistic, test)
                continue
            within = partial_mantel(dissimilarity, of, [given], permutations, seed, ranks=ranks, strata=strata)
            yield {**_row(x, statistic, test), "stratified_p": within.p}
    yield _row(INTERACTION, COEFFICIENT, fit[INTERACTION])


def _row(x: str, statistic: str, test: PermutationTest) -> dict:
    fitted = statistic == COEFFICIENT
    return {
        "x": x,
        "statistic": statistic,
        "value": test.slope if fitted else test.r,
        "naive_p": test.naive_p,
        "permutation_p": test.p,
        "n": test.n,
        "n_classes": test.n_classes,
        "stratified_p": np.nan,
        "null_low": np.nan if fitted else test.null_low,
        "null_high": np.nan if fitted else test.null_high,
        "reason": test.reason,
    }


def _strata(frequency: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Neighbours in frequency, at least 5 together, by the matrix of differences; shape (n_classes,).

    Args:
        classes: places of those that are tested; all others share the stratum -1.
    """
    strata = np.full(len(frequency), -1)
    differences = frequency[np.ix_(classes, classes)]
    if differences.size:
        end = np.unravel_index(differences.argmax(), differences.shape)[0]  # the rarest or the most frequent
        along = classes[np.argsort(differences[end], kind="stable")]
        for i, stratum in enumerate(np.array_split(along, max(1, len(along) // MIN_CLASSES))):
            strata[stratum] = i
    return strata


def _square(pair_table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of pairs as a symmetric matrix, shape (n_classes, n_classes); the diagonal is 0."""
    both = pd.concat([pair_table["class_a"], pair_table["class_b"]])
    where, classes = pd.factorize(both)
    a, b = np.split(where, 2)
    matrix = np.zeros((len(classes), len(classes)))
    matrix[a, b] = matrix[b, a] = pair_table[column]
    return matrix
