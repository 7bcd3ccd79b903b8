"""PIE sets of other measures and other seeds, against plain set arithmetic, loops and random sets."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from prunecxr.studies.pruning.analysis.agreement import AGREEMENT, agreement
from prunecxr.studies.pruning.analysis.exemplar_sets import (
    by_measure,
    expected_jaccard,
    jaccard,
    pie_measures,
    pie_overlap,
    pie_stability,  # fmt: skip
)
from prunecxr.studies.pruning.analysis.exemplar_tables import ExemplarOptions, exemplar_tables
from prunecxr.studies.pruning.analysis.exemplars import Chooser, lowest, pies
from prunecxr.studies.pruning.analysis.seed_halves import common_seeds, half_means, splits_of_seeds
from prunecxr.studies.pruning.analysis.study import analyse

IDS = np.array([f"i{i:02d}" for i in range(40)])


def plain_pies(dense: np.ndarray, pruned: np.ndarray, fraction: float) -> set[str]:
    """By scipy, row by row, and Python's own sort."""
    rho = dict(zip(IDS, (stats.spearmanr(a, b).statistic for a, b in zip(dense, pruned, strict=True)), strict=True))
    return set(sorted(IDS, key=lambda i: (rho[i], i))[: int(fraction * len(IDS))])


def stacks(n_seeds: int = 6, n: int = 40, n_classes: int = 7) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(4)
    shared = rng.random((n, n_classes))
    dense, pruned = ((shared + s * rng.random((n_seeds, n, n_classes))).astype(np.float32) for s in (0.3, 1.0))
    coords = {"seed": np.arange(n_seeds) + 10}
    return tuple(xr.DataArray(a, dims=("seed", "image", "class"), coords=coords) for a in (dense, pruned))


def labelled(n: int = 40, n_classes: int = 7) -> pd.DataFrame:
    truth = np.random.default_rng(1).integers(0, 2, (n, n_classes))
    table = pd.DataFrame(truth, columns=list("abcdefg")[:n_classes])
    table.insert(0, "id", IDS[:n])
    table.insert(1, "subject_id", [f"p{i // 2}" for i in range(n)])
    return table


def test_jaccard_by_hand() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(a, a) == 1
    assert np.isnan(jaccard(a & b & ~a, ~(a | ~a)))


@pytest.mark.parametrize(("n", "a", "b"), [(30, 6, 6), (30, 6, 20), (12, 9, 7)])
def test_expected_jaccard_is_the_mean_over_random_sets(n: int, a: int, b: int) -> None:
    rng = np.random.default_rng(0)
    first = np.arange(n) < a
    found = [jaccard(first, rng.permutation(np.arange(n) < b)) for _ in range(4_000)]
    assert expected_jaccard(n, a, b) == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(4_000))
    by_counting = sum(comb(a, k) * comb(n - a, b - k) * k / (a + b - k) for k in range(min(a, b) + 1)) / comb(n, b)
    assert expected_jaccard(n, a, b) == pytest.approx(by_counting)


def test_expected_jaccard_of_empty_sets_is_undefined() -> None:
    assert np.isnan(expected_jaccard(10, 0, 0))
    assert expected_jaccard(10, 0, 3) == 0


def test_sets_and_overlap_are_set_arithmetic(study) -> None:
    ids = study.labels["id"].to_numpy()
    sets = by_measure(study.dense, study.pruned, Chooser.of(ids, 0.1, "spearman@0.2"))
    assert list(sets) == [*AGREEMENT, "spearman@0.2"]
    for measure, one in sets.items():
        table = pies(study.labels, study.dense, study.pruned, 0.1, measure)
        assert set(ids[one.is_pie]) == set(table.loc[table["is_pie"], "id"])
    overlap = pie_overlap(sets)
    assert len(overlap) == len(sets) * (len(sets) - 1) / 2
    for row in overlap.itertuples():
        a, b = (set(ids[sets[name].is_pie]) for name in (row.measure_a, row.measure_b))
        assert (row.n, row.jaccard) == (len(a & b), len(a & b) / len(a | b))
        defined = [~np.isnan(sets[name].agreement) for name in (row.measure_a, row.measure_b)]
        among = int((defined[0] | defined[1]).sum())
        assert row.expected_jaccard == pytest.approx(expected_jaccard(among, len(a), len(b)))


