"""Calibration against scikit-learn, statsmodels and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from prunecxr.studies.pruning.analysis.calibration import calibration, reliability
from tests.clinical_study import make_population

BINOMIAL = sm.families.Binomial()


@pytest.fixture(scope="module")
def study():
    return make_population()[:2]


def one(predictions, labels, name: str, sparsity: float):
    return calibration(predictions, labels).set_index(["class", "sparsity"]).loc[(name, sparsity)]


def test_brier_slope_and_intercept_are_those_of_other_libraries(study) -> None:
    predictions, labels = study
    table = calibration(predictions, labels)
    assert table[["class", "sparsity"]].to_numpy().tolist() == [
        ["class 0", 0.0], ["class 0", 0.9], ["class 1", 0.0], ["class 1", 0.9]
    ]  # fmt: skip
    for row in table.itertuples():
        y = labels[row[1]].to_numpy()
        found = []
        for seed in range(3):
            p = predictions.sel({"seed": seed, "sparsity": row.sparsity, "class": row[1]}).to_numpy().astype(float)
            x = special.logit(p)
            slope = sm.GLM(y, sm.add_constant(x), family=BINOMIAL).fit().params[1]
            offset = sm.GLM(y, np.ones(len(y)), family=BINOMIAL, offset=x).fit().params[0]
            found.append((brier_score_loss(y, p), slope, offset))
        assert (row.brier, row.slope, row.intercept) == pytest.approx(np.median(found, axis=0), rel=1e-5)
        assert row.slope_low < row.slope < row.slope_high
        assert (row.test_count, row.n_seeds) == (y.sum(), 3)


def test_parts_and_ece_are_those_of_a_loop_over_bins(study) -> None:
    predictions, labels = study
    p, y = predictions[0, 0, :, 0].to_numpy().astype(float), labels["class 0"].to_numpy()
    row = one(predictions.isel(seed=[0]), labels, "class 0", 0.0)
    order = np.argsort(p)
    bins = np.array_split(order, 10)
    assert len(y) % 10 == 0
    rel = sum(len(b) / len(y) * (p[b].mean() - y[b].mean()) ** 2 for b in bins)
    res = sum(len(b) / len(y) * (y[b].mean() - y.mean()) ** 2 for b in bins)
    ece = sum(len(b) / len(y) * abs(p[b].mean() - y[b].mean()) for b in bins)
    assert (row.reliability, row.resolution, row.ece) == pytest.approx((rel, res, ece), rel=1e-5)
    assert row.uncertainty == pytest.approx(y.mean() * (1 - y.mean()))
    within = sum(
        ((p[b] - p[b].mean() - y[b] + y[b].mean()) ** 2).sum() - ((y[b] - y[b].mean()) ** 2).sum() for b in bins
    )
    assert row.brier == pytest.approx(rel - res + row.uncertainty + within / len(y), rel=1e-5)


def test_a_constant_added_to_the_logits_shifts_the_intercept_by_it_and_no_ranking(study) -> None:
    predictions, labels = study
    for shift in (-1.5, 0.7):
        moved = predictions.copy(data=special.expit(special.logit(predictions.to_numpy()) + np.float32(shift)))
        before, after = calibration(predictions, labels), calibration(moved, labels)
        assert after["intercept"].to_numpy() == pytest.approx(before["intercept"] - shift, abs=2e-5)
        assert after["slope"].to_numpy() == pytest.approx(before["slope"], rel=1e-4)
        assert (after["brier"] - before["brier"]).abs().min() > 1e-4
        y, old, new = labels["class 0"], predictions[0, 0, :, 0], moved[0, 0, :, 0]
        assert average_precision_score(y, new) == pytest.approx(average_precision_score(y, old), abs=1e-6)
        assert roc_auc_score(y, new) == pytest.approx(roc_auc_score(y, old), abs=1e-6)


def test_right_probabilities_are_called_right_and_extreme_ones_extreme() -> None:
    rng = np.random.default_rng(2)
    predictions, labels, _ = make_population(n_patients=2000, prevalences=(0.3,), sparsities=(0.0, 0.5))
    logits = rng.normal(-1, 1, predictions.shape[2]).astype(np.float32)
    labels["class 0"] = (rng.random(len(logits)) < special.expit(logits)).astype(int)
    values = predictions.to_numpy().copy()
    values[:, 0, :, 0], values[:, 1, :, 0] = special.expit(logits), special.expit(2 * logits)
    right, extreme = calibration(predictions.copy(data=values), labels).itertuples()
    assert right.slope_low < 1 < right.slope_high
    assert right.intercept_low < 0 < right.intercept_high
    assert right.ece < 0.02 < extreme.ece
    assert extreme.slope_high < 0.7


def test_what_cannot_be_fitted_is_undefined_and_nothing_is_said_of_it(study) -> None:
    predictions, labels = study
    values = predictions.to_numpy().copy()
    values[:, 1, :, 0] = 0.25  # constant: a collapsed network
    values[1, 1] = np.nan  # a missing variant
    values[:, 0, :, 0] = labels["class 0"].to_numpy() * 0.5 + 0.2  # parts the two kinds
    table = calibration(predictions.copy(data=values), labels.assign(**{"class 1": 0}))
    table = table.set_index(["class", "sparsity"])
    constant = table.loc[("class 0", 0.9)]
    assert np.isnan(constant.slope)
    share = labels["class 0"].mean()
    assert constant.intercept == pytest.approx(special.logit(share) - special.logit(0.25), abs=1e-5)
    assert constant.ece == pytest.approx(abs(share - 0.25))
    assert (constant.n_seeds, constant.resolution) == (0, pytest.approx(0))
    assert np.isnan(table.loc[("class 0", 0.0), "slope"])
    without = table.loc[("class 1", 0.0)]
    assert np.isnan([without.slope, without.intercept]).all()
    assert without.brier > 0


def test_unknown_labels_are_left_out(study) -> None:
    predictions, labels = study
    holed = labels.astype({"class 0": float})
    holed.loc[:399, "class 0"] = np.nan
    found = one(predictions, holed, "class 0", 0.0)
    expected = one(predictions.isel(image=slice(400, None)), labels.iloc[400:].reset_index(drop=True), "class 0", 0.0)
    for name in ("brier", "reliability", "resolution", "uncertainty", "ece", "slope", "intercept"):
        assert found[name] == pytest.approx(expected[name], rel=1e-4), name


def test_the_error_of_a_slope_is_that_of_statsmodels_where_each_patient_has_an_image(study) -> None:
    predictions, labels = study
    alone = labels.assign(subject_id=labels["id"])
    row = one(predictions.isel(seed=[0]), alone, "class 0", 0.0)
    x = special.logit(predictions[0, 0, :, 0].to_numpy().astype(float))
    fit = sm.GLM(labels["class 0"].to_numpy(), sm.add_constant(x), family=BINOMIAL).fit(cov_type="HC0")
    assert (row.slope_high - row.slope_low) / 2 == pytest.approx(1.97 * fit.bse[1], rel=0.02)


def test_bins_of_the_reliability_diagram(study) -> None:
    predictions, labels = study
    table = reliability(predictions, labels, (0.0, 0.9))
    assert table.groupby(["class", "sparsity"]).size().tolist() == [10] * 4
    dense = table[(table["class"] == "class 0") & (table["sparsity"] == 0)]
    assert dense["n"].sum() == len(labels)
    assert (dense["n"] * dense["positive"]).sum() == pytest.approx(labels["class 0"].sum())
    assert dense["predicted"].is_monotonic_increasing
