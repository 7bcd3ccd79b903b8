"""PIEs: a reproducible set, ratios with patient intervals and simultaneous ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.nulls.exemplars import unrelated
from prunecxr.studies.pruning.analysis.exemplar_ratios import Properties, disease_columns, pie_ratios
from prunecxr.studies.pruning.analysis.exemplars import Chooser, class_columns, lowest, nearest_sparsity, pies


def predictions(seed: int, n: int = 50, n_classes: int = 6, steps: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dense = rng.random((n, n_classes))
    pruned = (dense + rng.random((n, n_classes))) / 2
    return (dense, pruned) if steps is None else (np.round(dense * steps) / steps, np.round(pruned * steps) / steps)


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
    certain = ratios.dropna(subset=["low", "high"])
    assert len(certain) == ((ratios.pie_count > 0) & (ratios.non_pie_count > 0)).sum()
    assert ((certain.low <= certain.ratio) & (certain.ratio <= certain.high)).all()
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


def test_few_images_or_patients_support_no_claim(study) -> None:
    table = pies(study.labels, study.dense, study.pruned)
    names = class_columns(study.labels)
    ratios = pie_ratios(table, names).set_index("value")
    for name in names:
        rows = study.labels[study.labels[name] == 1]
        assert ratios.few[name] == (len(rows) < 10 or rows.subject_id.nunique() < 10)
    assert ratios.few.any()
    assert ratios.loc[ratios.few, ["adjusted_low", "adjusted_high"]].isna().all(axis=None)
    assert ratios.loc[~ratios.few, "adjusted_high"].notna().all()
    alone = pie_ratios(table.assign(subject_id="one"), names)
    assert alone.few.all()


def test_simultaneous_intervals_are_wider_and_those_of_classes_apart_from_numbers_of_diseases(study) -> None:
    table = pies(study.labels, study.dense, study.pruned, 0.2)
    ratios = pie_ratios(table, class_columns(study.labels))
    sure = ratios.dropna(subset=["adjusted_low"])
    assert len(sure) > 5
    assert (sure.adjusted_low <= sure.low).all()
    assert (sure.adjusted_high >= sure.high).all()
    fewer = pie_ratios(table.drop(columns="Nodule"), [c for c in class_columns(study.labels) if c != "Nodule"])
    joined = sure.merge(fewer, on=["group", "value"], suffixes=("", "_fewer"))
    of_classes = joined[joined.group == "class"]
    assert (of_classes.adjusted_low <= of_classes.adjusted_low_fewer).all()


def test_an_upper_end_grants_one_more_image() -> None:
    """No PIE of 40 with a class of every fourth image: 10 were expected, and the ratio is surely below 1."""
    n = 800
    table = pd.DataFrame({"id": np.arange(n).astype(str), "subject_id": np.arange(n).astype(str), "agreement": 0.5})
    table = table.assign(is_pie=np.arange(n) % 20 == 1, a=(np.arange(n) % 4 == 0).astype(int), b=1)
    row = pie_ratios(table, ["a", "b"]).iloc[0]
    assert (row.ratio, row.pie_count) == (0, 0)
    assert np.isnan(row.high)
    # Garwood's limit of an empty count is 3.7 images at 97.5%; those here are drawn, in steps of one.
    assert 2.5 / 40 / 0.26 < row.adjusted_high < 4.5 / 40 / 0.26


def test_unknown_labels_count_as_absent() -> None:
    images = pd.DataFrame({"subject_id": ["p", "q", "q"], "a": [1.0, np.nan, 0.0], "No Finding": [0, 0, 1]})
    properties = Properties.of(images, ["a", "No Finding"])
    assert properties.has[:, :4].tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 0]]
    assert properties.names == ["a", "No Finding", "0", "1", "2", "3", "4+"]


def test_pies_that_have_nothing_to_do_with_labels_make_no_claim() -> None:
    """Single intervals do, in every second study or third."""
    single, together = unrelated(400, 30, seed=3)
    assert single > 0.2
    assert together <= 0.1


def test_perfect_agreement_is_no_pie_however_few_disagree() -> None:
    dense = np.random.default_rng(0).random((40, 8))
    pruned = dense.copy()
    pruned[7] = dense[7][::-1]
    ids = np.arange(40).astype(str)
    for measure in ("spearman", "modal", "kl", "mean_absolute_standardised"):
        is_pie = Chooser.of(ids, 0.2, measure)(dense, pruned).is_pie
        assert 7 in np.flatnonzero(is_pie) if measure != "modal" else True
    assert np.flatnonzero(Chooser.of(ids, 0.2, "spearman")(dense, pruned).is_pie).tolist() == [7]


def test_modal_exemplars_go_by_margin_never_by_id() -> None:
    rng = np.random.default_rng(1)
    dense, pruned = rng.random((200, 6)), rng.random((200, 6))
    ids = rng.permutation(200).astype(str)
    chosen = Chooser.of(ids, 0.1, "modal")(dense, pruned)
    again = Chooser.of(ids[::-1], 0.1, "modal")(dense, pruned)
    assert (chosen.is_pie == again.is_pie).all()
    first, other = dense.argmax(axis=1), pruned.argmax(axis=1)
    rows = np.arange(200)
    margin = (dense.max(axis=1) - dense[rows, other] + pruned.max(axis=1) - pruned[rows, first]) / 2
    expected = sorted(rows[first != other], key=lambda i: -margin[i])[:20]
    assert sorted(expected) == np.flatnonzero(chosen.is_pie).tolist()
