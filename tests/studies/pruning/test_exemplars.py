"""PIEs: agreement against scipy and pandas, a reproducible set, ratios with patient intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunecxr.studies.pruning.analysis.exemplars import (
    AGREEMENT,
    agreement,
    class_columns,
    disease_columns,
    lowest,
    nearest_sparsity,
    pie_ratios,
    pies,  # fmt: skip
)


def predictions(seed: int, n: int = 50, n_classes: int = 6, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dense = rng.random((n, n_classes))
    pruned = (dense + rng.random((n, n_classes))) / 2
    return (dense, pruned) if steps is None else (np.round(dense * steps) / steps, np.round(pruned * steps) / steps)


@pytest.mark.parametrize("steps", [None, 4])
def test_spearman_equals_scipy_and_pandas(steps: int | None) -> None:
    dense, pruned = predictions(0, steps=steps)
    found = agreement(dense, pruned)
    np.testing.assert_allclose(found, [stats.spearmanr(*pair).statistic for pair in zip(dense, pruned, strict=True)])
    frames = pd.DataFrame(dense).rank(axis=1), pd.DataFrame(pruned).rank(axis=1)
    np.testing.assert_allclose(found, frames[0].corrwith(frames[1], axis=1))


@pytest.mark.parametrize("measure", list(AGREEMENT))
def test_every_measure_is_highest_for_equal_predictions(measure: str) -> None:
    dense, pruned = predictions(1)
    best = agreement(dense, dense, measure)
    assert np.ptp(best) < 1e-12
    assert (agreement(dense, pruned, measure) <= best + 1e-12).all()
    assert agreement(dense, pruned, measure).min() < best.min()


def test_other_measures_by_hand() -> None:
    dense, pruned = np.array([[0.5, 0.2], [0.1, 0.6]]), np.array([[0.25, 0.3], [0.1, 0.6]])
    assert agreement(dense, pruned, "modal").tolist() == [0, 1]
    np.testing.assert_allclose(agreement(dense, pruned, "mean_absolute"), [-0.175, 0])
    by_hand = [
        0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75),
        0.2 * np.log(0.2 / 0.3) + 0.8 * np.log(0.8 / 0.7),
    ]
    np.testing.assert_allclose(agreement(dense, pruned, "kl"), [-np.mean(by_hand), 0], atol=1e-15)
    assert agreement(np.array([[0.5]]), np.array([[0.0]]), "kl").tolist() == [-np.inf]


def test_unknown_measure_and_wrong_shapes() -> None:
    dense, pruned = predictions(1)
    with pytest.raises(ValueError, match="known: spearman, modal, mean_absolute, kl"):
        agreement(dense, pruned, "psychic")
    with pytest.raises(ValueError, match="must both be"):
        agreement(dense, pruned[:3])


@pytest.mark.parametrize("measure", list(AGREEMENT))
def test_missing_predictions_are_undefined(measure: str) -> None:
    dense, pruned = predictions(1)
    dense[3, 2] = np.nan
    found = agreement(dense, pruned, measure)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]


def test_constant_vectors_are_undefined_and_in_neither_group(study) -> None:
    dense = study.dense.copy()
    dense[[5, 10]] = 0.25
    table = pies(study.labels, dense, study.pruned)
    assert set(table.id.tail(2)) == set(study.labels.id[[5, 10]])
    assert not table.is_pie.tail(2).any()
    assert table.is_pie.sum() == 30
    ratios = pie_ratios(table, class_columns(study.labels))
    numbers = ratios[ratios.group == "diseases"]
    assert numbers.pie_count.sum() + numbers.non_pie_count.sum() == 598


@pytest.mark.parametrize(("n", "fraction", "expected"), [(100, 0.29, 29), (39, 0.05, 1), (19, 0.05, 0), (20, 0.05, 1)])
def test_size_of_the_set(n: int, fraction: float, expected: int) -> None:
    ids = [str(i) for i in range(n)]
    assert lowest(np.arange(n, dtype=float), ids, fraction).sum() == expected


def test_ties_are_broken_by_id() -> None:
    chosen = lowest(np.array([0.5, 0.5, 0.5, 0.1]), np.array(["c", "a", "b", "z"]), 0.5)
    assert chosen.tolist() == [False, True, False, True]


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_order_of_images_does_not_matter(seed: int) -> None:
    dense, pruned = predictions(seed, n=60, n_classes=3, steps=3)
    rng = np.random.default_rng(seed)
    labels = pd.DataFrame(rng.integers(0, 2, (60, 3)), columns=["a", "b", "No Finding"])
    labels.insert(0, "id", [f"i{i}" for i in range(60)])
    labels.insert(1, "subject_id", [f"p{i // 4}" for i in range(60)])
    order = rng.permutation(60)
    shuffled = labels.iloc[order].reset_index(drop=True)
    before, after = pies(labels, dense, pruned, 0.2), pies(shuffled, dense[order], pruned[order], 0.2)
    pd.testing.assert_frame_equal(before, after)
    names = class_columns(labels)
    pd.testing.assert_frame_equal(pie_ratios(before, names, 100), pie_ratios(after, names, 100))


def test_table_of_pies(study) -> None:
    table = pies(study.labels, study.dense, study.pruned)
    names = class_columns(study.labels)
    assert list(table.columns) == [
        "id", "subject_id", "agreement", "is_pie", *names,
        "top_dense", "top_dense_probability", "top_pruned", "top_pruned_probability",
    ]  # fmt: skip
    assert table.is_pie.sum() == 30
    assert table.is_pie.head(30).all()
    assert table.agreement.is_monotonic_increasing
    row = table.iloc[0]
    i = study.labels.index[study.labels.id == row.id][0]
    assert row.subject_id == study.labels.subject_id[i]
    assert row.top_dense == names[study.dense[i].argmax()]
    assert row.top_pruned_probability == study.pruned[i].max()
    assert row[names].tolist() == study.labels.loc[i, names].tolist()


def test_ratios_by_hand(study) -> None:
    table = pies(study.labels, study.dense, study.pruned)
    names = class_columns(study.labels)
    ratios = pie_ratios(table, names)
    assert ratios.value.tolist() == [*names, "0", "1", "2", "3", "4+"]
    first = ratios.iloc[0]
    pie, other = table[table.is_pie], table[~table.is_pie]
    assert first.pie_share == pie[names[0]].mean()
    assert first.non_pie_share == other[names[0]].mean()
    assert first.ratio == pytest.approx(pie[names[0]].mean() / other[names[0]].mean())
    assert first.pie_count == pie[names[0]].sum()
    number = table[disease_columns(names)].sum(axis=1)
    two = ratios[ratios.value == "2"].iloc[0]
    assert two.pie_share == (number[table.is_pie] == 2).mean()
    known = ratios.dropna()
    assert len(known) == ((ratios.pie_count > 0) & (ratios.non_pie_count > 0)).sum()
    assert ((known.low <= known.ratio) & (known.ratio <= known.high)).all()
    empty = pie_ratios(table[number < 4], names).iloc[-1]
    assert empty.value == "4+"
    assert (empty.pie_count, empty.non_pie_count) == (0, 0)
    assert np.isnan(empty.ratio)


def test_intervals_are_wider_for_patients_than_for_images(study) -> None:
    """20 copies of every image by one patient are no more evidence than one."""
    once = pies(study.labels, study.dense, study.pruned)
    copies = pd.concat([once] * 20, ignore_index=True)
    names = class_columns(study.labels)
    alone, repeated = (pie_ratios(table, names, 500).set_index("value") for table in (once, copies))
    pd.testing.assert_frame_equal(alone[["ratio", "low", "high"]], repeated[["ratio", "low", "high"]])
    independent = copies.assign(subject_id=[f"{s}-{i}" for i, s in enumerate(copies.subject_id)])
    narrow = pie_ratios(independent, names, 500).set_index("value")
    width = (alone.high - alone.low)["No Finding"]
    assert (narrow.high - narrow.low)["No Finding"] < width / 3


def test_no_image_at_all() -> None:
    labels = pd.DataFrame({"id": pd.Series(dtype=str), "subject_id": pd.Series(dtype=str), "a": pd.Series(dtype=int)})
    table = pies(labels, np.zeros((0, 1)), np.zeros((0, 1)))
    assert pie_ratios(table, ["a"]).ratio.isna().all()


def test_diseases_and_sparsities() -> None:
    assert disease_columns(["Mass", "No_Finding", "no finding"]) == ["Mass"]
    assert nearest_sparsity([0.0, 0.5, 0.95], 0.9) == 0.95
    assert nearest_sparsity([0.85, 0.95], 0.9) == 0.95
    assert np.isnan(nearest_sparsity([0.0], 0.9))


def test_no_interval_from_images_of_one_group(study) -> None:
    table = pies(study.labels, study.dense, study.pruned)
    table["Nodule"] = (~table.is_pie).astype(int)
    table["Emphysema"] = table.is_pie.astype(int)
    ratios = pie_ratios(table, class_columns(study.labels), 100).set_index("value")
    assert ratios.ratio[["Nodule", "Emphysema"]].tolist() == [0, np.inf]
    assert ratios.loc[["Nodule", "Emphysema"], ["low", "high"]].isna().all(axis=None)
