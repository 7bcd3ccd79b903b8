"""Groups of patients, gaps between them, and whether pruning widens these."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from prunecxr.analysis.association import holm
from prunecxr.studies.pruning.analysis.operating_points import thresholds
from prunecxr.studies.pruning.analysis.subgroups import BANDS, partitions, subgroups, subgroups_hit
from tests.clinical_study import make_population


@pytest.fixture(scope="module")
def study():
    predictions, labels, metadata = make_population(n_seeds=4, n_patients=200, extra=0.45)
    limits = thresholds(predictions.sel(sparsity=0.0), labels)
    return predictions, labels, metadata, limits, subgroups(predictions, labels, metadata, [0.9], limits)


def test_partitions_are_bands_values_and_their_crossings() -> None:
    metadata = pd.DataFrame(
        {
            "id": list("abcdef"),
            "age": [0.5, 17.9, 18, 59, 80, np.nan],
            "sex": ["F", "M", "M", "", "M", "M"],
            "ward": ["1"] * 6,
            "kVp": [100, 101, 102, 103, 104, ""],
        }
    )
    metadata = pd.concat([metadata] * 3, ignore_index=True).assign(kVp=[*range(17), ""])
    found = {part.name: part for part in partitions(metadata)}
    assert list(found) == ["age", "sex", "kVp", "age and sex", "age and kVp", "sex and kVp"]  # one ward is no partition
    assert set(found["age"].groups) == {"0-17", "18-39", "40-59", "80+"} <= set(BANDS)
    assert found["age"].groups[0] == "0-17"  # the largest
    assert found["sex"].groups == ("M", "F")
    assert found["sex"].code.tolist() == [1, 0, 0, -1, 0, 0] * 3
    assert set(found["kVp"].groups) == {"up to 5.33333", "above 5.33333 to 10.6667", "above 10.6667"}
    assert "40-59, M" not in found["age and sex"].groups
    assert found["age and sex"].code[3] == -1


def test_scores_of_groups_are_those_of_scikit_learn(study) -> None:
    predictions, labels, metadata, limits, table = study
    row = table.query("partition == 'sex' and group == 'F' and `class` == 'class 0'").set_index("measure")
    women, men = (metadata["sex"] == sex for sex in ("F", "M"))
    assert set(row["reference"]) == {"M"}

    def scores(k: float, member: pd.Series) -> np.ndarray:
        found, y = [], labels["class 0"][member].to_numpy()
        for seed in range(4):
            p = predictions.sel({"seed": seed, "sparsity": k, "class": "class 0"}).to_numpy()[member]
            share = y.mean()
            weights = np.where(y == 1, 0.05 / share, 0.95 / (1 - share))
            limit = float(limits.sel({"seed": seed, "class": "class 0"}))
            ap_ref = average_precision_score(y, p, sample_weight=weights)
            found.append((ap_ref, roc_auc_score(y, p), (p[y == 1] > limit).mean()))
        return np.array(found)

    dense, pruned, of_men, pruned_men = scores(0, women), scores(0.9, women), scores(0, men), scores(0.9, men)
    order = ["ap_ref", "auroc", "sensitivity"]
    row = row.loc[order]
    assert row["dense"].to_numpy() == pytest.approx(np.median(dense, axis=0), rel=1e-5)
    assert row["reference_pruned"].to_numpy() == pytest.approx(np.median(pruned_men, axis=0), rel=1e-5)
    assert row["gap"].to_numpy() == pytest.approx(np.median(pruned - pruned_men, axis=0), rel=1e-5, abs=1e-7)
    change = np.median(pruned - pruned_men - dense + of_men, axis=0)
    assert row["change"].to_numpy() == pytest.approx(change, rel=1e-5, abs=1e-7)
    assert row["n_positives"].tolist() == [labels["class 0"][women].sum()] * 3
    assert row["n_patients"].tolist() == [labels["subject_id"][women].nunique()] * 3


def test_a_group_that_loses_more_is_found(study) -> None:
    *_, table = study
    assert subgroups_hit(table) == "yes"
    clear = table[table["p_holm"] < 0.05]
    assert set(clear.loc[clear["partition"] == "sex", "group"]) == {"F"}
    assert (clear.loc[clear["group"] == "F", "change"] < 0).all()
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"]))


def test_permuted_groups_are_silent() -> None:
    """Whole patients change places; 30 studies, of which one or two may speak."""
    spoken = []
    for seed in range(30):
        predictions, labels, metadata = make_population(n_patients=100, extra=0.45, prevalences=(0.3,), seed=seed)
        people = labels["subject_id"].factorize()[0]
        order = np.random.default_rng(seed).permutation(people.max() + 1)
        first = np.unique(people, return_index=True)[1]
        permuted = metadata.iloc[first[order[people]]].reset_index(drop=True).assign(id=metadata["id"])
        spoken.append(subgroups_hit(subgroups(predictions, labels, permuted, [0.9])) == "yes")
    assert np.mean(spoken) <= 0.15


def test_small_groups_are_not_tested_and_few_seeds_have_no_p() -> None:
    predictions, labels, metadata = make_population(n_seeds=2, prevalences=(0.3, 0.02))
    table = subgroups(predictions, labels, metadata, [0.9])
    assert set(table["class"]) == {"class 0"}
    assert set(table["measure"]) == {"ap_ref", "auroc"}  # no thresholds, no sensitivity
    assert table["p"].isna().all()
    assert table["low"].notna().all()
    assert subgroups_hit(table) == subgroups_hit(None) == "cannot_be_told"
    few = metadata.assign(sex=np.where(np.arange(len(metadata)) < 40, "F", "M"), age=np.nan, view="")
    assert subgroups(predictions, labels, few, [0.9]).empty


def test_seeds_that_lack_a_variant_are_left_out_on_both_sides(study) -> None:
    predictions, labels, metadata, _, _ = study
    holed = predictions.copy(deep=True)
    holed[3, 1] = np.nan
    found = subgroups(holed, labels, metadata, [0.9])
    expected = subgroups(predictions.isel(seed=[0, 1, 2]), labels, metadata, [0.9])
    pd.testing.assert_frame_equal(found, expected)
