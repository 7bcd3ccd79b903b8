"""Scores and influences against scikit-learn and against derivatives taken by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from prunecxr.analysis.ranking import Subjects, area, rank, separability


def made(n: int, positives: int, ties: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores (on a grid of `ties` values, if any) and patients."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(n, bool)
    truth[rng.choice(n, positives, replace=False)] = True
    scores = rng.normal(size=n) + truth
    if ties:
        scores = np.round(scores * ties) / ties
    return truth, scores.astype(np.float32), np.array([f"p{i}" for i in rng.integers(n // 3, size=n)])


def reference(truth, scores, weights=None, q: float = 0.05) -> list[float]:
    """The three scores by scikit-learn, of weighted images."""
    weights = np.ones(len(truth)) if weights is None else weights
    p = weights[truth].sum() / weights.sum()
    balanced = weights * np.where(truth, q / p, (1 - q) / (1 - p))
    return [
        average_precision_score(truth, scores, sample_weight=weights),
        average_precision_score(truth, scores, sample_weight=balanced),
        roc_auc_score(truth, scores, sample_weight=weights),
    ]


CASES = [(60, 7, 0), (60, 7, 2), (200, 1, 0), (200, 1, 1), (50, 49, 3), (300, 40, 5), (31, 9, 0)]


@pytest.mark.parametrize(("n", "positives", "ties"), CASES)
def test_scores_are_those_of_scikit_learn(n: int, positives: int, ties: int) -> None:
    truth, scores, people = made(n, positives, ties)
    values = rank(truth, scores, Subjects.of(people)).values
    assert values == pytest.approx(reference(truth, scores), abs=1e-12)


def test_ap_at_a_class_s_own_prevalence_is_ap() -> None:
    truth, scores, people = made(300, 30)
    ranking = rank(truth, scores, Subjects.of(people), reference=0.1)
    assert ranking.values[0] == pytest.approx(ranking.values[1], abs=1e-12)
    assert not np.allclose(*ranking.influences[:2])  # with fewer positives drawn, AP falls and AP at 0.1 does not


@pytest.mark.parametrize(("n", "positives", "ties"), CASES)
def test_influences_are_derivatives(n: int, positives: int, ties: int) -> None:
    """Central differences of scikit-learn's weighted scores, one patient after another."""
    truth, scores, people = made(n, positives, ties)
    subjects = Subjects.of(people)
    moved = rank(truth, scores, subjects).influences
    step = 1e-5
    for code in range(0, subjects.count, 5):
        up, down = np.ones(n), np.ones(n)
        up[subjects.codes == code] += step
        down[subjects.codes == code] -= step
        slope = (np.array(reference(truth, scores, up)) - reference(truth, scores, down)) / (2 * step)
        assert moved[:, code] == pytest.approx(slope, abs=1e-7)
    assert moved.sum(axis=1) == pytest.approx(0, abs=1e-12)


def test_linear_resamples_are_as_wide_as_real_ones() -> None:
    truth, scores, people = made(1500, 40, seed=2)
    subjects = Subjects.of(people)
    ranking = rank(truth, scores, subjects)
    weights = np.random.default_rng(1).multinomial(subjects.count, np.full(subjects.count, 1 / subjects.count), 400)
    linear = ranking.values[:, None] + ranking.influences @ weights.T
    real = np.array([reference(truth, scores, row[subjects.codes].astype(float)) for row in weights]).T
    for scale in range(3):
        assert np.corrcoef(linear[scale], real[scale])[0, 1] > 0.95
        assert linear[scale].std() == pytest.approx(real[scale].std(), rel=0.12)


@pytest.mark.parametrize("truth", [np.zeros(9, bool), np.ones(9, bool)])
def test_a_class_without_positives_or_negatives_has_no_score(truth: np.ndarray) -> None:
    ranking = rank(truth, np.arange(9), Subjects.of(np.arange(9)))
    assert np.isnan(ranking.values).all()
    assert np.isnan(ranking.influences).all()


@pytest.mark.parametrize(("n", "positives", "ties"), [(40, 6, 0), (40, 6, 2), (25, 23, 3)])
def test_bias_is_that_of_the_jackknife(n: int, positives: int, ties: int) -> None:
    """Every image left out in turn, positives and negatives apart."""
    truth, scores, _ = made(n, positives, ties)
    ranking = rank(truth, scores, Subjects.of(np.arange(n)))
    bias = np.zeros(3)
    for side in (truth, ~truth):
        without = [reference(truth[kept], scores[kept]) for kept in (np.arange(n) != i for i in np.flatnonzero(side))]
        bias += (side.sum() - 1) * (np.mean(without, axis=0) - ranking.values)
    assert ranking.bias == pytest.approx(bias, abs=1e-10)


def test_bias_of_few_positives_is_taken_away() -> None:
    """Of a random ranking, AP at the reference prevalence is that prevalence; with 8 positives it comes out larger."""
    rng = np.random.default_rng(0)
    truth = np.arange(600) < 8
    people = Subjects.of(np.arange(600))
    rankings = [rank(truth, rng.normal(size=600), people) for _ in range(400)]
    plain, corrected = (np.mean([r.values[1] - bias * r.bias[1] for r in rankings]) for bias in (0, 1))
    assert plain > 0.07
    assert abs(corrected - 0.05) < 0.4 * (plain - 0.05)


def test_signs_and_zeros_are_ordered() -> None:
    scores = np.array([-2.0, -0.0, 0.0, 3.0, -1.0], np.float32)
    truth = np.array([0, 1, 0, 1, 0], bool)
    values = rank(truth, scores, Subjects.of(np.arange(5))).values
    assert values == pytest.approx(reference(truth, scores), abs=1e-12)


def test_separability_is_the_distance_of_two_normals() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([True, False], 20_000)
    auroc = roc_auc_score(truth, rng.normal(size=40_000) + 1.3 * truth)
    assert separability(auroc) == pytest.approx(1.3, abs=0.03)
    assert area(separability(np.array([0.3, 0.5, 0.9]))) == pytest.approx([0.3, 0.5, 0.9])
    assert np.isfinite(separability(np.array([0.0, 1.0]))).all()
