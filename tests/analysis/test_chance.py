"""AP of random rankings, against all rankings and against scikit-learn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from prunecxr.analysis.chance import ap_quantile, expected_ap


@pytest.mark.parametrize(("images", "positives"), [(5, 1), (6, 2), (8, 3), (7, 7)])
def test_mean_is_that_over_all_rankings(images: int, positives: int) -> None:
    scores = []
    for places in combinations(range(images), positives):
        truth = np.isin(np.arange(images), places)
        scores.append(average_precision_score(truth, -np.arange(images)))
    assert expected_ap(images, positives) == pytest.approx(np.mean(scores))


def test_few_positives_lift_chance_above_prevalence() -> None:
    assert expected_ap(400, 4) / (4 / 400) == pytest.approx(2.4, abs=0.1)


@pytest.mark.parametrize(("images", "positives"), [(400, 4), (300, 60)])
def test_quantile_is_passed_by_one_random_ranking_in_forty(images: int, positives: int) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(images) < positives
    scores = [average_precision_score(truth, rng.random(images)) for _ in range(1000)]
    passed = np.mean(np.array(scores) > ap_quantile(images, positives))
    assert passed == pytest.approx(0.025, abs=0.015)
    assert ap_quantile(images, positives) == ap_quantile(images, positives)


def test_edges() -> None:
    assert np.isnan(expected_ap(10, 0))
    assert np.isnan(ap_quantile(10, 0))
    assert expected_ap(1, 1) == ap_quantile(4, 4) == 1
