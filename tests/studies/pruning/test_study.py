"""The whole analysis: every table, and a sentence for everything left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunecxr.studies.pruning.analysis.gaps import missing_variants
from prunecxr.studies.pruning.analysis.study import Options, analyse, label_counts

TABLES = {
    "overall": ["sparsity", "median_mean_ap", "q25", "q75", "n", "welch_t", "welch_p", "welch_p_holm",
                "significant_drop"],
    "curves": ["class", "sparsity", "relative_change", "q25", "q75", "chance_corrected_relative_change"],
    "classes": ["class", "train_count", "test_count", "dense_ap", "first_drop_20", "relative_change_at_max"],
    "correlations": ["x", "y", "n", "pearson_r", "pearson_p", "spearman_rho", "spearman_p"],
    "pairs": ["class_a", "class_b"] + [
        f"{column}_{definition}" for definition in ("paper", "published")
        for column in ("fcd", "log_freq_diff", "iou", "iou_fourth_root")
    ],
    "ols": ["definition", "term", "coefficient", "se", "t", "p", "r2"],
    "pies": ["id", "subject_id", "agreement", "is_pie"],
    "pie_ratios": ["group", "value", "pie_share", "non_pie_share", "ratio", "low", "high"],
    "pie_null": ["group", "value", "ratio", "null_ratio", "excess", "low", "high"],
}  # fmt: skip


def test_public_columns_come_first_and_in_order(study) -> None:
    tables = analyse(*study.arguments, by_seed=study.by_seed).tables
    for name, columns in TABLES.items():
        assert list(tables[name].columns)[: len(columns)] == columns, name


def test_a_complete_study_has_nothing_to_warn_of(make_study) -> None:
    study = make_study(n_seeds=6)
    assert analyse(*study.arguments, by_seed=study.by_seed).warnings == []


def test_every_gap_is_told(make_study) -> None:
    study = make_study(n_seeds=2)
    scores = study.scores.copy(deep=True)
    scores.ap[{"class": 7}] = 0.9
    scores.ap[{"seed": 1, "sparsity": 2}] = np.nan
    scores.ap[{"seed": 0, "sparsity": 1, "class": 0}] = np.nan
    scores.ap[{"class": 3}] = np.nan
    scores.test_count[3] = 0
    scores.ap[{"seed": 0, "sparsity": 0, "class": 2}] = 0.01
    scores.train_count[1] = 0
    dense = study.dense.copy()
    dense[4] = 0.5
    analysis = analyse(scores, study.labels, dense, study.pruned)
    assert missing_variants(scores) == [(1, 0.7)]
    text = "\n".join(analysis.warnings)
    names = scores["class"].to_numpy()
    assert "1 of 10 variants missing; results are over those present. Missing at 70% seed 1." in text
    assert f"1 single score missing from otherwise scored variants: {names[0]} (1)." in text
    assert "Only 2 seeds have a dense and a pruned model: nothing is tested and no P is given" in text
    assert f"(no positive image in the test split): {names[3]}." in text
    assert f"(no positive training image: log frequency undefined): {names[1]}." in text
    assert "2 classes never lose 20% of AP at any sparsity studied" in text
    assert (
        f"Dense models not above chance, left out of the chance-corrected change of their class: {names[2]} (1)" in text
    )
    assert "1 image of 600 without a defined agreement (a constant or missing prediction)" in text
    assert f"kept apart from PIEs and non-PIEs: {study.labels.id[4]}." in text


def test_without_predictions_there_are_no_pies(study) -> None:
    analysis = analyse(study.scores, study.labels)
    assert "pies" not in analysis.tables
    assert analysis.warnings == ["No PIEs: mean predictions of dense and pruned models are not available."]


@pytest.mark.parametrize("definition", ["paper", "published"])
def test_one_definition(study, definition: str) -> None:
    tables = analyse(*study.arguments, Options(definition=definition)).tables
    assert set(tables["ols"].definition) == {definition}
    assert [c for c in tables["pairs"] if c.startswith("fcd")] == [f"fcd_{definition}"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_few_classes_and_images(make_study, n_classes: int) -> None:
    analysis = analyse(*make_study(n_seeds=1, sparsities=(0.0, 0.9), n_images=12, n_classes=n_classes).arguments)
    text = "\n".join(analysis.warnings)
    assert "No regression of FCD under the definition 'paper'" in text
    assert "No PIEs: 0.05 of 12 images is less than one image." in text


def test_no_image_with_a_defined_agreement(study) -> None:
    constant = np.full_like(study.dense, 0.5)
    analysis = analyse(study.scores, study.labels, constant, constant)
    assert "No PIEs: agreement is defined for no image." in analysis.warnings
    assert not any("is less than one image" in text for text in analysis.warnings)


def test_only_dense_models(study) -> None:
    tables = analyse(study.scores.isel(sparsity=[0]), study.labels).tables
    assert tables["classes"].first_drop_20.isna().all()
    assert not tables["classes"].censored.any()


@pytest.mark.parametrize("seed", range(3))
def test_order_of_seeds_and_images_changes_nothing(study, seed: int) -> None:
    """Relabelled seeds and permuted images give the same tables, every one of them."""
    rng = np.random.default_rng(seed)
    order, seeds = rng.permutation(len(study.labels)), rng.permutation(study.scores.sizes["seed"])
    renamed = [7 + s for s in range(len(seeds))]
    scores = study.scores.isel(seed=seeds).assign_coords(seed=renamed)
    by_seed = tuple(one.isel(seed=seeds, image=order).assign_coords(seed=renamed) for one in study.by_seed)
    dense, pruned = study.dense[order], study.pruned[order]
    before = analyse(*study.arguments, by_seed=study.by_seed).tables
    after = analyse(scores, study.labels.iloc[order].reset_index(drop=True), dense, pruned, by_seed=by_seed).tables
    assert set(before) == set(after)
    for name in set(before) - {"pie_stability", "pie_null"}:  # their splits are of seeds by their place
        pd.testing.assert_frame_equal(before[name], after[name], rtol=1e-9, obj=name)


def test_label_counts_are_those_that_are_known(study) -> None:
    table = label_counts(study.scores)
    assert list(table.columns) == ["class", "train", "test"]
    assert table["train"].iloc[:-1].is_monotonic_decreasing
    assert table.iloc[-1].tolist() == ["(images)", 2400, 600]
    scores = study.scores.assign_coords(val_count=("class", [1] * 8)).assign_attrs(n_val=50)
    assert label_counts(scores).iloc[-1].tolist() == ["(images)", 2400, 50, 600, 3050]
    row = label_counts(scores).set_index("class").loc["Nodule"]
    assert row["total"] == row["train"] + 1 + study.labels["Nodule"].sum()
    del scores.attrs["n_train"]
    assert label_counts(scores)["total"].isna().tolist() == [False] * 8 + [True]


def test_a_single_network_at_the_highest_sparsity_is_not_tested(study) -> None:
    scores = study.scores.copy(deep=True)
    scores.ap[{"seed": [0, 1, 2, 3], "sparsity": 4}] = np.nan
    analysis = analyse(scores, study.labels)
    found = analysis.tables["correlations"].set_index("y")
    at_max = found.index.str.endswith("at_max")
    assert found["spearman_p"].isna().tolist() == at_max.tolist()
    assert found["spearman_rho"].notna().all()
    assert "Only 1 seed at the highest sparsity: no test of the change there" in "\n".join(analysis.warnings)
