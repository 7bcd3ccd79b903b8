"""Dense against dense: the table against loops, and what is claimed where pruning does nothing, and where it does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.nulls.exemplars import Networks, Setting, calibrate, draw_labels
from prunecxr.studies.pruning.analysis.exemplar_null import Comparisons, pie_null
from prunecxr.studies.pruning.analysis.exemplar_ratios import Properties
from prunecxr.studies.pruning.analysis.exemplar_tables import ExemplarOptions
from prunecxr.studies.pruning.analysis.exemplars import Chooser, class_columns
from prunecxr.studies.pruning.analysis.seed_halves import half_means, splits_of_seeds


def table_of(study, n_seeds: int, measure: str = "spearman", resamples: int = 400, labels=None) -> pd.DataFrame:
    labels = study.labels if labels is None else labels
    dense, pruned = (one[:n_seeds] for one in study.by_seed)
    splits = splits_of_seeds(n_seeds)
    choose = Chooser.of(labels["id"].to_numpy(), 0.1, measure)
    comparisons = Comparisons.of(half_means(dense, splits), half_means(pruned, splits), splits, choose)
    properties = Properties.of(labels, class_columns(labels))
    return pie_null(comparisons, properties, labels["subject_id"].to_numpy(), resamples)


def by_hand(study, n_seeds: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Geometric mean ratios of classes, pruned and null, an image and a comparison at a time."""
    dense, pruned = (one.to_numpy()[:n_seeds] for one in study.by_seed)
    logs = []
    labels = study.labels.set_index("id")[list(names)]
    for parts in splits_of_seeds(n_seeds):
        for one, other in (parts, parts[::-1]):
            for kind, stack in (("ratio", pruned), ("null_ratio", dense)):
                a, b = dense[one].mean(axis=0), stack[other].mean(axis=0)
                rho = [round(stats.spearmanr(x, y).statistic, 9) for x, y in zip(a, b, strict=True)]
                ranked = [image for _, image in sorted(zip(rho, labels.index, strict=True))]
                pies, others = labels.loc[ranked[:20]], labels.loc[ranked[20:]]
                share, rest = ((side.sum() + 0.5) / (len(side) + 0.5) for side in (pies, others))
                logs.append(np.log(share / rest).rename(kind))
    return np.exp(pd.concat(logs, axis=1).T.groupby(level=0).mean().T)


def test_ratios_equal_a_loop(make_study) -> None:
    study = make_study(n_seeds=3, n_images=200)
    names = ("Nodule", "Emphysema", "No Finding")
    table, expected = table_of(study, 3).set_index("value"), by_hand(study, 3, names)
    for name in names:
        ratio, null = expected.loc[name, ["ratio", "null_ratio"]]
        assert table.loc[name, "ratio"] == pytest.approx(ratio)
        assert table.loc[name, "null_ratio"] == pytest.approx(null)
        assert table.loc[name, "excess"] == pytest.approx(ratio / null)
        assert table.loc[name, "image_count"] == study.labels[name].sum()
        assert table.loc[name, "patient_count"] == study.labels.loc[study.labels[name] == 1, "subject_id"].nunique()


def test_intervals_hold_the_excess_and_simultaneous_ones_are_wider(make_study) -> None:
    table = table_of(make_study(n_seeds=6), 6, resamples=2_000)
    assert ((table.low <= table.excess) & (table.excess <= table.high)).all()
    sure = table[~table.few]
    assert (sure.adjusted_low < sure.low).all()
    assert (sure.adjusted_high > sure.high).all()
    assert table.loc[table.few, ["adjusted_low", "adjusted_high"]].isna().all(axis=None)
    assert table.few.any()
    assert (table.seeds == 6).all()
    assert (table.splits == 10).all()


