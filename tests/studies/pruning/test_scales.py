"""Rankings of whole populations, and the questions asked of them: with the effect, and without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.nulls.populations import Drawn, draw, long_tail
from prunecxr.analysis.twoway import Draws
from prunecxr.studies.pruning.analysis import rankings as ranked
from prunecxr.studies.pruning.analysis.by_scale import ScaleOptions, by_scale
from prunecxr.studies.pruning.analysis.equal_forgetting import compare, first_drops, kept_share, simulate
from prunecxr.studies.pruning.analysis.rankings import Rankings, measure, plain_changes
from prunecxr.studies.pruning.analysis.rare_classes import Question, rare_classes, verdict
from prunecxr.studies.pruning.analysis.safe_sparsity import mean_change, safe_sparsity
from prunecxr.studies.pruning.analysis.scales import SCALES


def population(kept, *, images: int = 800, seeds: int = 4, seed: int = 0, positives=None, **options) -> Drawn:
    kept = np.vstack([np.ones(np.shape(kept)[-1]), np.atleast_2d(kept)])
    positives = long_tail(images, kept.shape[1]) if positives is None else np.asarray(positives)
    return draw(np.random.default_rng(seed), positives, kept, images=images, seeds=seeds, **options)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return population([[0.9] * 4, [0.5] * 4, [0.02] * 4], positives=[200, 60, 25, 6], per_patient=2)


@pytest.fixture(scope="module")
def rankings(drawn) -> Rankings:
    return measure(drawn.predictions, drawn.labels)


def test_scores_of_every_variant_are_those_of_scikit_learn(drawn, rankings) -> None:
    for s, k, c in [(0, 0, 0), (3, 1, 2), (2, 3, 3)]:
        truth = drawn.labels.iloc[:, 2 + c].to_numpy()
        probabilities = drawn.predictions.to_numpy()[s, k, :, c]
        share = truth.mean()
        weights = np.where(truth == 1, 0.05 / share, 0.95 / (1 - share))
        assert rankings.on(SCALES["ap"])[s, k, c] == pytest.approx(average_precision_score(truth, probabilities))
        assert rankings.on(SCALES["ap_ref"])[s, k, c] == pytest.approx(
            average_precision_score(truth, probabilities, sample_weight=weights)
        )
        assert rankings.on(SCALES["auroc"])[s, k, c] == pytest.approx(roc_auc_score(truth, probabilities))
    assert rankings.positives.tolist() == [200, 60, 25, 6]
    assert rankings.few.tolist() == [False, False, False, True]


def test_changes_are_measured_from_knowing_nothing(rankings) -> None:
    for name, nothing in (("ap", 0), ("ap_ref", 0.05), ("auroc", 0.5), ("separability", 0)):
        values = rankings.on(SCALES[name])
        expected = (values - values[:, :1]) / (values[:, :1] - nothing)
        assert plain_changes(rankings, SCALES[name]).to_numpy() == pytest.approx(expected)
    table = ranked.changes(rankings)
    assert set(table["scale"]) == set(SCALES)
    row = table.query("scale == 'separability' and `class` == 'c0' and sparsity == 0.6").iloc[0]
    assert row["change"] == pytest.approx(-0.5, abs=0.1)
    assert row["low"] < -0.5 < row["high"]


def test_changes_of_influences_are_derivatives(drawn, rankings) -> None:
    """One patient's images are given a little more weight, by repeating all others."""
    times, code = 400, 7
    people = np.unique(drawn.labels["subject_id"], return_inverse=True)[1]
    truth = drawn.labels["c1"].to_numpy()
    scale = SCALES["ap"]
    change, moved = list(rankings.changes_of(scale))[1]

    def weighted(more: float) -> float:
        weights = np.where(people == code, 1 + more, 1.0)
        dense, pruned = (
            average_precision_score(truth, drawn.predictions.to_numpy()[0, k, :, 1], sample_weight=weights)
            for k in (0, 1)
        )
        bias = rankings.bias[0, 0, :, 1]
        return (pruned - bias[1]) / (dense - bias[0]) - 1

    slope = (weighted(1 / times) - weighted(-1 / times)) * times / 2
    assert change[0, 1] == pytest.approx(weighted(0))
    assert moved[0, 1, code] == pytest.approx(slope, abs=1e-5)