def test_measures_say_how_many_disagree_and_how_many_tie(study) -> None:
    ids = study.labels["id"].to_numpy()
    table = pie_measures(by_measure(study.dense, study.pruned, Chooser.of(ids, 0.05, "kl")), "kl").set_index("measure")
    assert table.index[table["used"]].tolist() == ["kl"]
    differs = study.dense.argmax(axis=1) != study.pruned.argmax(axis=1)
    assert table.loc["modal", "disagreeing"] == differs.sum()
    assert (table["pies"] == 30).all()
    values = np.sort(agreement(study.dense, study.pruned))
    assert table.loc["spearman", "tied"] == (np.isclose(values, values[29])).sum() * np.isclose(values[29], values[30])
    above = ((study.dense > 0.1) | (study.pruned > 0.1)).sum(axis=1) > 2
    assert 0 < table.loc["spearman@0.1", "defined"] <= above.sum() < 600


@pytest.mark.parametrize(("n", "count", "splits", "sizes"), [
    (1, 10, 0, ()), (2, 10, 1, (1, 1)), (3, 10, 3, (1, 2)), (5, 10, 5, (1, 4)), (6, 10, 10, (3, 3)), (6, 8, 8, (3, 3)),
    (7, 10, 10, (3, 4)), (7, 99, 35, (3, 4)), (8, 99, 35, (4, 4)), (30, 10, 10, (15, 15)),
])  # fmt: skip
def test_splits_part_the_seeds_in_distinct_ways(n: int, count: int, splits: int, sizes: tuple[int, ...]) -> None:
    parted = splits_of_seeds(n, count, seed=3)
    assert len(parted) == splits
    assert {(len(a), len(b)) for a, b in parted} <= {sizes}
    assert all(sorted([*a, *b]) == list(range(n)) for a, b in parted)
    assert len({frozenset([frozenset(a.tolist()), frozenset(b.tolist())]) for a, b in parted}) == splits
    again = splits_of_seeds(n, count, seed=3)
    assert [[*a] for a, _ in parted] == [[*a] for a, _ in again]


def test_half_means_are_means() -> None:
    dense, _ = stacks()
    splits = splits_of_seeds(6)
    means = half_means(dense, splits)
    assert means.dtype == np.float32
    for at, split in enumerate(splits):
        for side, half in enumerate(split):
            np.testing.assert_allclose(means[at, side], dense[half].mean("seed"), rtol=1e-5)


def test_common_seeds_are_those_that_both_have() -> None:
    dense, pruned = stacks()
    pruned = pruned.copy(deep=True)
    pruned[4] = np.nan  # a variant that is missing
    common = common_seeds(dense[[5, 1, 3, 0, 4]], pruned[[0, 1, 2, 3, 4]])
    assert common.dense["seed"].to_numpy().tolist() == common.pruned["seed"].to_numpy().tolist() == [10, 11, 13]
    assert common.left_out == [12, 14, 15]
    assert common.sentences() == [
        "PIEs are those of the seeds that have both variants; left out on both sides: 12, 14, 15."
    ]
    assert common_seeds(dense, dense).sentences() == []


def test_every_table_rests_on_the_common_seeds() -> None:
    dense, pruned = stacks(8)
    labels, options = labelled(), ExemplarOptions(0.2, resamples=200)
    partly = exemplar_tables(labels, dense[[6, 1, 3, 0, 2, 5, 4]], pruned[[0, 1, 2, 3, 4, 5, 7]], options)
    both = exemplar_tables(labels, dense[:6], pruned[:6], options)
    assert set(partly.tables) == set(both.tables) == {
        "pies", "pie_ratios", "pie_measures", "pie_overlap", "pie_null", "pie_stability",
    }  # fmt: skip
    for name, table in both.tables.items():
        pd.testing.assert_frame_equal(partly.tables[name], table, obj=name)
    assert set(partly.warnings) - set(both.warnings) == {
        "PIEs are those of the seeds that have both variants; left out on both sides: 16, 17."
    }
    with pytest.raises(ValueError, match="no seed has both"):
        exemplar_tables(labels, dense[:2], pruned[2:4], options)


