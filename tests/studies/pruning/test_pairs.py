"""Pairs of classes: the paper's printed numbers, a hand-written regression, symmetry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunecxr.studies.pruning.analysis.exemplars import class_columns
from prunecxr.studies.pruning.analysis.forgettability import forgettability_curves
from prunecxr.studies.pruning.analysis.pair_regression import TERMS, ols, partial_effects
from prunecxr.studies.pruning.analysis.pairs import DEFINITIONS, PREFIXES, pair_correlations, pairs

SPARSITIES = [0.0, 0.5, 0.7, 0.9]


def random_case(seed: int, n_classes: int) -> tuple[xr.DataArray, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(n_classes)]
    values = -rng.random((n_classes, len(SPARSITIES)))
    curve = xr.DataArray(values, dims=("class", "sparsity"), coords={"class": names, "sparsity": SPARSITIES})
    truth = rng.random((80, n_classes)) < rng.uniform(0.05, 0.6, n_classes)
    truth[0] = True
    return curve, pd.DataFrame(truth.astype(int), columns=names)


def one_pair(table: pd.DataFrame, a: str, b: str) -> pd.Series:
    return table[table.class_a.isin([a, b]) & table.class_b.isin([a, b])].iloc[0]


def flat_curves(names: list[str]) -> xr.DataArray:
    values = np.zeros((len(names), 2))
    return xr.DataArray(values, dims=("class", "sparsity"), coords={"class": names, "sparsity": [0.0, 0.9]})


def test_numbers_of_the_paper(nih_test_labels: pd.DataFrame) -> None:
    table = pairs({"ap": flat_curves(class_columns(nih_test_labels))}, nih_test_labels)
    assert len(table) == 190
    row = one_pair(table, "Infiltration", "Hernia")
    assert row.log_freq_diff_published == pytest.approx(4.583549, abs=1e-6)  # printed: 4.58
    assert row.iou_fourth_root_published == pytest.approx(0.153988, abs=1e-6)  # printed: 0.15
    assert row.log_freq_diff_paper == pytest.approx(4.421364, abs=1e-6)
    assert row.iou_fourth_root_paper == pytest.approx(0.184172, abs=1e-6)
    row = one_pair(table, "Emphysema", "Pneumomediastinum")
    assert row.log_freq_diff_published == pytest.approx(2.04, abs=0.005)
    assert row.iou_fourth_root_published == pytest.approx(0.37, abs=0.005)


def test_worked_example() -> None:
    curve = xr.DataArray(
        [[0.0, -0.1, -0.5], [0.0, -0.2, -0.9]],
        dims=("class", "sparsity"),
        coords={"class": ["a", "b"], "sparsity": [0.0, 0.5, 0.9]},
    )
    labels = pd.DataFrame({"a": [1, 1, 1, 1, 0], "b": [1, 0, 0, 0, 1]})
    row = pairs({"ap": curve}, labels).iloc[0]
    assert row.fcd_paper == pytest.approx((0.01 + 0.16) / 2)
    assert row.fcd_published == pytest.approx(np.sqrt(0.17))
    assert row.log_freq_diff_paper == pytest.approx(np.log(2))
    assert row.iou_paper == pytest.approx(1 / 5)
    assert row.log_freq_diff_published == pytest.approx(np.log(5 / 3))
    assert row.iou_published == pytest.approx(1 / (5 + 3 - 1))
    assert row.iou_fourth_root_paper == pytest.approx(0.2**0.25)


@given(st.integers(0, 1000), st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_symmetric_and_zero_on_the_diagonal(seed: int, n_classes: int) -> None:
    curve, labels = random_case(seed, n_classes)
    forward = pairs({"ap": curve}, labels)
    backward = pairs({"ap": curve.isel({"class": slice(None, None, -1)})}, labels.sample(frac=1, random_state=seed))
    assert len(forward) == n_classes * (n_classes - 1) / 2
    for row in forward.itertuples():
        other = one_pair(backward, row.class_a, row.class_b)
        for name in DEFINITIONS:
            for value in ("fcd", "log_freq_diff", "iou"):
                assert getattr(row, f"{value}_{name}") == pytest.approx(other[f"{value}_{name}"])
    np.testing.assert_allclose(forward.fcd_published**2 / (len(SPARSITIES) - 1), forward.fcd_paper)
    same = xr.concat([curve[:1], curve[:1]], "class").assign_coords({"class": ["c0", "c1"]})
    twice = pairs({"ap": same}, labels)
    assert twice.fcd_paper[0] == twice.fcd_published[0] == 0


@pytest.mark.parametrize("definition", list(DEFINITIONS))
def test_regression_equals_one_written_by_hand(study, definition: str) -> None:
    table = pairs({"ap": forgettability_curves(study.scores).relative_change}, study.labels)
    y, d, o = (table[f"{c}_{definition}"].to_numpy() for c in ("fcd", "log_freq_diff", "iou_fourth_root"))
    x = np.column_stack([np.ones_like(d), d, o, d * o])
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    residual = y - x @ beta
    freedom = len(y) - 4
    se = np.sqrt(residual @ residual / freedom * np.linalg.inv(x.T @ x).diagonal())
    found = ols(table).query("definition == @definition")
    assert tuple(found.term) == TERMS
    np.testing.assert_allclose(found.coefficient, beta, rtol=1e-8)
    np.testing.assert_allclose(found.se, se, rtol=1e-8)
    np.testing.assert_allclose(found.t, beta / se, rtol=1e-8)
    np.testing.assert_allclose(found.p, 2 * stats.t.sf(np.abs(beta / se), freedom), rtol=1e-7)
    np.testing.assert_allclose(found.r2, 1 - residual @ residual / ((y - y.mean()) ** 2).sum())
    assert set(found.n) == {28}


def test_chance_corrected_curves_have_their_own_dissimilarity_and_regression(study) -> None:
    curves = forgettability_curves(study.scores)
    corrected = curves.chance_corrected_relative_change
    table = pairs({"ap": curves.relative_change, "ap_chance": corrected}, study.labels)
    alone = pairs({"ap": corrected}, study.labels)
    for name in DEFINITIONS:
        np.testing.assert_allclose(table[f"chance_corrected_fcd_{name}"], alone[f"fcd_{name}"])
    np.testing.assert_allclose(ols(table)["chance_corrected_coefficient"], ols(alone)["coefficient"])
    np.testing.assert_allclose(ols(table)["chance_corrected_p"], ols(alone)["p"])
    found = pair_correlations(table).query("y == 'chance_corrected_fcd'")
    np.testing.assert_allclose(found["spearman_rho"], pair_correlations(alone)["spearman_rho"])


@pytest.mark.parametrize("definition", list(DEFINITIONS))
def test_partial_effects_by_hand(study, definition: str) -> None:
    """The fitted mean and its 95% interval from the normal equations."""
    table = pairs({"ap": forgettability_curves(study.scores).relative_change}, study.labels)
    y, d, o = (table[f"{c}_{definition}"].to_numpy() for c in ("fcd", "log_freq_diff", "iou_fourth_root"))
    x = np.column_stack([np.ones_like(d), d, o, d * o])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    residual = y - x @ beta
    freedom = len(y) - 4
    lines = partial_effects(table).query("definition == @definition")
    at, across = lines.log_freq_diff.to_numpy(), lines.iou_fourth_root.to_numpy()
    design = np.column_stack([np.ones_like(at), at, across, at * across])
    half = stats.t.ppf(0.975, freedom) * np.sqrt(
        residual @ residual / freedom * np.einsum("ij,jk,ik->i", design, inverse, design)
    )
    np.testing.assert_allclose(lines.fitted, design @ beta, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(lines.high - lines.fitted, half, rtol=1e-7)
    np.testing.assert_allclose(lines.fitted - lines.low, half, rtol=1e-7)
    assert lines.groupby("quantile").log_freq_diff.first().tolist() == np.quantile(d, [0.1, 0.5, 0.9]).tolist()
    assert (across.min(), across.max()) == (o.min(), o.max())


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_too_few_classes_for_a_regression(n_classes: int) -> None:
    curve, labels = random_case(0, n_classes)
    found = ols(pairs({"ap": curve}, labels))
    assert found.coefficient.isna().all()
    assert partial_effects(pairs({"ap": curve}, labels)).empty
    assert set(found.n) == {n_classes * (n_classes - 1) // 2}
    assert pair_correlations(pairs({"ap": curve}, labels)).n.tolist() == [n_classes * (n_classes - 1) // 2] * 4


def test_constant_curves_are_no_regression() -> None:
    _, labels = random_case(0, 5)
    assert ols(pairs({"ap": flat_curves(list(labels.columns))}, labels)).coefficient.isna().all()


def test_undefined_classes_and_missing_sparsities() -> None:
    curve, labels = random_case(1, 4)
    whole = pairs({"ap": curve}, labels)
    curve = curve.copy()
    curve[0] = np.nan
    curve[:, 2] = np.nan
    labels["c0"] = 0
    table = pairs({"ap": curve}, labels)
    without = table.class_a != "c0"
    assert table.loc[~without, ["fcd_paper", "log_freq_diff_paper"]].isna().all(axis=None)
    kept = pairs({"ap": curve[1:, [0, 1, 3]]}, labels)
    np.testing.assert_allclose(table.fcd_paper[without], kept.fcd_paper)
    np.testing.assert_allclose(table.iou_paper[without], whole.iou_paper[without])
    assert pair_correlations(table).n.tolist() == [3] * 4


def test_nothing_pruned_is_no_dissimilarity() -> None:
    curve, labels = random_case(1, 3)
    assert pairs({"ap": curve.isel(sparsity=[0])}, labels).fcd_paper.isna().all()


def test_unknown_definition() -> None:
    curve, labels = random_case(1, 3)
    with pytest.raises(ValueError, match="known: paper, published"):
        pairs({"ap": curve}, labels, ("mine",))


def test_every_scale_has_its_own_columns() -> None:
    _, labels = random_case(0, 6)
    curves = {scale: random_case(seed, 6)[0] for seed, scale in enumerate(PREFIXES)}
    table = pairs(curves, labels)
    before = pairs({scale: curves[scale] for scale in ("ap", "ap_chance")}, labels)
    assert list(table.columns[: before.shape[1]]) == list(before.columns)
    assert list(table.columns[before.shape[1] :]) == [
        f"{scale}_fcd_{name}" for scale in ("ap_ref", "auroc", "separability") for name in DEFINITIONS
    ]
    for scale, prefix in PREFIXES.items():
        alone = pairs({"ap": curves[scale]}, labels)
        np.testing.assert_allclose(table[f"{prefix}fcd_paper"], alone["fcd_paper"])
    assert "fcd_paper" not in pairs({"auroc": curves["auroc"]}, labels)
    assert pair_correlations(table).equals(pair_correlations(before))
    assert ols(table).equals(ols(before))
    assert set(partial_effects(table)["y"]) == {f"{prefix}fcd" for prefix in PREFIXES.values()}


def test_only_the_sparsities_that_are_wanted() -> None:
    curve, labels = random_case(0, 6)
    found = pairs({"ap": curve}, labels, sparsities=[0.0, 0.5, 0.9])
    np.testing.assert_allclose(
        found["fcd_paper"], pairs({"ap": curve.sel(sparsity=[0.0, 0.5, 0.9])}, labels)["fcd_paper"]
    )
    assert not np.allclose(found["fcd_paper"], pairs({"ap": curve}, labels)["fcd_paper"])
    assert pairs({"ap": curve}, labels, sparsities=[0.0]).fcd_paper.isna().all()


def test_an_infinite_change_is_undefined() -> None:
    curve, labels = random_case(0, 6)
    curve[0, 1] = -np.inf
    table = pairs({"separability": curve}, labels)
    assert table["separability_fcd_paper"].isna().equals(table["class_a"] == "c0")


@pytest.mark.parametrize("curves", [{}, {"mine": 0}])
def test_unknown_scale(curves) -> None:
    with pytest.raises(ValueError, match="known: ap, ap_chance, ap_ref, auroc, separability"):
        pairs(curves, random_case(0, 3)[1])


def test_scales_are_of_the_same_classes() -> None:
    curve, labels = random_case(0, 4)
    with pytest.raises(ValueError, match="different classes"):
        pairs({"ap": curve, "auroc": curve[1:]}, labels)
