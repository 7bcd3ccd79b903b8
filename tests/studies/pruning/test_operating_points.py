"""Thresholds of the dense networks, and what is found and missed at them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from prunecxr.studies.pruning.analysis.operating_points import operating_points, thresholds
from tests.clinical_study import make_population


@pytest.fixture(scope="module")
def study():
    predictions, labels, _ = make_population()
    validation, val_labels, _ = make_population(seed=1, sparsities=(0.0,))
    return predictions, labels, validation.isel(sparsity=0), val_labels


def test_a_threshold_is_the_lowest_of_its_specificity(study) -> None:
    _, _, validation, labels = study
    for wanted in (0.9, 0.5, 0.999):
        limits = thresholds(validation, labels, wanted)
        for seed in limits["seed"].to_numpy():
            for name in limits["class"].to_numpy():
                negatives = validation.sel({"seed": seed, "class": name}).to_numpy()[labels[name] == 0]
                limit = float(limits.sel({"seed": seed, "class": name}))
                lower = negatives[negatives < limit].max()
                assert (negatives <= limit).mean() >= wanted > (negatives <= lower).mean()


def test_a_class_without_negatives_has_no_threshold(study) -> None:
    _, _, validation, labels = study
    limits = thresholds(validation, labels.assign(**{"class 1": 1}))
    assert np.isnan(limits.sel({"class": "class 1"})).all()
    assert np.isfinite(limits.sel({"class": "class 0"})).all()


def test_counts_are_those_of_a_confusion_matrix(study) -> None:
    predictions, labels, validation, val_labels = study
    limits = thresholds(validation, val_labels)
    table = operating_points(predictions, labels, limits)
    assert set(table["asked_specificity"]) == {0.9}
    assert table.columns.tolist()[:4] == ["class", "sparsity", "asked_specificity", "threshold"]
    for row in table.itertuples():
        counts = []
        truth = labels[row[1]].to_numpy()
        for seed in predictions["seed"].to_numpy():
            scores = predictions.sel({"seed": seed, "sparsity": row.sparsity, "class": row[1]}).to_numpy()
            flagged = scores > float(limits.sel({"seed": seed, "class": row[1]}))
            counts.append(confusion_matrix(truth, flagged).ravel())
        tn, fp, fn, tp = np.array(counts).T
        assert row.sensitivity == pytest.approx(np.median(tp / (tp + fn)))
        assert row.specificity == pytest.approx(np.median(tn / (tn + fp)))
        assert row.missed_per_1000 == pytest.approx(1000 * np.median(fn) / len(labels))
        assert row.flagged_per_1000 == pytest.approx(1000 * np.median(tp + fp) / len(labels))
        assert row.sensitivity_low < row.sensitivity < row.sensitivity_high
        assert (row.test_count, row.n_seeds) == (truth.sum(), 3)


def test_pruning_misses_more_at_the_kept_threshold(study) -> None:
    predictions, labels, validation, val_labels = study
    table = operating_points(predictions, labels, thresholds(validation, val_labels)).set_index(["class", "sparsity"])
    for name in ("class 0", "class 1"):
        assert table.loc[(name, 0.9), "sensitivity_high"] < table.loc[(name, 0.0), "sensitivity_low"]
        assert table.loc[(name, 0.0), "specificity"] == pytest.approx(0.9, abs=0.04)


def test_without_an_effect_nothing_is_lost(study) -> None:
    _, _, validation, val_labels = study
    predictions, labels, _ = make_population(loss=0.0, seed=5)
    table = operating_points(predictions, labels, thresholds(validation, val_labels)).set_index(["class", "sparsity"])
    for name in ("class 0", "class 1"):
        dense, pruned = table.loc[(name, 0.0)], table.loc[(name, 0.9)]
        assert dense.sensitivity_low < pruned.sensitivity < dense.sensitivity_high


def test_seeds_without_a_threshold_variants_that_are_missing_and_unknown_labels_are_left_out(study) -> None:
    predictions, labels, validation, val_labels = study
    limits = thresholds(validation, val_labels).isel(seed=[0, 2])
    holed = predictions.copy(deep=True)
    holed[2, 1] = np.nan
    labels = labels.astype({"class 1": float})
    labels.loc[::2, "class 1"] = np.nan
    table = operating_points(holed, labels, limits).set_index(["class", "sparsity"])
    assert table["n_seeds"].tolist() == [2, 1, 2, 1]
    truth, scores = labels["class 1"], holed[0, 1, :, 1].to_numpy()
    found = scores[truth == 1] > float(limits.sel({"seed": 0, "class": "class 1"}))
    assert table.loc[("class 1", 0.9), "sensitivity"] == pytest.approx(found.mean())


def test_an_interval_covers_the_sensitivity_of_other_seeds_and_patients() -> None:
    """Ten patients' worth of truth is known from a large population; see benchmarks/nulls for all of it."""
    truth = special.expit(1.5 * 1.2 - 2.5)  # a threshold at which some are found
    limits = None
    inside = []
    large, large_labels, _ = make_population(
        n_seeds=12, n_patients=3000, prevalences=(0.3,), sparsities=(0.0,), seed=99
    )
    for seed in range(40):
        predictions, labels, _ = make_population(n_patients=80, prevalences=(0.3,), sparsities=(0.0,), seed=seed)
        if limits is None:
            limits = thresholds(predictions.isel(sparsity=0), labels) * 0 + truth
            wide = limits.isel(seed=[0] * 12).assign_coords(seed=range(12))
            known = float(operating_points(large, large_labels, wide)["sensitivity"].iloc[0])
        row = operating_points(predictions, labels, limits).iloc[0]
        inside.append(row.sensitivity_low <= known <= row.sensitivity_high)
    assert np.mean(inside) >= 0.85  # of 40; 95% is expected


def test_shares_of_none_and_all_have_the_interval_of_clopper_and_pearson(study) -> None:
    predictions, labels, validation, val_labels = study
    table = operating_points(predictions, labels, thresholds(validation, val_labels) * 0 + 2)  # above everything
    for row in table.itertuples():
        exact = proportion_confint(0, row.test_count, method="beta")
        assert (row.sensitivity, row.sensitivity_low, row.sensitivity_high) == pytest.approx((0, *exact))
        others = proportion_confint(len(labels) - row.test_count, len(labels) - row.test_count, method="beta")
        assert (row.specificity, row.specificity_low, row.specificity_high) == pytest.approx((1, *others))


def test_the_order_of_images_and_patients_does_not_matter(study) -> None:
    predictions, labels, validation, val_labels = study
    limits = thresholds(validation, val_labels)
    shuffle = np.random.default_rng(0).permutation(len(labels))
    first = operating_points(predictions, labels, limits)
    second = operating_points(predictions.isel(image=shuffle), labels.iloc[shuffle].reset_index(drop=True), limits)
    pd.testing.assert_frame_equal(first, second, rtol=1e-5)