def test_stability_equals_a_loop_over_disjoint_halves() -> None:
    dense, pruned = stacks()
    splits = splits_of_seeds(6)
    table = pie_stability(
        half_means(dense, splits), half_means(pruned, splits), splits, Chooser.of(IDS, 0.2, "spearman")
    )
    assert table["split"].tolist() == list(range(1, 11))
    for row, parts in zip(table.itertuples(), splits, strict=True):
        a, b = (plain_pies(dense[half].mean("seed"), pruned[half].mean("seed"), 0.2) for half in parts)
        assert (row.seeds_a, row.seeds_b, row.n) == (3, 3, len(a & b))
        assert row.jaccard == pytest.approx(len(a & b) / len(a | b))
        assert row.expected_jaccard == pytest.approx(expected_jaccard(40, 8, 8))


def test_stability_of_equal_seeds_is_perfect_and_of_unrelated_ones_what_chance_gives() -> None:
    dense, pruned = (one[[0] * 6].assign_coords(seed=range(6)) for one in stacks())
    splits = splits_of_seeds(6)
    choose = Chooser.of(np.arange(2_000).astype(str), 0.1, "spearman")
    same = pie_stability(half_means(dense, splits), half_means(pruned, splits), splits, Chooser.of(IDS, 0.2, "kl"))
    assert (same["jaccard"] == 1).all()
    rng = np.random.default_rng(0)
    noise = pie_stability(*rng.random((2, len(splits), 2, 2_000, 7)), splits, choose)
    assert noise["jaccard"].mean() == pytest.approx(noise["expected_jaccard"].mean(), abs=0.01)


def test_fewer_than_three_seeds_have_no_stability() -> None:
    dense, pruned = stacks(2)
    splits = splits_of_seeds(2)
    means = half_means(dense, splits), half_means(pruned, splits)
    assert pie_stability(*means, splits, Chooser.of(IDS, 0.2, "kl")).empty


@pytest.mark.parametrize(("n_seeds", "said", "tables"), [
    (1, "needs two seeds, better 6, and there is one", set()),
    (2, "rests on one dense network against one other", {"pie_null"}),
    (5, "holds each of 5 dense networks against the others", {"pie_null", "pie_stability"}),
])  # fmt: skip
def test_too_few_seeds_are_said(n_seeds: int, said: str, tables: set[str]) -> None:
    dense, pruned = stacks(n_seeds)
    made = exemplar_tables(labelled(), dense, pruned, ExemplarOptions(0.2, resamples=200))
    assert [said in text for text in made.warnings] == [True]
    assert {"pie_null", "pie_stability"} & set(made.tables) == tables


@pytest.mark.parametrize(("n_classes", "said"), [
    (1, "PIEs by mean_absolute: spearman, a rank correlation over the classes, is not defined over one class"),
    (3, "PIEs by mean_absolute: spearman, a rank correlation over the classes, decides little over 3 classes"),
])  # fmt: skip
def test_few_classes_take_another_measure_and_say_so(n_classes: int, said: str) -> None:
    dense, pruned = (one[:, :, :n_classes] for one in stacks())
    labels = labelled(n_classes=n_classes)
    made = exemplar_tables(labels, dense, pruned, ExemplarOptions(0.2, resamples=200))
    assert made.warnings[0].startswith(said)
    expected = lowest(-np.abs(dense.mean("seed") - pruned.mean("seed")).mean("class").to_numpy(), IDS, 0.2)
    table = made.tables["pies"].set_index("id")
    assert table.loc[IDS, "is_pie"].tolist() == expected.tolist()
    assert "is_pie_spearman" in table


def test_the_analysis_holds_the_tables(make_study) -> None:
    study = make_study(n_seeds=6)
    analysis = analyse(*study.arguments, by_seed=study.by_seed)
    tables = analysis.tables
    assert analysis.warnings == []
    assert len(tables["pie_stability"]) == 10
    table = tables["pies"].set_index("id")
    expected = lowest(-np.abs(study.dense - study.pruned).mean(axis=1), study.labels["id"].to_numpy(), 0.05)
    assert table["is_pie_mean_absolute"][study.labels["id"]].tolist() == expected.tolist()
    assert list(tables["pie_null"].columns)[:7] == [
        "group", "value", "ratio", "null_ratio", "excess", "low", "high",
    ]  # fmt: skip
