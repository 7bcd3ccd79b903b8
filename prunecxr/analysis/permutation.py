"""Tests by permutation of the classes: of correlations over classes, and of matrices over pairs of them.

The n (n - 1) / 2 pairs of n classes are no independent observations: each class is in n - 1 of them. What can be
exchanged where there is no association are the classes, so their rows and columns are permuted together:

- Mantel (1967): correlation of the entries of two symmetric matrices, by Pearson or on ranks.
- partial Mantel, and QAP for every term of a regression: *double semi-partialling* (Dekker, Krackhardt & Snijders
  2007). What the other predictors leave of one predictor is permuted, the other predictors and the outcome stay as
  they are, and the partial correlation, which orders as |t| does, is compared. With no other predictor this is
  Mantel's test.
- within strata: the outcome's classes change places only with those of their own stratum. What is held equal then need
  not act along a line, of which double semi-partialling knows nothing else: where the outcome follows it closely, on a
  curve, the latter rejects too often.

P is two-sided, (1 + count) / (1 + permutations), where count is that of permutations at least as far from 0 as what
was observed; up to 7 classes all permutations are made, and P is their exact share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations as all_permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats
from scipy.spatial.distance import squareform

from prunecxr.analysis.association import MIN_POINTS, ROUNDING

PERMUTATIONS = 9_999
EXACT = 7  # classes, up to which all permutations are made
MIN_CLASSES = 5  # of a matrix: 4 classes have 24 permutations, and no P below .05 unless all else is right
TIE = 1e-9  # of correlations that differ by rounding alone
BATCH = 2**16  # entries that are permuted at a time: what a core keeps in its cache


class PermutationTest(NamedTuple):
    """An association of two matrices.

    Attributes:
        r: correlation, partial where anything is held equal.
        slope: coefficient in the regression on this and the matrices held equal.
        p: two-sided, by permutation of the classes.
        naive_p: two-sided t-test that takes pairs as independent.
        null_low, null_high: 2.5% and 97.5% quantile of ``r`` over the permutations.
        n: pairs.
        n_classes: classes that are defined in every matrix.
        reason: why the numbers are NaN; empty where they are not.
    """

    r: float
    slope: float
    p: float
    naive_p: float
    null_low: float
    null_high: float
    n: int
    n_classes: int
    reason: str = ""


def correlation_p(
    x: ArrayLike,
    y: ArrayLike,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    censored: ArrayLike | None = None,
) -> pd.DataFrame:
    """Pearson r and Spearman rho of ``x`` with each of several ``y``, with P by permutation of ``x``.

    Args:
        x: shape (n,); NaN leaves a class out.
        y: shape (n,) or (m, n); NaN leaves a class out of its row, unless it is censored.
        permutations: how many are drawn where there are more than 7 classes.
        seed: of the permutations, which are the same for every row.
        censored: bool, of the shape of ``y``; see :func:`prunecxr.analysis.association.correlate`.

    Returns:
        One row for each row of ``y``, columns as the keys of :func:`prunecxr.analysis.association.correlate`.
    """
    x, y = np.asarray(x, np.float64), np.atleast_2d(np.asarray(y, np.float64))
    late = np.zeros(y.shape, bool) if censored is None else np.atleast_2d(np.asarray(censored, bool))
    late = late & np.isfinite(x)
    observed = np.isfinite(x) & np.isfinite(y)
    r, r_p = _correlations(x, y, observed, permutations, seed)
    # Only order matters to Spearman, so infinity is a faithful 'later than all'.
    rho, rho_p = _correlations(x, np.where(late, np.inf, y), observed | late, permutations, seed, ranks=True)
    return pd.DataFrame(
        {
            "n": (observed | late).sum(axis=1),
            "pearson_r": r,
            "pearson_p": r_p,
            "spearman_rho": rho,
            "spearman_p": rho_p,
            "n_pearson": observed.sum(axis=1),
            "n_censored": late.sum(axis=1),
        }
    )


def mantel(
    a: ArrayLike, b: ArrayLike, permutations: int = PERMUTATIONS, seed: int = 0, *, ranks: bool = False
) -> PermutationTest:
    """Correlation of the pairs of two symmetric matrices.

    Args:
        a, b: shape (n_classes, n_classes), symmetric; the diagonal is not looked at. NaN is undefined: classes are
            left out, those with most undefined pairs first, until no pair is undefined.
        permutations: how many are drawn where there are more than 7 classes.
        seed: of the permutations.
        ranks: Spearman's correlation instead of Pearson's.

    Returns:
        See :class:`PermutationTest`; NaN, with the reason, below 5 classes or where a matrix does not vary.
    """
    return partial_mantel(a, b, (), permutations, seed, ranks=ranks)


def partial_mantel(
    a: ArrayLike,
    b: ArrayLike,
    given: Sequence[ArrayLike],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    *,
    ranks: bool = False,
    strata: ArrayLike | None = None,
) -> PermutationTest:
    """Correlation of the pairs of two symmetric matrices where others are held equal; see :func:`mantel`.

    Args:
        given: the matrices held equal, each of the shape of ``a``.
        strata: of each class, shape (n_classes,): the classes of ``a`` are permuted within them, in place of what
            ``given`` leaves of ``b``.
    """
    classes = defined_classes(a, b, *given)
    pairs = _pairs(classes, a, b, *given)
    if ranks:
        pairs = stats.rankdata(pairs, axis=1)
    places = np.zeros(len(classes)) if strata is None else np.asarray(strata)[classes]
    orders = _orders(permutations, seed, tuple(places.tolist()))
    return _partial(pairs[0], pairs[1], pairs[2:], orders, move_outcome=strata is not None)


def qap(
    y: ArrayLike, predictors: Mapping[str, ArrayLike], permutations: int = PERMUTATIONS, seed: int = 0
) -> dict[str, PermutationTest]:
    """Least-squares regression of the pairs of one symmetric matrix on those of others, with an intercept.

    Args:
        y: the outcome, shape (n_classes, n_classes), symmetric; see :func:`mantel`.
        predictors: name of a term -> matrix of that shape; a product of two others for an interaction.

    Returns:
        Term -> its test; ``slope`` is the coefficient. All are NaN, with the reason, where the pairs do not determine
        the coefficients and their errors.
    """
    classes = defined_classes(y, *predictors.values())
    pairs = _pairs(classes, y, *predictors.values())
    outcome, terms = pairs[0], pairs[1:]
    orders = _orders(permutations, seed, (0.0,) * len(classes))
    return {name: _partial(outcome, terms[i], np.delete(terms, i, axis=0), orders) for i, name in enumerate(predictors)}


def defined_classes(*matrices: ArrayLike) -> np.ndarray:
    """Places of the classes that every matrix defines all pairs of; see :func:`mantel`."""
    undefined = ~np.isfinite(np.array([np.asarray(one, np.float64) for one in matrices])).all(axis=0)
    np.fill_diagonal(undefined, False)
    defined = np.arange(len(undefined))
    while undefined.any():
        worst = undefined.sum(axis=1).argmax()
        undefined = np.delete(np.delete(undefined, worst, axis=0), worst, axis=1)
        defined = np.delete(defined, worst)
    return defined


def _pairs(classes: np.ndarray, *matrices: ArrayLike) -> np.ndarray:
    """The pairs of these classes, shape (n_matrices, n_pairs)."""
    a, b = np.triu_indices(len(classes), k=1)
    return np.array([np.asarray(one, np.float64)[classes[a], classes[b]] for one in matrices])


def _partial(
    y: np.ndarray, x: np.ndarray, given: np.ndarray, orders: np.ndarray, move_outcome: bool = False
) -> PermutationTest:
    """The association of ``y`` and ``x``, shape (n_pairs,), with ``given``, shape (q, n_pairs), held equal.

    Args:
        orders: permutations of the classes, as from :func:`_orders`.
        move_outcome: whether ``y`` is permuted, or what ``given`` leaves of ``x``.
    """
    n_classes = len(orders)
    held = np.vstack([np.ones(len(y)), given]).T
    freedom = len(y) - held.shape[1] - 1
    reason = _not_testable(y, x, held, n_classes)
    if reason:
        return PermutationTest(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, len(y), n_classes, reason)
    basis = np.linalg.qr(held)[0]
    y_left, x_left = (one - basis @ (basis.T @ one) for one in (y, x))
    r = (x_left @ y_left) / (np.linalg.norm(x_left) * np.linalg.norm(y_left))
    moved, still = (y - y.mean(), x_left) if move_outcome else (x_left, y_left)
    projected = _permuted(moved, np.vstack([still, basis.T]), orders)
    # What the held matrices explain of the permuted entries is taken from their length, as the regression would.
    length = moved @ moved
    left = (length - (projected[1:] ** 2).sum(axis=0)).clip(ROUNDING * length)
    null = projected[0] / (np.linalg.norm(still) * np.sqrt(left))
    low, high = np.quantile(null, (0.025, 0.975))
    return PermutationTest(
        r=float(r),
        slope=float(x_left @ y_left / (x_left @ x_left)),
        p=float((np.abs(null) >= abs(r) - TIE).mean()),
        naive_p=float(special.betainc(freedom / 2, 0.5, (1 - r**2).clip(0))),  # of t = r sqrt(freedom / (1 - r^2))
        null_low=float(low),
        null_high=float(high),
        n=len(y),
        n_classes=n_classes,
    )


def _not_testable(y: np.ndarray, x: np.ndarray, held: np.ndarray, n_classes: int) -> str:
    """Why the association cannot be tested; empty where it can."""
    if n_classes < MIN_CLASSES:
        return f"{n_classes} classes with defined values, where a test over pairs needs {MIN_CLASSES}"
    if np.ptp(y) <= ROUNDING * np.abs(y).max():
        return "no differences between pairs"
    design = np.column_stack([held, x])
    if len(y) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return "predictors that are constant or follow from each other"
    residual = y - held @ np.linalg.lstsq(held, y)[0]
    return "" if np.ptp(residual) > ROUNDING * np.ptp(y) else "no differences between pairs but those held equal"


def _permuted(x: np.ndarray, onto: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """``onto``, (k, n_pairs), times the pairs ``x``, (n_pairs,), after each permutation of the classes.

    Returns:
        Shape (k, permutations), the first of which changes nothing.
    """
    matrix, n_classes = squareform(x).ravel(), len(orders)
    a, b = np.triu_indices(n_classes, k=1)
    size = max(1, BATCH // len(x))
    batches = (orders[:, start : start + size] for start in range(0, orders.shape[1], size))
    return np.hstack([onto @ matrix[some[a] * n_classes + some[b]] for some in batches])


@lru_cache(maxsize=16)
def _orders(permutations: int, seed: int, strata: tuple[float, ...]) -> np.ndarray:
    """Permutations of the classes within their strata, the one that changes nothing first.

    Returns:
        Shape (n_classes, 1 + permutations), or as many as there are for up to 7 classes; int32.
    """
    places, n = np.array(strata), len(strata)
    if n <= EXACT:
        orders = np.array(list(all_permutations(range(n)))).reshape(-1, n)
        orders = orders[(places[orders] == places).all(axis=1)]
    else:
        orders = np.tile(np.arange(n), (1 + permutations, 1))
        rng = np.random.default_rng(seed)
        for stratum in np.unique(places):
            (inside,) = np.nonzero(places == stratum)
            orders[1:, inside] = rng.permuted(orders[1:, inside], axis=1)
    along_memory = np.ascontiguousarray(orders.T, np.int32)
    along_memory.flags.writeable = False
    return along_memory


def _correlations(
    x: np.ndarray, y: np.ndarray, used: np.ndarray, permutations: int, seed: int, ranks: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of ``x``, shape (n,), with each row of ``y``, (m, n), over ``used``, (m, n), and P; each (m,)."""
    r, p = np.full((2, len(y)), np.nan)
    for rows, classes in _alike(used):
        if classes.sum() < MIN_POINTS:
            continue
        across, along = x[classes], y[np.ix_(rows, classes)]
        if ranks:
            across, along = stats.rankdata(across), stats.rankdata(along, axis=1)
        across, along = _standardised(across), _standardised(along)
        null = along @ across[_orders(permutations, seed, (0.0,) * len(across))]
        r[rows] = null[:, 0]
        extreme = (np.abs(null) >= np.abs(null[:, :1]) - TIE).mean(axis=1)
        p[rows] = np.where(np.isnan(null[:, 0]), np.nan, extreme)
    return r, p


def _alike(used: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that use the same classes: their numbers, and a mask of shape (n,)."""
    masks, which = np.unique(used, axis=0, return_inverse=True)
    for i, mask in enumerate(masks):
        yield np.flatnonzero(which.ravel() == i), mask


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and length 1 along the last axis; NaN where nothing varies."""
    constant = np.ptp(values, axis=-1, keepdims=True) <= ROUNDING * np.abs(values).max(axis=-1, keepdims=True)
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.divide(centred, length, where=~constant, out=np.full(values.shape, np.nan))
