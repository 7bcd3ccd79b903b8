"""Tests over pairs: the tables, and studies in which there is, and is not, something to be found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from benchmarks.drawn import Predictions, draw_labels
from benchmarks.nulls.pairs import EFFECTS, pair_null_rates
from prunecxr.evaluation.metrics import auroc
from prunecxr.studies.pruning.analysis.pair_regression import ols
from prunecxr.studies.pruning.analysis.pair_tests import COLUMNS, pair_tests
from prunecxr.studies.pruning.analysis.pair_verdicts import PREVALENCE_FREE, alike_by_frequency, cooccurring_alike
from prunecxr.studies.pruning.analysis.pairs import DEFINITIONS, PREFIXES, pair_correlations, pairs

SPARSITIES = np.array([0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9])
N = 20
GROUP = np.arange(N) % 5  # of classes that occur together; frequencies fall along the classes
NAMES = [f"c{i:02d}" for i in range(N)]


def grouped_labels() -> pd.DataFrame:
    """Long-tailed labels of which those of a group occur together: each image has one group that it tends to."""
    rng = np.random.default_rng(0)
    tends = rng.integers(5, size=4000)[:, None] == GROUP
    share = 0.2 * np.exp(-0.15 * np.arange(N))
    return pd.DataFrame((rng.random(tends.shape) < share * np.where(tends, 4, 0.25)).astype(int), columns=NAMES)


def curve_of(values: np.ndarray, sparsities) -> xr.DataArray:
    return xr.DataArray(values, dims=("class", "sparsity"), coords={"class": NAMES, "sparsity": sparsities})


def study(
    trait: np.ndarray, own: float = 0.3, seed: int = 0, scales=PREVALENCE_FREE, permutations: int = 499
) -> pd.DataFrame:
    """The table of tests where a class is forgotten around a sparsity that follows its trait, and its own."""
    rng = np.random.default_rng(seed)
    middle = 0.7 + 0.08 * (trait + own * rng.normal(size=N))
    curves = {}
    for scale in scales:
        at = middle + 0.01 * rng.normal(size=N)
        values = -1 / (1 + np.exp(-(SPARSITIES - at[:, None]) / 0.05))
        curves[scale] = xr.DataArray(
            values, dims=("class", "sparsity"), coords={"class": NAMES, "sparsity": SPARSITIES}
        )
    return pair_tests(pairs(curves, grouped_labels(), ("paper",)), ("paper",), permutations, seed)


def test_classes_that_occur_together_and_are_forgotten_alike() -> None:
    trait = np.array([-1.4, -0.7, 0, 0.7, 1.4])[GROUP]
    assert cooccurring_alike(study(trait), "paper") == "yes"
    assert cooccurring_alike(study(trait), "paper", alpha=0.0001) == "no_association_shown"
    frequency = np.linspace(1.5, -1.5, N)
    tests = study(frequency)
    assert cooccurring_alike(tests, "paper") == "no_association_shown"
    assert alike_by_frequency(tests, "paper") == "yes"


def test_verdicts_are_rare_where_curves_have_to_do_with_nothing() -> None:
    """Of 25 studies 5% are about 1; the naive P of the same tests finds something in far more."""
    tests = [study(np.zeros(N), own=1, seed=seed, permutations=99) for seed in range(25)]
    for verdict in (cooccurring_alike, alike_by_frequency):
        states = [verdict(one, "paper") for one in tests]
        assert sum(state != "no_association_shown" for state in states) <= stats.binom(25, 0.05).ppf(0.999)
    overlap = [one[(one["x"] == "iou_fourth_root") & (one["statistic"] == "spearman_rho")] for one in tests]
    assert sum((rows["naive_p"] < 0.05).any() for rows in overlap) > stats.binom(25, 0.05).ppf(0.999)


def test_states_that_need_other_scales() -> None:
    frequency = np.linspace(1.5, -1.5, N)
    own = study(frequency, scales=("ap", "ap_chance"))
    assert alike_by_frequency(own, "paper") == "cannot_be_told"
    free = study(np.zeros(N), own=1)
    assert alike_by_frequency(pd.concat([own, free]), "paper") == "only_at_own_prevalence"
    assert alike_by_frequency(pd.concat([study(np.zeros(N), scales=("ap",)), study(frequency)]), "paper") == "yes"
    assert alike_by_frequency(study(frequency, scales=PREVALENCE_FREE[:2]), "paper") == "cannot_be_told"
    turned = study(frequency)
    turned["value"] *= -1
    assert alike_by_frequency(turned, "paper") == "opposite"


def test_values_and_naive_p_are_those_of_the_papers_tables() -> None:
    rng = np.random.default_rng(1)
    curves = {scale: curve_of(rng.random((N, 3)), [0, 0.5, 0.9]) for scale in PREFIXES}
    table = pairs(curves, grouped_labels())
    tests = pair_tests(table, permutations=99)
    assert tuple(tests.columns) == COLUMNS
    assert len(tests) == len(DEFINITIONS) * len(PREFIXES) * 11
    assert set(tests["n"]) == {190}
    assert set(tests["n_classes"]) == {N}
    assert tests["permutation_p"].between(0.01, 1).all()
    assert tests["stratified_p"].notna().equals(tests["x"] == "iou_given_frequency")
    rows = tests.set_index(["definition", "scale", "x", "statistic"])
    for one in pair_correlations(table).itertuples():
        scale = "ap" if one.y == "fcd" else "ap_chance"
        for statistic, p in (("pearson_r", "pearson_p"), ("spearman_rho", "spearman_p")):
            found = rows.loc[(one.definition, scale, one.x, statistic)]
            assert (found.value, found.naive_p) == pytest.approx((getattr(one, statistic), getattr(one, p)))
    for one in ols(table).query("term != 'intercept'").itertuples():
        x = "interaction" if ":" in one.term else one.term
        found = rows.loc[(one.definition, "ap", x, "coefficient")]
        assert (found.value, found.naive_p) == pytest.approx((one.coefficient, one.p))


def test_classes_without_a_curve_are_left_out_and_counted() -> None:
    curve = curve_of(np.random.default_rng(2).random((N, 2)), [0, 0.9])
    curve[[1, 5]] = np.nan
    labels = grouped_labels()
    labels["c09"] = 0
    tests = pair_tests(pairs({"auroc": curve}, labels), ("paper",), permutations=99)
    # A class without an image has no frequency, but overlaps: not at all.
    overlap = tests["x"].eq("iou_fourth_root") & tests["statistic"].ne("coefficient")
    assert tests["n_classes"].tolist() == np.where(overlap, 18, 17).tolist()
    assert tests["n"].tolist() == np.where(overlap, 153, 136).tolist()
    assert tests["permutation_p"].notna().all()
    curve[4:] = np.nan
    tests = pair_tests(pairs({"auroc": curve}, labels), ("paper",), permutations=99)
    assert tests["permutation_p"].isna().all()
    assert set(tests["reason"]) == {"3 classes with defined values, where a test over pairs needs 5"}
    assert cooccurring_alike(tests, "paper") == "cannot_be_told"


def test_association_with_overlap_goes_where_frequency_is_held_equal() -> None:
    """Drawn predictions whose generator knows no co-occurrence: rare classes are forgotten first."""
    labels = draw_labels(12_000)
    truth = labels.drop(columns=["id", "subject_id"])
    drawn = Predictions(truth.to_numpy())
    sparsities = tuple(np.linspace(0, 0.95, 7))
    scores = np.array(
        [
            [[auroc(truth[name].to_numpy(), variant[:, i]) for i, name in enumerate(truth)] for variant in variants]
            for variants in (drawn.of_seed(seed, sparsities) for seed in (0, 1))
        ]
    )  # seed, sparsity, class
    separability = stats.norm.ppf(scores)
    change = np.median(separability / separability[:, :1] - 1, axis=0)
    curve = xr.DataArray(change, {"sparsity": list(sparsities), "class": list(truth)}, ("sparsity", "class"))
    rows = pair_tests(pairs({"separability": curve}, labels), ("paper",), 999).set_index(["x", "statistic"])
    plain = rows.loc[("iou_fourth_root", "spearman_rho")]
    held = rows.loc[("iou_given_frequency", "partial_spearman_rho")]
    assert plain["value"] < -0.3
    assert plain["naive_p"] < 0.001
    assert abs(held["value"]) < 0.15
    assert held["permutation_p"] > 0.1
    assert rows.loc[("log_freq_diff", "spearman_rho"), "permutation_p"] == 0.001


@pytest.mark.parametrize("effect", EFFECTS)
def test_null_rates_are_shares_of_every_test(effect: str) -> None:
    """At a size too small for the rates themselves, which benchmarks/nulls/pairs.py prints."""
    rates = pair_null_rates(grouped_labels(), repetitions=3, effect=effect, permutations=39)
    assert len(rates.tests) == 11 * len(DEFINITIONS)
    assert rates.tests[["naive", "permutation"]].isin([0, 1 / 3, 2 / 3, 1]).all(axis=None)
    assert rates.verdicts.groupby("question")["share"].sum().tolist() == pytest.approx([1, 1])
