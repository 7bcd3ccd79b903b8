"""Forgettability: hand-worked examples, independent references, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from prunecxr.studies.pruning.analysis import forgettability as forget


def small(ap: list, sparsities: tuple[float, ...], train=(1000, 10), test=(50, 5), n_test=100) -> xr.Dataset:
    """``ap`` of shape (seed, sparsity, class)."""
    values = np.array(ap, float)
    names = ["common", "rare", "third"][: values.shape[2]]
    return xr.Dataset(
        {"ap": (("seed", "sparsity", "class"), values)},
        coords={
            "seed": range(values.shape[0]),
            "sparsity": list(sparsities),
            "class": names,
            "train_count": ("class", list(train)),
            "test_count": ("class", list(test)),
        },
        attrs={"n_test": n_test},
    )


@pytest.fixture
def worked() -> xr.Dataset:
    """One seed. Prevalences 0.5 and 0.05."""
    return small([[[0.75, 0.25], [0.6, 0.2], [0.5, 0.05]]], (0.0, 0.5, 0.9))


def test_worked_example(worked: xr.Dataset) -> None:
    table = forget.curves(worked)
    assert list(table.columns) == [
        "class", "sparsity", "relative_change", "q25", "q75", "chance_corrected_relative_change"
    ]  # fmt: skip
    np.testing.assert_allclose(table.relative_change, [0, -0.2, -1 / 3, 0, -0.2, -0.8], atol=1e-15)
    # Both classes end at chance, so both have lost everything there was.
    np.testing.assert_allclose(table.chance_corrected_relative_change, [0, -0.6, -1, 0, -0.25, -1])
    classes = forget.classes(worked).set_index("class")
    # -20% exactly is no drop below -20%, even where floating point says -0.2000...04.
    assert classes.first_drop_20.tolist() == [0.9, 0.9]
    assert classes.chance_corrected_first_drop_20.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(classes.relative_change_at_max, [-1 / 3, -0.8])
    np.testing.assert_allclose(classes.floor_at_max, [-1 / 3, -0.8])
    assert classes.reason.tolist() == ["", ""]


def test_median_is_over_ratios_of_each_seed() -> None:
    scores = small([[[0.4], [0.1]], [[0.8], [0.6]], [[0.5], [0.5]]], (0.0, 0.9), (9,), (5,))
    changes = [-0.75, -0.25, 0.0]
    row = forget.curves(scores).iloc[1]
    assert row.relative_change == pytest.approx(np.median(changes))
    assert (row.q25, row.q75) == pytest.approx(tuple(np.percentile(changes, [25, 75])))


def test_welch_equals_scipy(study) -> None:
    mean_ap = study.scores.ap.mean("class").to_numpy()
    table = forget.overall(study.scores)
    for k in range(1, len(table)):
        test = stats.ttest_ind(mean_ap[:, k], mean_ap[:, 0], equal_var=False)
        assert table.welch_t[k] == pytest.approx(test.statistic)
        assert table.welch_p[k] == pytest.approx(test.pvalue)
    np.testing.assert_allclose(table.median_mean_ap, np.median(mean_ap, axis=0))
    assert table.n.tolist() == [5] * 5
    assert np.isnan(table.welch_p[0])
    assert not table.significant_drop[0]
    assert forget.first_significant_drop(table) == 0.7


def test_corrected_mean_ap(study) -> None:
    prevalence = study.labels.iloc[:, 2:].mean().to_numpy()
    corrected = ((study.scores.ap.to_numpy() - prevalence) / (1 - prevalence)).mean(axis=2)
    table = forget.overall(study.scores)
    np.testing.assert_allclose(table.chance_corrected_median_mean_ap, np.median(corrected, axis=0))


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_no_p_with_too_few_seeds(make_study, n_seeds: int) -> None:
    table = forget.overall(make_study(n_seeds=n_seeds).scores)
    assert table.welch_p.isna().all()
    assert not table.significant_drop.any()
    assert np.isnan(forget.first_significant_drop(table))
    assert table.median_mean_ap.notna().all()


def test_no_variance_is_no_test() -> None:
    scores = small([[[0.5, 0.5], [0.4, 0.4]]] * 4, (0.0, 0.9))
    assert forget.overall(scores).welch_p.isna().all()


def test_a_rise_is_no_drop() -> None:
    rng = np.random.default_rng(0)
    low, high = 0.3 + 0.01 * rng.normal(size=(2, 5, 1))
    scores = small(np.stack([low, high + 0.3], axis=1), (0.0, 0.9), (9,), (5,))
    table = forget.overall(scores)
    assert table.welch_p[1] < 0.001
    assert not table.significant_drop[1]


def test_missing_variants_are_left_out_and_counted(study) -> None:
    scores = study.scores.copy(deep=True)
    scores.ap[{"seed": 0, "sparsity": 3}] = np.nan
    scores.ap[{"seed": 1, "sparsity": 0}] = np.nan
    table = forget.overall(scores)
    assert table.n.tolist() == [4, 5, 5, 4, 5]
    expected = np.delete(forget.relative_change(study.scores.ap).to_numpy(), 1, axis=0)
    curve = forget.curves(scores).set_index(["class", "sparsity"]).relative_change
    np.testing.assert_allclose(curve.xs(0.95, level="sparsity"), np.median(expected[:, 4], axis=0))
    np.testing.assert_allclose(curve.xs(0.9, level="sparsity"), np.median(expected[1:, 3], axis=0))


def test_a_sparsity_missing_altogether_is_nan(study) -> None:
    scores = study.scores.copy(deep=True)
    scores.ap[{"sparsity": 2}] = np.nan
    assert forget.overall(scores).loc[2, ["median_mean_ap", "welch_p"]].isna().all()
    assert forget.curves(scores).query("sparsity == 0.7").relative_change.isna().all()
    assert forget.classes(scores).first_drop_20.notna().all()


def test_undefined_classes_have_reasons() -> None:
    nan = np.nan
    scores = small([[[0.5, nan, 0.0], [0.1, nan, 0.2]]], (0.0, 0.9), (0, 5, 7), (4, 0, 3))
    table = forget.classes(scores).set_index("class")
    assert table.reason["common"] == forget.NO_TRAIN_IMAGE
    assert table.reason["rare"] == forget.NO_TEST_POSITIVE
    assert table.reason["third"] == forget.NO_DENSE_SCORE
    assert table.loc[["rare", "third"], ["first_drop_20", "relative_change_at_max"]].isna().all(axis=None)
    assert not table.censored.any()
    found = forget.correlations(table.reset_index())
    assert found.n.tolist() == [0] * 4
    assert found.pearson_r.isna().all()


def test_a_dense_model_at_chance_has_no_corrected_change() -> None:
    scores = small([[[0.5, 0.6], [0.4, 0.1]]], (0.0, 0.9))
    table = forget.classes(scores)
    assert table.chance_corrected_relative_change_at_max.isna().tolist() == [True, False]
    assert table.reason.tolist() == [forget.NOT_ABOVE_CHANCE, ""]


def test_censored_classes() -> None:
    scores = small([[[0.9, 0.6, 0.5], [0.85, 0.2, 0.3], [0.8, 0.1, 0.1]]], (0.0, 0.5, 0.9), (900, 5, 70), (50, 2, 3))
    table = forget.classes(scores)
    assert table.first_drop_20.isna().tolist() == [True, False, False]
    assert table.censored.tolist() == [True, False, False]
    found = forget.correlations(table).set_index("y").loc["first_drop_20"]
    assert (found.n, found.n_pearson, found.n_censored) == (3, 2, 1)
    assert found.spearman_rho == pytest.approx(stats.spearmanr([900, 5, 70], [3, 1, 1]).statistic)


def test_correlations_equal_scipy(study) -> None:
    table = forget.classes(study.scores)
    found = forget.correlations(table).set_index("y")
    x = np.log(table.train_count)
    for y in found.index:
        assert found.pearson_r[y] == pytest.approx(stats.pearsonr(x, table[y]).statistic)
        assert found.spearman_p[y] == pytest.approx(stats.spearmanr(x, table[y]).pvalue)


def test_unknown_training_frequency(study) -> None:
    table = forget.classes(study.scores.drop_vars("train_count"))
    assert table.reason.tolist() == [forget.NO_TRAIN_COUNT] * len(table)
    assert table.first_drop_20.notna().all()
    assert forget.correlations(table).n.tolist() == [0] * 4


def test_order_and_names_of_seeds_and_sparsities_do_not_matter(study) -> None:
    other = study.scores.isel(seed=[3, 0, 4, 1, 2], sparsity=[2, 0, 4, 1, 3]).assign_coords(seed=[9, 8, 7, 6, 5])
    for function in (forget.overall, forget.curves, forget.classes):
        before, after = function(study.scores), function(other)
        assert list(before.columns) == list(after.columns)
        for column in before.select_dtypes("number"):
            np.testing.assert_allclose(before[column], after[column], rtol=1e-9)


def test_dense_models_are_needed(study) -> None:
    with pytest.raises(ValueError, match="sparsity 0"):
        forget.overall(study.scores.isel(sparsity=[1, 2]))
