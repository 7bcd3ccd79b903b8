"""The patient bootstrap: sums, seeds, blocks, and percentiles among infinities."""

from __future__ import annotations

import numpy as np

from prunecxr.analysis import intervals
from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject


def test_totals_by_subject() -> None:
    totals = totals_by_subject(["b", "a", "b"], np.array([[1.0, 10], [2, 20], [3, 30]]))
    assert totals.tolist() == [[2, 20], [4, 40]]


def test_resampling_is_seeded_and_keeps_the_number_of_subjects() -> None:
    totals = np.column_stack([np.ones(30), np.arange(30.0)])
    first, again, other = (resampled_totals(totals, 50, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first[:, 1] != other[:, 1]).any()
    assert (first[:, 0] == 30).all()
    assert first.shape == (50, 2)


def test_mean_and_spread_of_resamples() -> None:
    values = np.random.default_rng(0).normal(size=(200, 1))
    sums = resampled_totals(values, 4000, 0)
    assert abs(sums.mean() - values.sum()) < 1
    assert abs(sums.std() / (values.std() * np.sqrt(200)) - 1) < 0.05


def test_blocks_bound_memory(monkeypatch) -> None:
    totals = np.column_stack([np.ones(30), np.arange(30.0)])
    monkeypatch.setattr(intervals, "WEIGHTS_AT_ONCE", 100)
    assert (resampled_totals(totals, 50, 1)[:, 0] == 30).all()


def test_percentiles() -> None:
    samples = np.column_stack([np.arange(101.0), np.r_[np.full(50, np.nan), np.arange(51)], np.full(101, np.nan)])
    low, high = percentile_interval(samples, level=0.9)
    np.testing.assert_array_equal(low, [5, 2, np.nan])
    np.testing.assert_array_equal(high, [95, 48, np.nan])
    low, high = percentile_interval(np.r_[np.zeros(90), np.full(10, np.inf)][:, None])
    assert (low[0], high[0]) == (0, np.inf)
