"""Measures of agreement, against scipy an image at a time, pandas, and by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from prunecxr.studies.pruning.analysis.agreement import (
    AGREEMENT,
    agreement,
    measure_for,
    measure_named,
    spearman_above,  # fmt: skip
)


def predictions(seed: int, n: int = 50, n_classes: int = 6, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dense = rng.random((n, n_classes))
    pruned = (dense + rng.random((n, n_classes))) / 2
    return (dense, pruned) if steps is None else (np.round(dense * steps) / steps, np.round(pruned * steps) / steps)


def one_by_one(dense: np.ndarray, pruned: np.ndarray, threshold: float = -np.inf) -> list[float]:
    """Spearman's correlation of each image by scipy, over the classes above a threshold in either."""
    values = []
    with warnings.catch_warnings(action="ignore", category=stats.ConstantInputWarning):
        for a, b in zip(dense, pruned, strict=True):
            kept = (a > threshold) | (b > threshold)
            values.append(stats.spearmanr(a[kept], b[kept]).statistic if kept.sum() > 2 else np.nan)
    return values


@pytest.mark.parametrize("steps", [None, 4])
def test_spearman_equals_scipy_and_pandas(steps: int | None) -> None:
    dense, pruned = predictions(0, steps=steps)
    values = agreement(dense, pruned)
    np.testing.assert_allclose(values, one_by_one(dense, pruned))
    frames = pd.DataFrame(dense).rank(axis=1), pd.DataFrame(pruned).rank(axis=1)
    np.testing.assert_allclose(values, frames[0].corrwith(frames[1], axis=1))


@pytest.mark.parametrize("steps", [None, 5])
@pytest.mark.parametrize("threshold", [0.1, 0.6, 0.8])
def test_spearman_above_a_threshold_equals_scipy_on_those_classes(steps: int | None, threshold: float) -> None:
    dense, pruned = predictions(2, n=80, n_classes=7, steps=steps)
    expected = one_by_one(dense, pruned, threshold)
    np.testing.assert_allclose(agreement(dense, pruned, f"spearman@{threshold}"), expected)
    assert np.isnan(expected).any() == (threshold > 0.5)


def test_the_threshold_stands_in_the_name() -> None:
    dense, pruned = predictions(3)
    np.testing.assert_array_equal(agreement(dense, pruned, "spearman@0.1"), spearman_above(dense, pruned))
    assert "above 0.25 in either" in measure_named("spearman@0.25").words
    for name in ("spearman@", "spearman@1", "spearman@x", "spearman@nan", "kl@0.1", "psychic"):
        with pytest.raises(ValueError, match=r"known: spearman, spearman@0\.1, .*, and spearman@p for 0 < p < 1"):
            measure_named(name)


def test_standardised_measures_are_those_of_standard_scores() -> None:
    dense, pruned = predictions(4)
    x, y = (stats.zscore(special.logit(side), axis=0) for side in (dense, pruned))
    np.testing.assert_allclose(agreement(dense, pruned, "spearman_standardised"), one_by_one(x, y))
    expected = -np.abs(x - y).mean(axis=1)
    np.testing.assert_allclose(agreement(dense, pruned, "mean_absolute_standardised"), expected)


@pytest.mark.parametrize("measure", [name for name in AGREEMENT if name not in ("modal", "spearman@0.1")])
def test_a_shift_of_whole_classes_moves_only_the_plain_measures(measure: str) -> None:
    dense, pruned = predictions(5)
    scale, shift = np.linspace(0.5, 2, 6), np.linspace(-2, 2, 6)
    shifted = special.expit(special.logit(pruned) * scale + shift)
    same = np.allclose(agreement(dense, pruned, measure), agreement(dense, shifted, measure), atol=1e-9)
    assert same == measure.endswith("standardised")


def test_a_class_of_one_value_and_certain_predictions_are_standardised_too() -> None:
    dense, pruned = predictions(6)
    dense[:, 0], dense[3, 1], pruned[4, 2] = 0.5, 0.0, 1.0
    assert np.isfinite(agreement(dense, pruned, "mean_absolute_standardised")).all()


@pytest.mark.parametrize("measure", list(AGREEMENT))
def test_every_measure_is_best_for_equal_predictions(measure: str) -> None:
    dense, pruned = predictions(1)
    best = agreement(dense, dense, measure)
    np.testing.assert_array_equal(best, AGREEMENT[measure].best)
    values = agreement(dense, pruned, measure)
    assert (values <= best).all()
    assert values.min() < best.min()


def test_other_measures_by_hand() -> None:
    dense, pruned = np.array([[0.5, 0.2], [0.1, 0.6]]), np.array([[0.25, 0.3], [0.1, 0.6]])
    np.testing.assert_allclose(agreement(dense, pruned, "mean_absolute"), [-0.175, 0])
    by_hand = [
        0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75),
        0.2 * np.log(0.2 / 0.3) + 0.8 * np.log(0.8 / 0.7),
    ]
    np.testing.assert_allclose(agreement(dense, pruned, "kl"), [-np.mean(by_hand), 0], atol=1e-15)
    assert agreement(np.array([[0.5]]), np.array([[0.0]]), "kl").tolist() == [-np.inf]


def test_modal_disagreement_is_ordered_by_its_margin() -> None:
    """Dense prefers a over b by .3, pruned b over a by .05 and by .25; then both put a first; then a tie."""
    dense = np.array([[0.5, 0.2, 0.1], [0.5, 0.2, 0.1], [0.5, 0.2, 0.1], [0.4, 0.4, 0.1]])
    pruned = np.array([[0.25, 0.3, 0.1], [0.15, 0.4, 0.1], [0.3, 0.29, 0.1], [0.3, 0.4, 0.1]])
    np.testing.assert_allclose(agreement(dense, pruned, "modal"), [-0.175, -0.275, 1, -0.05])


def test_wrong_shapes() -> None:
    dense, pruned = predictions(1)
    with pytest.raises(ValueError, match="must both be"):
        agreement(dense, pruned[:3])


@pytest.mark.parametrize("measure", list(AGREEMENT))
def test_missing_predictions_are_undefined_and_change_no_other_image(measure: str) -> None:
    dense, pruned = predictions(1)
    dense[3, 2] = np.nan
    values = agreement(dense, pruned, measure)
    assert np.flatnonzero(np.isnan(values)).tolist() == [3]
    others = np.arange(len(dense)) != 3
    np.testing.assert_array_equal(values[others], agreement(dense[others], pruned[others], measure))


def test_a_constant_vector_has_no_rank_correlation() -> None:
    dense, pruned = predictions(1)
    dense[2] = 0.4
    assert np.flatnonzero(np.isnan(agreement(dense, pruned))).tolist() == [2]


def test_a_rank_correlation_over_few_classes_gives_way() -> None:
    assert [measure_for("spearman", n) for n in (1, 5, 6)] == ["mean_absolute", "mean_absolute", "spearman"]
    assert measure_for("spearman@0.2", 3) == "mean_absolute"
    assert measure_for("kl", 1) == "kl"