def test_spread_over_patients_is_that_of_a_plain_bootstrap(make_study) -> None:
    """With networks that do not differ, only patients are uncertain: the interval is that of resampled tables."""
    study = make_study(n_seeds=3)
    rng = np.random.default_rng(0)
    # Each half of each population is one fixed network; no split differs from another.
    dense, other, pruned = (study.by_seed[i].to_numpy()[s] for i, s in ((0, 0), (0, 1), (1, 2)))
    splits = splits_of_seeds(3)
    choose = Chooser.of(study.labels["id"].to_numpy(), 0.1, "kl")
    sides = np.stack([[dense, other]] * 3), np.stack([[pruned, pruned]] * 3)
    comparisons = Comparisons.of(*sides, splits, choose)
    comparisons = Comparisons(comparisons.groups[:, ::2], comparisons.compared[::2], 3)  # one direction alone
    properties = Properties.of(study.labels, class_columns(study.labels))
    table = pie_null(comparisons, properties, study.labels["subject_id"].to_numpy(), 2_000).set_index("value")
    null, changed = choose(dense, other).is_pie, choose(dense, pruned).is_pie
    frame = study.labels.assign(null=null, changed=changed)
    patients = [rows for _, rows in frame.groupby("subject_id")]
    logs = []
    for _ in range(300):
        drawn = pd.concat([patients[i] for i in rng.integers(len(patients), size=len(patients))])
        parts = [drawn.loc[drawn[kind] == side, "Nodule"] for kind in ("changed", "null") for side in (True, False)]
        shares = [(part.sum() + 0.5) / (len(part) + 0.5) for part in parts]
        logs.append(np.log(shares[0] / shares[1] / (shares[2] / shares[3])))
    width = np.log(table.loc["Nodule", "high"] / table.loc["Nodule", "low"])
    assert width == pytest.approx(np.subtract(*np.quantile(logs, [0.975, 0.025])), rel=0.2)


def test_a_property_that_no_pie_has_has_no_ratio(make_study) -> None:
    study = make_study(n_seeds=3)
    labels = study.labels.assign(Nodule=0)
    row = table_of(study, 3, labels=labels).set_index("value").loc["Nodule"]
    assert row[["ratio", "null_ratio", "excess", "low", "high", "adjusted_low"]].isna().all()
    assert row["image_count"] == 0


def test_below_three_seeds_there_is_no_interval(make_study) -> None:
    table = table_of(make_study(n_seeds=2), 2)
    assert table[["low", "high", "adjusted_low", "adjusted_high"]].isna().all(axis=None)
    assert table["excess"].notna().any()
    assert (table["splits"] == 1).all()


@pytest.mark.parametrize("measure", ["kl", "modal", "spearman@0.1", "spearman_standardised"])
def test_every_measure_has_a_control(make_study, measure: str) -> None:
    table = table_of(make_study(n_seeds=3), 3, measure)
    assert table.loc[~table.few, "excess"].notna().all()


def test_pruned_networks_that_are_the_dense_ones_have_an_excess_of_one(make_study) -> None:
    study = make_study(n_seeds=6)
    study.by_seed = (study.by_seed[0], study.by_seed[0])
    table = table_of(study, 6).dropna(subset=["excess"])
    np.testing.assert_allclose(table["excess"], 1)
    assert ((table["low"] <= 1) & (table["high"] >= 1)).all()


FEW_DRAWS = ExemplarOptions(resamples=1_000)


@pytest.mark.parametrize("n_seeds", [3, 6])
def test_fresh_dense_networks_in_place_of_the_pruned_ones_claim_nothing(n_seeds: int) -> None:
    """Rare classes are more frequent among the PIEs of two dense populations already: plain ratios say so."""
    one = calibrate(Setting(500, n_seeds), 12, seed=5, options=FEW_DRAWS)
    assert one.yes + one.opposite <= 2 / 12
    assert one.coverage > 0.93
    assert one.intervals > 100
    assert one.naive > 0.3


def test_what_pruning_adds_is_found() -> None:
    """The evidence for the rarer classes is gone from pruned networks, and noise has come in its place."""
    rng = np.random.default_rng(2)
    labels = draw_labels(rng, 2_000)
    truth = labels.iloc[:, 2:].to_numpy()
    networks = Networks(rng, truth, shift=0.3)
    dense, pruned = networks.draw(8), networks.draw(8, 0.9 * (networks.rarity > 0.7))
    splits = splits_of_seeds(8)
    choose = Chooser.of(labels["id"].to_numpy(), 0.05, "mean_absolute")
    comparisons = Comparisons.of(half_means(dense, splits), half_means(pruned, splits), splits, choose)
    properties = Properties.of(labels, class_columns(labels))
    table = pie_null(comparisons, properties, labels["subject_id"].to_numpy(), 1_000)
    classes = table[table.group == "class"].set_index("value")
    affected = classes[networks.rarity > 0.7]
    assert (affected["adjusted_low"] > 1).any()
    assert set(classes.index[classes["adjusted_low"] > 1]) <= set(affected.index)
