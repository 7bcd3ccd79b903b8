"""Tables of paper B: against plain loops, scipy, and figures that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.multitest import multipletests

from prunecxr.studies.localization.analysis import htl

UNIT = st.integers(0, 100).map(lambda percent: percent / 100)


@given(arrays(np.float64, (2, 3, 4), elements=UNIT), arrays(np.float64, (2, 3, 4), elements=UNIT))
def test_relative_drops(dense, pruned):
    drop = htl.relative_drop(dense, pruned)
    assert (np.isnan(drop) == (dense == 0)).all()
    there = dense > 0
    assert np.allclose(dense[there] * (1 - drop[there]), pruned[there], atol=1e-9)
    assert (drop[there] <= 1).all()


def test_drops_count_forty_percent_itself_and_leave_undefined_ones_out():
    dense = np.array([[[1.0, 0.5], [1.0, 0.5], [1.0, 0.0], [1.0, 1.0]]])
    pruned = np.array([[[1.0, 0.3], [0.5, 0.4], [1.0, 0.0], [1.0, 1.0]]])  # 40%, 20%, undefined, none
    histogram, summary = htl.drops(dense, pruned)
    fore = summary.set_index("region").loc["foreground"]
    assert fore["share_large"] == pytest.approx(1 / 3)
    assert (fore["undefined"], fore["median"]) == (1, pytest.approx(0.2))
    assert summary.set_index("region").loc["background", "share_large"] == pytest.approx(1 / 4)
    assert histogram.groupby("region")["share"].sum().tolist() == pytest.approx([1, 1])


def test_drop_shares_are_means_of_the_seeds():
    rng = np.random.default_rng(3)
    dense, pruned = rng.random((3, 50, 2)) + 0.1, rng.random((3, 50, 2))
    _, summary = htl.drops(dense, pruned)
    share = [
        np.mean([(d - p) / d >= 0.4 for d, p in zip(dense[s, :, 1], pruned[s, :, 1], strict=True)]) for s in (0, 1, 2)
    ]
    row = summary.set_index("region").loc["foreground"]
    assert row["share_large"] == pytest.approx(np.mean(share))
    assert row["sd_large"] == pytest.approx(np.std(share, ddof=1))


def test_comparison_is_pandas_mean_and_sd():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.random((6, 5)), columns=list(htl.MEASURED)).assign(
        seed=[0, 1, 2] * 2, approach=["plain"] * 3 + ["htl"] * 3
    )
    found = htl.comparison(table).set_index("approach")
    assert found.index.tolist() == ["plain", "htl"]
    for metric in htl.MEASURED:
        by = table.groupby("approach")[metric]
        assert found[metric].to_dict() == pytest.approx(by.mean().to_dict())
        assert found[f"{metric}_sd"].to_dict() == pytest.approx(by.std().to_dict())


def test_paired_differences_over_seeds_are_scipys_paired_t():
    rng = np.random.default_rng(5)
    images = {name: rng.random((3, 40, 5)) for name in ("plain", "htl")}
    images["htl"] += 0.05
    seeds = dict.fromkeys(images, (10, 20, 30))
    table = htl.paired(images, seeds, resamples=500)
    assert table["metric"].tolist() == list(htl.MEASURED)
    for index, row in enumerate(table.itertuples()):
        ours, theirs = images["htl"][..., index].mean(axis=1), images["plain"][..., index].mean(axis=1)
        tested = stats.ttest_rel(ours, theirs)
        assert row.difference == pytest.approx((ours - theirs).mean())
        assert row.p_seeds == pytest.approx(tested.pvalue)
        interval = tested.confidence_interval(0.95)
        assert (row.low_seeds, row.high_seeds) == (pytest.approx(interval.low), pytest.approx(interval.high))
        assert row.p_holm == row.p >= row.p_seeds  # one approach is compared
        assert row.low <= row.low_seeds + 1e-12
        assert row.high >= row.high_seeds - 1e-12
        assert row.low_images < row.difference < row.high_images


def test_the_interval_over_images_agrees_with_the_normal_one_of_many_images():
    rng = np.random.default_rng(6)
    difference = rng.normal(0.1, 0.3, 2_000)
    images = {"htl": np.repeat(difference[None, :, None], 5, axis=2), "plain": np.zeros((1, 2_000, 5))}
    table = htl.paired(images, dict.fromkeys(images, (1,)), resamples=4_000)
    half = 1.96 * difference.std(ddof=1) / np.sqrt(2_000)
    row = table.iloc[1]
    assert row["low_images"] == pytest.approx(difference.mean() - half, abs=0.1 * half)
    assert row["high_images"] == pytest.approx(difference.mean() + half, abs=0.1 * half)
    assert np.isnan(row["p_seeds"])  # a single seed


def test_only_seeds_that_both_have_are_compared():
    images = {"htl": np.stack([np.full((5, 5), 0.5), np.full((5, 5), 0.9)]), "random": np.full((1, 5, 5), 0.4)}
    table = htl.paired(images, {"htl": (1, 2), "random": (2,)}, resamples=100)
    assert table["n_seeds"].tolist() == [1] * 5
    assert table["difference"].tolist() == pytest.approx([0.5] * 5)


def test_without_fine_tuning_on_htls_there_is_nothing_to_compare():
    assert htl.paired({"plain": np.zeros((1, 3, 5))}, {"plain": (1,)}, resamples=100).empty


def test_ablation_pairs_every_seed_with_its_own_dense_network():
    rows = [
        (1, "magnitude", 0.0, 0.8, 0.9), (2, "magnitude", 0.0, 0.6, 0.9),
        (1, "magnitude", 0.7, 0.5, 0.8), (2, "magnitude", 0.7, 0.4, 0.8),
        (1, "random", 0.7, 0.1, 0.2), (3, "random", 0.7, 0.9, 0.9),  # seed 3 has no dense network: left out
    ]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["seed", "method", "fraction", "foreground", "background"])
    table = htl.ablation(scores).set_index("method")
    assert table.loc["magnitude", "foreground"] == pytest.approx(0.45)
    assert table.loc["magnitude", "drop_foreground"] == pytest.approx((0.3 + 0.2) / 2)
    assert (table.loc["random", "n_seeds"], table.loc["random", "drop_foreground"]) == (1, pytest.approx(0.7))


def test_a_seed_whose_dense_network_finds_nothing_has_no_drop():
    values = np.random.default_rng(8).random((2, 2, 5, 2))
    values[1, 0, :, 1] = 0
    _, summary = htl.drops(values[:, 0], values[:, 1])
    fore = summary.set_index("region").loc["foreground"]
    assert (fore["n_seeds"], fore["undefined"]) == (1, 2.5)
    assert np.isfinite(fore["median"])
    histogram, nothing = htl.drops(values[1:, 0], values[1:, 1])
    assert nothing.set_index("region").loc["foreground", ["median", "share_large"]].isna().all()
    assert histogram.set_index("region").loc["foreground", "share"].sum() == 0


def test_a_measure_that_was_not_taken_has_no_row():
    images = {name: np.random.default_rng(9).random((2, 6, 5)) for name in ("plain", "htl")}
    images["plain"][..., 4] = np.nan
    table = htl.paired(images, dict.fromkeys(images, (1, 2)), resamples=100)
    assert table["metric"].tolist() == list(htl.METRICS)


def test_p_is_adjusted_over_the_arms_of_a_metric():
    rng = np.random.default_rng(10)
    images = {name: rng.normal(0.05 * (name == "htl"), 0.1, (4, 60, 5)) for name in ("plain", "random", "all", "htl")}
    table = htl.paired(images, dict.fromkeys(images, range(4)), resamples=100)
    for _, rows in table.groupby("metric"):
        assert rows["p_holm"].to_numpy() == pytest.approx(multipletests(rows["p"], method="holm")[1])


def test_pruning_methods_are_paired_two_by_two_at_every_share():
    rng = np.random.default_rng(11)
    images = {
        (method, share): ((1, 2, 3), rng.random((3, 30)) - 0.2 * (method == "random"))
        for method in ("random", "magnitude", "taylor") for share in (0.2, 0.7)
    }  # fmt: skip
    images["taylor", 0.7] = ((2, 3), images["taylor", 0.7][1][1:])
    table = htl.ablation_tests(images)
    assert table[["fraction", "method", "other"]].to_numpy().tolist() == [
        [k, *pair] for k in (0.2, 0.7)
        for pair in (("random", "magnitude"), ("random", "taylor"), ("magnitude", "taylor"))
    ]  # fmt: skip
    assert table["n_seeds"].tolist() == [3, 3, 3, 3, 2, 2]
    ours, theirs = images["random", 0.7][1][1:], images["taylor", 0.7][1]
    assert table.loc[4, "difference"] == pytest.approx(ours.mean() - theirs.mean())
    assert table["p_holm"].to_numpy() == pytest.approx(multipletests(table["p"], method="holm")[1])
    assert htl.ablation_tests({}).empty


def test_a_pruned_network_at_the_floor_has_lost_all_of_what_it_had_above_it():
    rows = [(1, "magnitude", 0.0, 0.8, 0.95), (1, "magnitude", 0.5, 0.4, 0.875), (1, "random", 0.5, 0.0, 0.8)]
    scores = pd.DataFrame(rows, columns=["seed", "method", "fraction", "foreground", "background"])
    table = htl.ablation(scores, (0.8, 0.0)).set_index("method")
    assert table.loc["random", ["above_foreground", "above_background"]].tolist() == pytest.approx([1, 1])
    assert table.loc["magnitude", ["above_foreground", "above_background"]].tolist() == pytest.approx([0.5, 0.5])
    assert htl.ablation(scores)["above_background"].isna().all()
