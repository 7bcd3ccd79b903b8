"""Correlations with censoring, and Holm's correction against statsmodels."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.multitest import multipletests

from prunecxr.analysis.association import correlate, holm


def test_equals_scipy_without_gaps() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=20)
    y = np.round(x + rng.normal(size=20), 0)
    found = correlate(x, y)
    pearson, spearman = stats.pearsonr(x, y), stats.spearmanr(x, y)
    assert (found["pearson_r"], found["pearson_p"]) == pytest.approx((pearson.statistic, pearson.pvalue))
    assert (found["spearman_rho"], found["spearman_p"]) == pytest.approx((spearman.statistic, spearman.pvalue))
    assert found["n"] == found["n_pearson"] == 20


def test_censored_are_last_for_spearman_and_out_of_pearson() -> None:
    x = np.array([1.0, 2, 3, 4, 5, np.nan])
    y = np.array([0.5, 0.4, 0.6, np.nan, np.nan, 0.1])
    found = correlate(x, y, [False, False, False, True, True, False])
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(x[:3], y[:3]).statistic)
    assert found["spearman_rho"] == pytest.approx(stats.spearmanr(x[:5], [0.5, 0.4, 0.6, 9, 9]).statistic)
    assert (found["n"], found["n_pearson"], found["n_censored"]) == (5, 3, 2)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []), ([1, 2], [3, 4]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([1, 2, 3], [np.nan] * 3),
        ([1, 2, 3], [0.1 + 0.2, 0.3, 0.3]),
    ],
)  # fmt: skip
def test_undefined_is_nan_not_a_warning(x: list[float], y: list[float]) -> None:
    found = correlate(x, y)
    assert np.isnan(found["pearson_r"])
    assert np.isnan(found["pearson_p"])


@pytest.fixture(scope="module")
def _nothing_to_collect() -> Iterator[None]:
    """statsmodels collects garbage at every call, for which Python walks over all that other tests have loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_nothing_to_collect")
@given(arrays(float, st.integers(1, 20), elements=st.floats(0, 1)))
def test_holm_equals_statsmodels(p: np.ndarray) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


def test_holm_ignores_what_was_not_tested() -> None:
    np.testing.assert_allclose(holm([np.nan, 0.01, 0.04, np.nan]), [np.nan, 0.02, 0.04, np.nan])
    assert holm([]).shape == (0,)
