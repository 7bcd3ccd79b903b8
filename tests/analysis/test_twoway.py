"""Two-way intervals: against formulas for means, against draws by a loop, and whether they hold their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunecxr.analysis.ranking import SCALES, Subjects, rank
from prunecxr.analysis.twoway import Draws, drawn, estimate, median


def measured(rng, n_seeds: int, n_patients: int, spread=(1.0, 1.0, 1.0)) -> tuple[np.ndarray, np.ndarray]:
    """Means over patients of seed effect + patient effect + interaction, and their influences."""
    by_seed, by_patient, both = spread
    cells = (
        by_seed * rng.normal(size=(n_seeds, 1))
        + by_patient * rng.normal(size=(1, n_patients))
        + both * rng.normal(size=(n_seeds, n_patients))
    )
    values = cells.mean(axis=1)
    return values[:, None], ((cells - values[:, None]) / n_patients)[:, None]


def test_draws_are_medians_over_drawn_seeds_of_weighted_patients() -> None:
    """By a loop, up to the shift and the scale that give them the value and the error of the estimate."""
    rng = np.random.default_rng(0)
    values, influences = rng.normal(size=(4, 3)), rng.normal(size=(4, 3, 7))
    values[2, 1] = np.nan
    draws = Draws.of(4, 7, 60, seed=1)
    estimates = estimate(values, influences, np.full(3, 30))
    assert estimates.value == pytest.approx(np.nanmedian(values, axis=0))
    resampled = drawn(estimates, values, influences, draws)
    weighted = [values + (influences * weights).sum(axis=2) for weights in draws.patients]
    looped = np.array([np.nanmedian(each[seeds], axis=0) for each, seeds in zip(weighted, draws.seeds, strict=True)]).T
    for one, other, value, error in zip(resampled, looped, estimates.value, estimates.error, strict=True):
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(1)
        assert one.mean() == pytest.approx(value)
        assert one.std() == pytest.approx(error)
    assert (draws.patients.sum(axis=1) == 0).all()


@pytest.mark.parametrize("spread", [(1, 0.01, 0.01), (0.01, 6, 0.01), (0.01, 0.01, 6), (1, 5, 5)])
@pytest.mark.parametrize("n_seeds", [3, 10])
def test_intervals_hold_their_level_whatever_varies(spread, n_seeds: int) -> None:
    """The truth is 0; 400 repetitions, so the covered share is known to about 1%."""
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(400):
        low, high = estimate(*measured(rng, n_seeds, 60, spread), np.array([60])).interval()
        covered.append(low[0] <= 0 <= high[0])
    assert 0.92 <= np.mean(covered) <= (0.997 if n_seeds == 3 else 0.985)


def test_one_seed_leaves_patients_alone() -> None:
    rng = np.random.default_rng(0)
    values, influences = measured(rng, 1, 200, (0, 1, 0))
    low, high = estimate(values, influences, np.array([200])).interval()
    error = np.sqrt((influences**2).sum() * 200 / 199)
    t = stats.t.ppf(0.975, 199)
    assert values[0, 0] - low[0] == pytest.approx(t * error)
    assert high[0] - values[0, 0] == pytest.approx(t * error)


def test_one_sided_p_goes_with_the_interval() -> None:
    rng = np.random.default_rng(3)
    estimates = estimate(*measured(rng, 8, 80), np.array([80]))
    low, high = estimates.interval(0.90)
    assert estimates.p_not_above(low[0])[0] == pytest.approx(0.05)
    assert estimates.p_not_below(high[0])[0] == pytest.approx(0.05)
    assert estimates.p_not_above(low[0] - 1)[0] < 0.05 < estimates.p_not_above(low[0] + 0.1)[0]


def test_the_median_leaves_missing_values_out() -> None:
    values = np.random.default_rng(0).normal(size=(6, 50))
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    assert median(values) == pytest.approx(np.nanmedian(values, axis=0), nan_ok=True)


def test_what_no_seed_has_is_undefined() -> None:
    estimates = estimate(np.full((3, 1), np.nan), np.full((3, 1, 5), np.nan), np.array([4]))
    assert np.isnan(estimates.value).all()
    assert np.isnan(estimates.interval()).all()
    assert np.isnan(estimates.p_not_above(0)).all()


@pytest.mark.parametrize("n_seeds", [3, 10])
def test_scores_of_networks_are_covered(n_seeds: int) -> None:
    """AP at the reference prevalence of normal scores with 20 positives of 300, against its value without sampling."""
    rng = np.random.default_rng(0)
    truth = np.arange(300) < 20
    people = Subjects.of(np.arange(300))
    scale, d = SCALES.index("ap_ref"), 1.5
    tpr = (np.arange(100_000) + 0.5) / 100_000
    fpr = stats.norm.sf(stats.norm.isf(tpr) + d)
    expected = (0.05 * tpr / (0.05 * tpr + 0.95 * fpr)).mean()
    covered = []
    for _ in range(100):
        image = rng.normal(size=300)
        scores = [d * truth + 0.8 * image + 0.6 * rng.normal(size=300) for _ in range(n_seeds)]
        rankings = [rank(truth, one, people) for one in scores]
        values = np.array([[one.values[scale] - one.bias[scale]] for one in rankings])
        influences = np.array([one.influences[[scale]] for one in rankings])
        low, high = estimate(values, influences, np.array([20])).interval()
        covered.append(low[0] <= expected <= high[0])
    assert np.mean(covered) >= 0.89
