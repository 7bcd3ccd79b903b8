"""Means over seeds and patients: against Student where one of them does not vary, and by simulation where both do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunecxr.studies.localization.analysis.crossed import crossed


def each(n: int) -> np.ndarray:
    return np.arange(n).astype(str)


def test_where_patients_are_alike_it_is_students_t_over_seeds():
    by_seed = np.array([0.1, 0.3, 0.2, 0.6])
    found, expected = crossed(np.repeat(by_seed[:, None], 50, axis=1), each(50)), stats.ttest_1samp(by_seed, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.difference, found.p) == (pytest.approx(by_seed.mean()), pytest.approx(expected.pvalue))
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_where_seeds_are_alike_it_is_students_t_over_images():
    values = np.random.default_rng(0).normal(0.2, 1, 40)
    found, expected = crossed(np.repeat(values[None], 3, axis=0), each(40)), stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.high == pytest.approx(expected.confidence_interval(0.95).high)


def test_the_variances_add_up_as_in_clark():
    """min F' = F1 F2 / (F1 + F2), with (F1 + F2)^2 / (F1^2 / n2 + F2^2 / n1) degrees of freedom."""
    values = np.random.default_rng(1).normal(0.4, 1, (5, 30)) + np.random.default_rng(2).normal(0, 0.2, (5, 1))
    one = stats.ttest_1samp(values.mean(axis=1), 0).statistic ** 2
    other = stats.ttest_1samp(values.mean(axis=0), 0).statistic ** 2
    freedom = (one + other) ** 2 / (one**2 / 29 + other**2 / 4)
    expected = stats.f.sf(one * other / (one + other), 1, freedom)
    alone = stats.ttest_1samp(values.mean(axis=1), 0).pvalue
    assert crossed(values, each(30)).p == pytest.approx(max(expected, alone))


def test_images_of_one_patient_count_as_one():
    values = np.random.default_rng(3).normal(0.3, 1, (3, 20))
    once = crossed(values, each(20))
    again = crossed(np.repeat(values, 4, axis=1), np.repeat(each(20), 4))
    assert (again.low, again.p) == (pytest.approx(once.low), pytest.approx(once.p))


@pytest.mark.parametrize(
    "values", [np.ones((1, 5)), np.ones((3, 1)), np.full((3, 5), 0.2), np.array([[0.1, np.nan], [0.2, 0.1]])]
)
def test_what_cannot_be_tested_has_no_p(values):
    found = crossed(values, each(values.shape[1]))
    assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_it_errs_in_five_percent_whichever_varies_more(ratio):
    """Over 600 draws of three seeds; a test over patients alone errs in more than a fifth."""
    rng, wrong, alone = np.random.default_rng(4), 0, 0
    for _ in range(600):
        by_seed = rng.normal(size=(3, 1)) * np.sqrt(3 * ratio / 40)
        values = rng.normal(size=(1, 40)) + by_seed + 0.5 * rng.normal(size=(3, 40))
        wrong += crossed(values, each(40)).p < 0.05
        alone += stats.ttest_1samp(values.mean(axis=0), 0).pvalue < 0.05
    assert wrong / 600 < 0.075
    assert ratio < 1 or alone / 600 > 0.1
