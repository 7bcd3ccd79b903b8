"""Simultaneous intervals against their definition and against Šidák's for independent columns."""

from __future__ import annotations

import numpy as np
import pytest

from prunecxr.analysis.simultaneous import simultaneous_interval


def plainly(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The narrowest intervals of equally many order statistics that hold enough resamples, by trying them in turn."""
    ordered = np.sort(samples, axis=0)
    kept = ordered[0], ordered[-1]
    for cut in range(1, len(samples) // 2):
        low, high = ordered[cut], ordered[-1 - cut]
        if ((samples >= low) & (samples <= high)).all(axis=1).mean() < level:
            break
        kept = low, high
    return kept


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_a_search(level: float, ties: bool) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6))
    samples = np.round(samples) if ties else samples
    for one, other in zip(simultaneous_interval(samples, level), plainly(samples, level), strict=True):
        np.testing.assert_array_equal(one, other)


def test_independent_columns_give_sidak() -> None:
    samples = np.random.default_rng(1).random((40_000, 5))
    low, high = simultaneous_interval(samples, 0.95)
    single = (1 - 0.95 ** (1 / 5)) / 2
    np.testing.assert_allclose(low, single, atol=0.0015)
    np.testing.assert_allclose(high, 1 - single, atol=0.0015)


def test_columns_that_move_together_cost_nothing() -> None:
    one = np.random.default_rng(2).normal(size=(2_000, 1))
    together, alone = simultaneous_interval(np.repeat(one, 20, axis=1)), simultaneous_interval(one)
    assert (together[0] == alone[0][0]).all()
    assert (together[1] == alone[1][0]).all()


def test_infinities_are_extremes_and_constants_no_hindrance() -> None:
    samples = np.random.default_rng(3).normal(size=(1_000, 3))
    samples[:400, 0], samples[:, 1] = np.inf, 7.0
    low, high = simultaneous_interval(samples)
    assert high[0] == np.inf
    assert low[1] == high[1] == 7.0


def test_too_few_resamples_are_no_interval() -> None:
    samples = np.random.default_rng(4).normal(size=(100, 20))
    assert np.isnan(simultaneous_interval(samples)).all()
    assert np.isfinite(simultaneous_interval(samples[:, :1])).all()
    assert [end.shape for end in simultaneous_interval(samples[:, :0])] == [(0,), (0,)]