def test_collapsed_sparsities_are_found_and_nothing_is_asked_there(rankings) -> None:
    assert rankings.known()[0].all()
    assert rankings.collapsed().tolist() == [False, False, False, True]
    assert rankings.asked() == pytest.approx(0.6)


def test_constant_predictions_are_collapsed(drawn) -> None:
    predictions = drawn.predictions.copy(deep=True)
    predictions[:, 1] = 0.3
    assert measure(predictions, drawn.labels).collapsed().tolist() == [False, True, False, True]


def test_missing_variants_and_unknown_labels_are_left_out(drawn) -> None:
    predictions = drawn.predictions.copy(deep=True)
    predictions[2, 1] = np.nan
    labels = drawn.labels.astype({"c1": float})
    labels.loc[labels.index[:50], "c1"] = np.nan
    found = measure(predictions, labels)
    assert np.isnan(found.on(SCALES["ap"])[2, 1]).all()
    rest, scores = labels["c1"].notna(), drawn.predictions.to_numpy()[0, 0, :, 1]
    expected = roc_auc_score(labels["c1"][rest], scores[rest])
    assert found.on(SCALES["auroc"])[0, 0, 1] == pytest.approx(expected)
    assert found.images[1] == 750
    assert ranked.scores(found)["value"].notna().all()


def frequent_and_rare(share: np.ndarray, seed: int, **options) -> tuple[Question, Drawn]:
    drawn = population([share], images=1500, seeds=3, seed=seed, dense=1.8, **options)
    return Question.of(measure(drawn.predictions, drawn.labels), drawn.counts.astype(float)), drawn


def table_of(question: Question, drawn: Drawn, null: int = 0) -> pd.DataFrame:
    rankings = question.rankings
    draws = Draws.of(len(rankings.seeds), rankings.influences.shape[-1], 100)
    simulated = None
    if null:
        truth = drawn.labels.iloc[:, 2:].to_numpy(float)
        simulated = simulate(rankings, drawn.predictions.to_numpy()[:, 0], truth, [question.at], null)
    return rare_classes(question, draws, simulated, None)


def test_rare_classes_that_lose_more_are_found_on_every_scale() -> None:
    table = table_of(*frequent_and_rare(np.linspace(0.9, 0.45, 12), 0))
    assert verdict(table) == "yes"
    rows = table.query("outcome == 'change'").set_index("scale")
    assert (rows["spearman_rho"] > 0.6).all()
    assert (rows["rho_low"] < rows["spearman_rho"]).all()


def test_frequent_classes_that_lose_more_are_the_opposite() -> None:
    assert verdict(table_of(*frequent_and_rare(np.linspace(0.45, 0.9, 12), 0))) == "opposite"


def test_equal_forgetting_is_no_answer_and_explains_ap() -> None:
    """All classes keep 60% of d': AP falls with rarity, and the null says that it would."""
    question, drawn = frequent_and_rare(np.full(12, 0.6), 1)
    table = table_of(question, drawn, null=40)
    assert verdict(table) in ("only_at_own_prevalence", "no_association_shown")
    own = table.query("outcome == 'change' and scale == 'ap'").iloc[0]
    assert own["spearman_rho"] > 0.5
    assert own["null_low"] - 0.1 <= own["spearman_rho"] <= own["null_high"] + 0.1
    assert own["null_p"] > 0.05


def test_equal_forgetting_rarely_gives_an_answer() -> None:
    found = [verdict(table_of(*frequent_and_rare(np.full(8, 0.6), seed))) for seed in range(12)]
    assert sum(state in ("yes", "opposite") for state in found) <= 1


def test_kept_share_is_what_was_put_in() -> None:
    question, _ = frequent_and_rare(np.full(12, 0.6), 2)
    assert kept_share(question.rankings) == pytest.approx([1, 0.6], abs=0.04)


