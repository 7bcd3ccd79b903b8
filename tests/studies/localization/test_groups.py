"""Who the HTLs are: against scipy, exact enumeration, and shares worked out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunecxr.studies.localization.analysis import groups as htl_groups
from prunecxr.studies.localization.analysis.groups import (
    UNKNOWN,
    age_groups,
    group_tests,
    groups,
    mined,
    planted,
    random_jaccard,
    subgroups,
)


def test_age_groups():
    ages = [0, 30, 30.5, 31, 40, 41, 70, 71, 85, np.nan]
    found = age_groups(ages, (30, 40, 50, 60, 70)).tolist()
    assert found == ["≤30", "≤30", "31–40", "31–40", "31–40", "41–50", "61–70", ">70", ">70", UNKNOWN]
    assert htl_groups.age_names((30, 40)) == ["≤30", "31–40", ">40"]


def test_shares_by_hand():
    """Four women, five men, one unknown; HTLs of seed 1: two women, one man; of seed 2: a woman and the unknown."""
    sex = np.array(["female"] * 4 + ["male"] * 5 + [UNKNOWN])
    is_htl = np.zeros((2, 10), bool)
    is_htl[0, [0, 1, 4]] = True
    is_htl[1, [0, 9]] = True
    drop = np.where(is_htl, 0.5, 0.1)
    drop[:, 8] = np.nan
    table = groups(sex, is_htl, drop, resamples=300).set_index("group")
    assert table.index.tolist() == ["female", "male", UNKNOWN]
    assert table["n"].tolist() == [4, 5, 1]
    assert table["share"].tolist() == pytest.approx([0.4, 0.5, 0.1])
    assert table["htl_images"].tolist() == pytest.approx([1.5, 0.5, 0.5])
    assert table["htl_share"].tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert table.loc["female", "mean_drop"] == pytest.approx((3 * 0.5 + 5 * 0.1) / 8)
    assert table.loc["male", "mean_drop"] == pytest.approx((0.5 + 7 * 0.1) / 8)  # without the undefined image
    assert table.loc["male", "htl_mean_drop"] == pytest.approx(0.5)
    assert table["undefined_drops"].tolist() == [0, 1, 0]
    assert (table["excess_low"] <= table["excess"]).all()
    assert (table["excess"] <= table["excess_high"]).all()


def test_no_htl_leaves_their_shares_undefined():
    table = groups(["a", "b"], np.zeros((1, 2), bool), np.zeros((1, 2)), resamples=100)
    assert table["htl_share"].isna().all()
    assert table["share"].tolist() == [0.5, 0.5]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_shares_sum_to_one_and_the_order_of_images_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male", UNKNOWN], 30)
    is_htl, drop = rng.random((2, 30)) < 0.4, rng.random((2, 30))
    is_htl[0, 0] = True
    table = groups(sex, is_htl, drop, resamples=100)
    assert table["share"].sum() == pytest.approx(1)
    assert table["htl_share"].sum() == pytest.approx(1)
    mixed = rng.permutation(30)
    other = groups(sex[mixed], is_htl[:, mixed], drop[:, mixed], resamples=100)
    point = ["n", "share", "htl_share", "mean_drop", "htl_mean_drop"]
    assert np.allclose(table[point], other[point], equal_nan=True)


def test_for_one_seed_the_statistic_is_pearsons_and_p_is_close_to_it():
    rng = np.random.default_rng(1)
    sex = np.array(["female"] * 150 + ["male"] * 150)
    is_htl = (rng.random(300) < np.where(sex == "female", 0.3, 0.2))[None]
    table = group_tests(sex, is_htl, rng.random((1, 300)))
    counts = [[int((is_htl[0] & (sex == s)).sum()), int((~is_htl[0] & (sex == s)).sum())] for s in ("female", "male")]
    expected = stats.chi2_contingency(counts, correction=False)
    assert table.loc[0, "statistic"] == pytest.approx(expected.statistic)
    exact = stats.fisher_exact(counts).pvalue
    assert table.loc[0, "p"] == pytest.approx(exact, abs=0.02)


def test_permutation_p_of_a_small_table_is_the_exact_one():
    """Six images, two HTLs, both in a group of three: 2 x 3 of the 15 choices are as extreme."""
    group = np.array(["a"] * 3 + ["b"] * 3)
    is_htl = np.array([[True, True, False, False, False, False]])
    extreme = sum(len({i // 3 for i in chosen}) == 1 for chosen in combinations(range(6), 2)) / 15
    assert group_tests(group, is_htl, np.zeros((1, 6))).loc[0, "p"] == pytest.approx(extreme, abs=0.02)


def test_under_chance_p_is_uniform():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(60):
        is_htl = np.repeat((rng.random(60) < 0.3)[None], 3, axis=0)  # three seeds that agree count once
        found.append(group_tests(rng.choice(["a", "b"], 60), is_htl, np.zeros((3, 60)), draws=300).loc[0, "p"])
    assert np.mean(np.array(found) < 0.2) < 0.4
    assert 0.3 < np.mean(found) < 0.7


def test_drops_are_tested_by_kruskal_wallis_without_the_unknown():
    rng = np.random.default_rng(3)
    group = np.array(["a"] * 20 + ["b"] * 20 + [UNKNOWN] * 5)
    drop = rng.random((2, 45)) + np.where(group == "a", 0.3, 0)
    drop[0, 0] = np.nan
    drop[:, 1] = np.nan
    row = group_tests(group, rng.random((2, 45)) < 0.5, drop).loc[1]
    mean = np.nanmean(np.delete(drop, 1, axis=1), axis=0)
    expected = stats.kruskal(mean[:19], mean[19:39])
    assert (row["statistic"], row["p"]) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert (row["n"], row["n_unknown"]) == (39, 5)


@pytest.mark.parametrize("group", [["a"] * 6, [UNKNOWN] * 6])
def test_a_single_group_is_not_tested(group):
    table = group_tests(group, np.array([[True, False] * 3]), np.random.default_rng(0).random((1, 6)))
    assert table["p"].isna().all()


def test_planted_by_hand_and_by_enumeration():
    """Six images, two hard; three HTLs, both hard ones among them."""
    hard = np.array([True, True, False, False, False, False])
    is_htl = np.array([[True, True, True, False, False, False], [False, False, True, True, False, False]])
    table = planted(hard, is_htl, (10, 20))
    first, second, every = (row for _, row in table.iterrows())
    assert (first["precision"], first["recall"], first["lift"]) == (pytest.approx(2 / 3), 1, pytest.approx(2))
    assert (first["random_precision"], first["random_recall"]) == (pytest.approx(1 / 3), 0.5)
    both = sum({0, 1} <= set(chosen) for chosen in combinations(range(6), 3)) / 20
    assert first["p"] == pytest.approx(both)
    assert (second["precision"], second["p"]) == (0, pytest.approx(1))
    assert (every["seed"], every["precision"]) == ("all", pytest.approx(1 / 3))


def test_random_choice_stays_within_its_interval():
    rng = np.random.default_rng(4)
    hard = rng.random(400) < 0.2
    chosen = np.zeros((300, 400), bool)
    for row in chosen:
        row[rng.choice(400, 80, replace=False)] = True
    table = planted(hard, chosen, range(300)).iloc[:-1]
    inside = (table["precision"] >= table["random_precision_low"]) & (
        table["precision"] <= table["random_precision_high"]
    )
    assert 0.92 <= inside.mean() <= 1
    assert table["precision"].mean() == pytest.approx(table["random_precision"].mean(), abs=0.01)


def test_p_over_seeds_is_that_of_permuted_images():
    """Six images of which two are hard; both seeds have the same two HTLs: one of 15 choices hits both."""
    hard = np.array([True, True, False, False, False, False])
    both = planted(hard, np.repeat(hard[None], 2, axis=0), (1, 2)).iloc[-1]
    assert both["p"] == pytest.approx(1 / 15, abs=0.01)  # two-sided: none hit lies nearer to the expected 2/3
    assert planted(hard, np.ones((1, 6), bool), (1,)).iloc[-1].isna()["p"]


def test_images_of_one_patient_count_as_one():
    rng = np.random.default_rng(5)
    group, is_htl, drop = rng.choice(["a", "b"], 40), rng.random((2, 40)) < 0.3, rng.random((2, 40))
    once = group_tests(group, is_htl, drop)
    patient = np.repeat(np.arange(40), 3).astype(str)
    thrice = group_tests(
        np.repeat(group, 3), np.repeat(is_htl, 3, axis=1), np.repeat(drop, 3, axis=1), subjects=patient
    )
    assert thrice["p"].tolist() == pytest.approx(once["p"].tolist(), abs=0.02)
    assert thrice["statistic"].tolist() == pytest.approx(once["statistic"].tolist())
    assert (thrice["n"].tolist(), thrice["n_patients"].tolist()) == ([120, 120], [40, 40])


def test_random_sets_overlap_as_simulated_ones_do():
    rng = np.random.default_rng(6)
    one = np.arange(50) < 12
    found = []
    for _ in range(4000):
        other = np.zeros(50, bool)
        other[rng.choice(50, 20, replace=False)] = True
        found.append((one & other).sum() / (one | other).sum())
    mean, high = random_jaccard(50, 12, 20)
    assert mean == pytest.approx(np.mean(found), abs=0.005)
    assert high == pytest.approx(np.quantile(found, 0.975, method="inverted_cdf"), abs=0.03)
    assert random_jaccard(4, 4, 4) == (1, 1)


def test_no_htl_has_no_precision():
    table = planted(np.array([True, False]), np.zeros((1, 2), bool), (1,))
    assert table.iloc[0][["precision", "p", "random_precision_low"]].isna().all()
    assert table.iloc[0]["recall"] == 0


def test_subgroups():
    group = np.array(["common"] * 8 + ["small"] * 2)
    is_htl = np.zeros((2, 10), bool)
    is_htl[:, 8] = True
    is_htl[0, [0, 9]] = True
    table = subgroups(group, is_htl, resamples=200, order=("common", "small")).set_index("subgroup")
    assert table["htl_rate"].tolist() == pytest.approx([1 / 16, 3 / 4])
    assert table.loc["small", "lift"] == pytest.approx(0.75 / 0.2)
    assert (table.loc["small", "low"], table.loc["small", "high"]) == (0.5, 1.0)


def test_mined_counts_and_overlap():
    is_htl = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    undefined = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
    table = mined(is_htl, undefined, (10, 20, 30))
    assert table["n_htl"].tolist() == [2, 2, 0]
    assert table["undefined"].tolist() == [1, 0, 0]
    assert table["jaccard"].tolist() == pytest.approx([(1 / 3 + 0) / 2, (1 / 3 + 0) / 2, 0])
    assert np.isnan(mined(is_htl[:1], undefined[:1], (10,)).loc[0, "jaccard"])
