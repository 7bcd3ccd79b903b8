"""Permutation tests against plain loops over the same permutations, and at the rates that they claim."""

from __future__ import annotations

from itertools import permutations as all_permutations

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from prunecxr.analysis import permutation
from prunecxr.analysis.association import correlate
from prunecxr.analysis.permutation import PermutationTest, correlation_p, mantel, partial_mantel, qap

B = 199


def orders(n: int, permutations: int = B, seed: int = 0) -> np.ndarray:
    """The permutations that are drawn, one a row, without the one that changes nothing."""
    drawn = np.tile(np.arange(n), (permutations, 1))
    return np.random.default_rng(seed).permuted(drawn, axis=1)


def p_of(observed: float, null: list[float]) -> float:
    return (1 + sum(abs(value) >= abs(observed) - 1e-9 for value in null)) / (1 + len(null))


def symmetric(rng: np.random.Generator, n: int = 9) -> np.ndarray:
    values = rng.random((n, n))
    return values + values.T


def over_pairs(matrix: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Entries above the diagonal, row by row, of the matrix with rows and columns in this order."""
    order = np.arange(len(matrix)) if order is None else order
    return np.array([matrix[order[i], order[j]] for i in range(len(matrix)) for j in range(i + 1, len(matrix))])


def as_matrix(entries: np.ndarray, n: int) -> np.ndarray:
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = entries
    return matrix + matrix.T


def residual(y: np.ndarray, *given: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(y)), *given])
    return y - design @ np.linalg.lstsq(design, y)[0]


@pytest.mark.parametrize("of", [stats.pearsonr, stats.spearmanr])
def test_correlation_equals_a_loop(of) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random(12), rng.integers(0, 4, (3, 12)).astype(float)
    y[1, 4] = np.nan
    found = correlation_p(x, y, permutations=B)
    name, value = ("pearson_p", "pearson_r") if of is stats.pearsonr else ("spearman_p", "spearman_rho")
    for row, along in zip(found.to_dict("records"), y, strict=True):
        used = ~np.isnan(along)
        across = x[used]
        null = [of(across[order], along[used]).statistic for order in orders(used.sum())]
        assert row[value] == pytest.approx(of(across, along[used]).statistic)
        assert row[name] == pytest.approx(p_of(row[value], null))


def test_correlation_counts_and_censors_as_the_plain_one_does() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.random(10), rng.random((4, 10))
    x[0] = y[0, 3] = y[1, 4] = y[2, 5:] = np.nan
    late = np.isnan(y) & (rng.random(y.shape) < 0.6)
    late[3, 0] = True
    y[3] = 1.0
    found = correlation_p(x, y, permutations=B, censored=late)
    for row, along, beyond in zip(found.to_dict("records"), y, late, strict=True):
        plain = correlate(x, along, beyond)
        for name in ("n", "n_pearson", "n_censored", "pearson_r", "spearman_rho"):
            assert row[name] == pytest.approx(plain[name], nan_ok=True), name
        assert np.isnan(row["pearson_p"]) == np.isnan(plain["pearson_r"])
        assert np.isnan(row["spearman_p"]) == np.isnan(plain["spearman_rho"])
    one = correlation_p(x, y[0], permutations=B, censored=late[0])
    assert one.equals(found.iloc[[0]])


@pytest.mark.parametrize("n", [3, 5, 7])
def test_few_classes_are_permuted_in_every_way(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.random(n), rng.random(n)
    observed = stats.pearsonr(x, y).statistic
    null = [np.corrcoef(x[list(order)], y)[0, 1] for order in all_permutations(range(n))]
    assert correlation_p(x, y).pearson_p[0] == pytest.approx(np.mean(np.abs(null) >= abs(observed) - 1e-9))


@pytest.mark.parametrize("ranks", [False, True])
@pytest.mark.parametrize("n", [6, 9])
def test_mantel_equals_a_loop(ranks: bool, n: int) -> None:
    rng = np.random.default_rng(3)
    a, b = symmetric(rng, n), symmetric(rng, n).round(1)
    of = stats.spearmanr if ranks else stats.pearsonr
    found = mantel(a, b, B, ranks=ranks)
    assert found.r == pytest.approx(of(over_pairs(a), over_pairs(b)).statistic)
    assert found.naive_p == pytest.approx(of(over_pairs(a), over_pairs(b)).pvalue)
    assert (found.n, found.n_classes, found.reason) == (n * (n - 1) / 2, n, "")
    if n <= 7:
        every = [np.array(order) for order in all_permutations(range(n))]
        null = [of(over_pairs(a), over_pairs(b, order)).statistic for order in every]
        assert found.p == pytest.approx(np.mean(np.abs(null) >= abs(found.r) - 1e-9))
    else:
        null = [of(over_pairs(a), over_pairs(b, order)).statistic for order in orders(n)]
        assert found.p == pytest.approx(p_of(found.r, null))
        low, high = np.quantile([found.r, *null], (0.025, 0.975))
        assert (found.null_low, found.null_high) == pytest.approx((low, high))


@pytest.mark.parametrize("ranks", [False, True])
def test_partial_mantel_equals_a_loop_over_residuals(ranks: bool) -> None:
    rng = np.random.default_rng(4)
    given = symmetric(rng)
    a, b = given + symmetric(rng), symmetric(rng) - given
    found = partial_mantel(a, b, [given], B, ranks=ranks)
    ranked = stats.rankdata if ranks else np.asarray
    y, x, held = (ranked(over_pairs(one)) for one in (a, b, given))

    def partial(moved: np.ndarray) -> float:
        return stats.pearsonr(residual(y, held), residual(moved, held)).statistic

    left = as_matrix(residual(x, held), len(a))
    assert found.r == pytest.approx(partial(x))
    assert found.p == pytest.approx(p_of(found.r, [partial(over_pairs(left, order)) for order in orders(len(a))]))
    fit = OLS(y, np.column_stack([np.ones_like(y), x, held])).fit()
    assert (found.slope, found.naive_p) == pytest.approx((fit.params[1], fit.pvalues[1]))


def test_qap_equals_a_loop_of_regressions() -> None:
    """The t of a regression on the permuted residual and all other predictors, as Dekker et al. define it."""
    rng = np.random.default_rng(5)
    terms = {"d": symmetric(rng), "o": symmetric(rng)}
    terms["product"] = terms["d"] * terms["o"]
    y = terms["d"] + 2 * symmetric(rng)
    found = qap(y, terms, B)
    outcome, columns = over_pairs(y), {name: over_pairs(matrix) for name, matrix in terms.items()}
    fit = OLS(outcome, np.column_stack([np.ones(len(outcome)), *columns.values()])).fit()
    for i, name in enumerate(terms):
        others = [column for other, column in columns.items() if other != name]
        left = as_matrix(residual(columns[name], *others), len(y))
        null = [
            OLS(outcome, np.column_stack([np.ones(len(outcome)), over_pairs(left, order), *others])).fit().tvalues[1]
            for order in orders(len(y))
        ]
        assert found[name].slope == pytest.approx(fit.params[1 + i])
        assert found[name].naive_p == pytest.approx(fit.pvalues[1 + i])
        assert found[name].p == pytest.approx(p_of(fit.tvalues[1 + i], null))


def test_batches_change_nothing(monkeypatch) -> None:
    rng = np.random.default_rng(6)
    a, b = symmetric(rng, 12), symmetric(rng, 12)
    whole = mantel(a, b, B)
    monkeypatch.setattr(permutation, "BATCH", 500)
    assert mantel(a, b, B)[:-1] == pytest.approx(whole[:-1])
    assert mantel(a, b, B, seed=1).p != whole.p


def test_undefined_classes_are_left_out() -> None:
    rng = np.random.default_rng(7)
    a, b, given = (symmetric(rng, 11) for _ in range(3))
    kept = np.delete(np.arange(11), [2, 5])
    whole = partial_mantel(a[np.ix_(kept, kept)], b[np.ix_(kept, kept)], [given[np.ix_(kept, kept)]], B)
    a[2], a[:, 2] = np.nan, np.nan
    given[5], given[:, 5] = np.inf, np.inf
    found = partial_mantel(a, b, [given], B)
    assert found == whole
    assert found.n_classes == 9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a, b: (a[:4, :4], b[:4, :4]), "4 classes with defined values, where a test over pairs needs 5"),
        (lambda a, b: (0 * a + 1, b), "no differences between pairs"),
        (lambda a, b: (a, 0 * b + 1), "predictors that are constant or follow from each other"),
    ],
)
def test_what_cannot_be_tested_says_why(change, reason: str) -> None:
    rng = np.random.default_rng(8)
    found = mantel(*change(symmetric(rng), symmetric(rng)), B)
    assert found.reason == reason
    assert qap(np.zeros((n := 1, n)), {"x": np.zeros((n, n))}, B)["x"].n_classes == n
    assert np.isnan([found.r, found.slope, found.p, found.naive_p, found.null_low, found.null_high]).all()


def test_what_follows_from_the_held_matrices_is_not_tested() -> None:
    rng = np.random.default_rng(9)
    a, b = symmetric(rng), symmetric(rng)
    assert partial_mantel(a, 2 * b + 1, [b], B).reason == "predictors that are constant or follow from each other"
    assert partial_mantel(3 * b - 1, a, [b], B).reason == "no differences between pairs but those held equal"
    assert all(np.isnan(test.p) for test in qap(a, {"b": b, "twice": 2 * b}, B).values())


def distances(values: np.ndarray) -> np.ndarray:
    return np.abs(values[:, None] - values)


def rejections(tests: list[PermutationTest]) -> tuple[int, int]:
    return sum(test.p < 0.05 for test in tests), sum(test.naive_p < 0.05 for test in tests)


def test_rejects_at_its_level_where_pairs_that_share_a_class_would_not() -> None:
    """Distances of unrelated traits of 14 classes: the t-test over pairs errs far more often than it says."""
    rng = np.random.default_rng(10)
    runs = 200
    bound = stats.binom(runs, 0.05).ppf(0.999)
    plain, held = [], []
    for _ in range(runs):
        x = rng.normal(size=14)
        confounded = distances(x + rng.normal(size=14))
        plain.append(mantel(distances(rng.normal(size=14)), distances(x), B))
        held.append(partial_mantel(distances(rng.normal(size=14)), confounded, [distances(x)], B))
    permuted, naive = rejections(plain)
    assert 1 <= permuted <= bound < naive
    assert 1 <= rejections(held)[0] <= bound


def test_finds_what_is_there_and_not_what_only_follows_from_another() -> None:
    rng = np.random.default_rng(11)
    common, own, other = (distances(rng.normal(size=20)) for _ in range(3))
    caused, follows = common + 0.5 * own, common + other
    assert mantel(caused, common, 999).p == 0.001
    assert mantel(caused, follows, 999).p < 0.05
    assert partial_mantel(caused, follows, [common], 999).p > 0.05
    assert partial_mantel(caused, common, [follows], 999).p < 0.05


def test_strata_hold_equal_what_acts_on_a_curve() -> None:
    """Both distances follow that of ``x``, on a curve: a line through it leaves them alike, strata of ``x`` do not."""
    rng = np.random.default_rng(12)
    runs, x = 100, np.repeat(np.arange(4.0), 5)
    lines, strata = [], []
    for _ in range(runs):
        a, b = (distances(x + rng.normal(size=20)) for _ in range(2))
        lines.append(partial_mantel(a, b, [distances(x)], B))
        strata.append(partial_mantel(a, b, [distances(x)], B, strata=x))
    bound = stats.binom(runs, 0.05).ppf(0.999)
    assert 1 <= rejections(strata)[0] <= bound < rejections(lines)[0]
    follows = distances(x + rng.normal(size=20))
    found = partial_mantel(follows + distances(rng.normal(size=20)) / 4, follows, [distances(x)], B, strata=x)
    assert found.p < 0.05


@pytest.mark.parametrize("n", [7, 10])
def test_strata_equal_a_loop(n: int) -> None:
    """The partial correlation is computed anew after each permutation of the outcome within strata."""
    rng = np.random.default_rng(13)
    a, b, given = (symmetric(rng, n) for _ in range(3))
    strata = np.arange(n) % 2
    moves = permutation._orders(B, 0, tuple(strata.tolist())).T
    assert len(np.unique(moves, axis=0)) == (144 if n == 7 else len(moves))
    assert (strata[moves] == strata).all()

    def partial(order: np.ndarray) -> float:
        held = over_pairs(given)
        return stats.pearsonr(residual(over_pairs(a, order), held), residual(over_pairs(b), held)).statistic

    found = partial_mantel(a, b, [given], B, strata=strata)
    null = np.abs([partial(order) for order in moves])
    assert found.p == pytest.approx(np.mean(null >= abs(found.r) - 1e-9))
    assert abs(found.r) == pytest.approx(null[0])