def test_rho_beside_the_null() -> None:
    simulated = np.array([0.7, 0.8, 0.9, np.nan])
    mean, low, high, p = compare(0.8, simulated)
    assert (mean, p) == (pytest.approx(0.8), 1)
    assert low < 0.75 < 0.85 < high
    assert compare(0.2, simulated)[3] == pytest.approx(1 / 4)
    assert np.isnan(compare(np.nan, simulated)).all()


def test_first_drops() -> None:
    changes = np.array([[-0.1, -0.2, 0.0], [-0.3, -0.21, -0.2]])
    assert first_drops(changes, np.array([0.5, 0.7])).tolist() == [0.7, 0.7, np.inf]


def test_too_few_classes_or_seeds_cannot_be_told(rankings, drawn) -> None:
    question = Question.of(rankings, drawn.counts.astype(float))
    assert verdict(table_of(question, drawn)) == "cannot_be_told"
    two = frequent_and_rare(np.full(8, 0.5), 0)[1]
    two = Drawn(two.predictions[:2], two.labels)
    question = Question.of(measure(two.predictions, two.labels), two.counts.astype(float))
    table = table_of(question, two)
    assert table["p"].isna().all()
    assert verdict(table) == "cannot_be_told"


def test_safe_sparsity_has_three_outcomes(rankings) -> None:
    table = safe_sparsity(rankings, SCALES["auroc"], delta=0.25)
    outcomes = table.pivot_table(index="class", columns="sparsity", values="outcome", aggfunc="first")
    assert outcomes.loc["c0"].tolist() == ["safe", "not_safe", "not_safe"]
    assert outcomes.loc["c3"].tolist() == ["not_known"] * 3
    assert table.query("`class` == 'c3'")["reason"].eq("too few positives").all()
    assert table.query("`class` == 'c0'")["safe_up_to"].eq(0.3).all()


def test_a_loss_of_the_margin_is_rarely_called_safe() -> None:
    """Every class loses exactly the margin; 12 studies of 6 classes."""
    called = [
        safe_sparsity(measure(one.predictions, one.labels), SCALES["separability"], delta=0.2)["outcome"]
        .eq("safe")
        .any()
        for one in (population([[0.8] * 6], images=600, seed=seed) for seed in range(12))
    ]
    assert sum(called) <= 2


def test_no_loss_is_called_safe_where_there_are_positives_enough() -> None:
    one = population([[1.0] * 3], images=3000, seeds=6, positives=[800, 600, 400], dense=2.5)
    table = safe_sparsity(measure(one.predictions, one.labels), SCALES["auroc"], delta=0.1)
    assert table["outcome"].eq("safe").all()
    mean = mean_change(measure(one.predictions, one.labels), SCALES["auroc"], delta=0.1)
    assert mean["safe"].all()
    assert mean["n_classes"].eq(3).all()


def test_below_three_seeds_nothing_is_safe() -> None:
    one = population([[1.0] * 3], images=3000, seeds=2, positives=[800, 600, 400], dense=2.5)
    rankings = measure(one.predictions, one.labels)
    assert safe_sparsity(rankings, SCALES["auroc"])["outcome"].eq("not_known").all()
    mean, changes = mean_change(rankings, SCALES["auroc"]), ranked.changes(rankings)
    assert not mean["safe"].any()
    assert mean["p"].isna().all()
    assert changes[["p", "p_holm"]].isna().all(axis=None)


def test_everything_by_scale(drawn, rankings) -> None:
    tables = by_scale(
        rankings, drawn.predictions, drawn.labels, drawn.counts.astype(float), ScaleOptions(draws=50, null=0)
    )
    assert set(tables) == {"scores", "changes", "safe_sparsity", "mean_change", "rare_classes", "sparsities"}
    assert tables["sparsities"]["asked"].tolist() == [False, False, True, False]
    scores = tables["scores"]
    assert len(scores) == 5 * 4 * 4
    inside = scores.query("not few and scale != 'separability'")
    assert (inside["low"] >= 0).all() or inside["scale"].eq("ap_chance").any()
    assert (inside["low"] <= inside["high"]).all()
