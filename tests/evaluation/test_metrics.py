"""Per-class scores against scikit-learn, and the properties they must have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from prunecxr.evaluation.metrics import CLASS_SCORES, NO_NEGATIVE, NO_POSITIVE, class_scores, mean_scores


def case(seed: int, n: int = 60, n_classes: int = 4, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Random labels with both values in every class, and probabilities, rounded to ``steps`` values for ties."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, n_classes)) < rng.uniform(0.05, 0.9, n_classes)).astype(np.uint8)
    labels[0], labels[1] = 0, 1
    probabilities = np.clip(0.3 * labels + rng.random((n, n_classes)) * 0.7, 0, 1)
    return labels, probabilities if steps is None else np.round(probabilities * steps) / steps


@pytest.mark.parametrize("steps", [None, 1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_scikit_learn(steps: int | None, dtype: type) -> None:
    for seed in range(10):
        labels, probabilities = case(seed, steps=steps)
        probabilities = probabilities.astype(dtype)
        table = class_scores(labels, probabilities)
        for c, row in enumerate(table.itertuples()):
            y, p = labels[:, c], probabilities[:, c]
            assert row.ap == pytest.approx(average_precision_score(y, p), abs=1e-12)
            assert row.auroc == pytest.approx(roc_auc_score(y, p), abs=1e-12)
            assert row.f1 == pytest.approx(f1_score(y, p >= 0.5, zero_division=0), abs=1e-12)
            assert row.support == y.sum()
            assert row.reason == ""


def test_f1_is_zero_where_no_image_is_predicted() -> None:
    labels = np.array([[1], [0]])
    assert class_scores(labels, np.full((2, 1), 0.49)).f1.iloc[0] == 0
    assert class_scores(labels, np.full((2, 1), 0.5)).f1.iloc[0] == pytest.approx(2 / 3)


def test_class_without_positive_or_negative_is_nan_with_a_reason() -> None:
    labels, probabilities = case(0)
    labels[:, 1], labels[:, 2] = 0, 1
    table = class_scores(labels, probabilities, ["a", "none", "all", "d"])
    assert table.loc["none", ["ap", "auroc", "f1"]].isna().all()
    assert table.loc["none", "reason"] == NO_POSITIVE
    assert np.isnan(table.loc["all", "auroc"])
    assert table.loc["all", "ap"] == 1
    assert table.loc["all", "reason"] == NO_NEGATIVE
    means = mean_scores(table)
    assert means["ap"] == pytest.approx(table.ap[["a", "all", "d"]].mean())
    assert means["auroc"] == pytest.approx(table.auroc[["a", "d"]].mean())


def test_a_new_score_is_one_function(monkeypatch) -> None:
    monkeypatch.setitem(CLASS_SCORES, "brier", lambda truth, score: float(np.mean((truth - score) ** 2)))
    labels, probabilities = case(2)
    labels[:, 0] = 0
    table = class_scores(labels, probabilities)
    assert list(table.columns) == ["ap", "auroc", "f1", "brier", "support", "reason"]
    assert table.brier.isna().tolist() == [True, False, False, False]
    expected = ((labels - probabilities) ** 2).mean(axis=0)[1:]
    np.testing.assert_allclose(table.brier[1:], expected)
    assert mean_scores(table)["brier"] == pytest.approx(expected.mean())


def test_means_of_nothing_are_nan() -> None:
    table = class_scores(np.zeros((3, 2), int), np.full((3, 2), 0.5))
    assert all(np.isnan(value) for value in mean_scores(table).values())
    empty = class_scores(np.zeros((0, 2), int), np.zeros((0, 2)))
    assert empty.reason.tolist() == [NO_POSITIVE] * 2


@given(st.integers(0, 10_000), st.sampled_from([None, 3]))
@settings(max_examples=50, deadline=None)
def test_order_of_images_does_not_matter(seed: int, steps: int | None) -> None:
    labels, probabilities = case(seed, steps=steps)
    order = np.random.default_rng(seed).permutation(len(labels))
    before, after = class_scores(labels, probabilities), class_scores(labels[order], probabilities[order])
    np.testing.assert_allclose(before[["ap", "auroc", "f1"]], after[["ap", "auroc", "f1"]], rtol=0, atol=1e-14)


@given(st.integers(0, 10_000), st.sampled_from([np.sqrt, np.square, lambda p: 0.25 + p / 2]))
@settings(max_examples=50, deadline=None)
def test_monotone_transformation_leaves_ranking_scores_alone(seed: int, transform) -> None:
    labels, probabilities = case(seed, steps=20)
    before, after = class_scores(labels, probabilities), class_scores(labels, transform(probabilities))
    np.testing.assert_allclose(before[["ap", "auroc"]], after[["ap", "auroc"]], rtol=0, atol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.5, -0.1])
def test_values_that_are_no_probabilities_are_refused_by_name(bad: float) -> None:
    labels, probabilities = case(1)
    probabilities[5, 2] = bad
    with pytest.raises(ValueError, match=r"1 probabilities .* class 'hernia', row 5"):
        class_scores(labels, probabilities, ["a", "b", "hernia", "d"])


def test_wrong_shapes_names_and_labels_are_refused() -> None:
    labels, probabilities = case(1)
    with pytest.raises(ValueError, match="must both be"):
        class_scores(labels, probabilities[:, :2])
    with pytest.raises(ValueError, match="2 class names for 4 columns"):
        class_scores(labels, probabilities, ["a", "b"])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        class_scores(labels * 2, probabilities)
