"""Weight histograms over seeds, and methods side by side, against NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunecxr.studies.pruning.analysis.gaps import weight_notes
from prunecxr.studies.pruning.analysis.methods import COLUMNS, methods
from prunecxr.studies.pruning.analysis.study import Beside, Options, analyse
from prunecxr.studies.pruning.analysis.weights import weights

COUNTS = np.array([[1, 2, 7], [5, 5, 10], [3, 3, 0], [0, 0, 0]])


def histograms(counts: np.ndarray) -> pd.DataFrame:
    edges = [(0, 0.01), (0.01, 0.1), (0.1, 1)]
    rows = [(seed, *edge, n) for seed, row in enumerate(counts) for edge, n in zip(edges, row, strict=True)]
    return pd.DataFrame(rows, columns=["seed", "low", "high", "count"])


def test_weights_are_medians_of_shares() -> None:
    shares = COUNTS[:3] / COUNTS[:3].sum(axis=1, keepdims=True)
    table = weights(histograms(COUNTS).sample(frac=1, random_state=0))
    assert list(table.columns) == ["low", "high", "share", "q25", "q75", "share_below", "n"]
    np.testing.assert_allclose(table["share"], np.median(shares, axis=0))
    np.testing.assert_allclose(table["q25"], np.quantile(shares, 0.25, axis=0))
    np.testing.assert_allclose(table["share_below"], np.median(shares.cumsum(axis=1), axis=0))
    assert table["n"].tolist() == [3, 3, 3]  # the seed without a weight is left out


def test_seeds_without_a_histogram_are_told(study) -> None:
    assert weight_notes(histograms(COUNTS[[0] * 5]), study.scores) == []
    (note,) = weight_notes(histograms(COUNTS), study.scores)
    assert note.startswith("Weight magnitudes of 1 of 5 seeds are not known")


def test_methods_side_by_side(study, make_study) -> None:
    other = make_study(n_seeds=3, sparsities=(0.0, 0.9), seed=8).scores
    table = methods({"magnitude": study.scores, "random": other})
    assert tuple(table.columns) == COLUMNS
    assert table["method"].tolist() == ["magnitude"] * 5 + ["random"] * 2
    mean_ap = other["ap"].to_numpy().mean(axis=2)
    found = table[table["method"] == "random"]
    np.testing.assert_allclose(found["median_mean_ap"], np.median(mean_ap, axis=0))
    np.testing.assert_allclose(found["q75"], np.quantile(mean_ap, 0.75, axis=0))
    assert found["n"].tolist() == [3, 3]
    own = analyse(study.scores, study.labels).tables["overall"]
    for column in ("median_mean_ap", "q25", "chance_corrected_median_mean_ap", "chance_corrected_q75"):
        np.testing.assert_allclose(table[column][:5], own[column])


def test_methods_leave_out_what_no_seed_has(study) -> None:
    scores = study.scores.copy(deep=True)
    scores.ap[{"sparsity": 2}] = np.nan
    scores.ap[{"sparsity": 3, "seed": 0}] = np.nan
    table = methods({"magnitude": scores})
    assert table["sparsity"].tolist() == [0, 0.5, 0.9, 0.95]
    assert table["n"].tolist() == [5, 5, 4, 5]


def test_tables_are_there_where_their_material_is(study) -> None:
    plain = analyse(study.scores, study.labels).tables
    assert not {"methods", "weights"} & set(plain)
    assert "weights" not in analyse(study.scores, study.labels, beside=Beside({}, histograms(COUNTS[:0]))).tables
    tables = analyse(
        study.scores,
        study.labels,
        options=Options(method="random"),
        beside=Beside({"magnitude": study.scores}, histograms(COUNTS)),
    ).tables
    assert list(dict.fromkeys(tables["methods"]["method"])) == ["random", "magnitude"]
    assert tables["weights"]["share_below"].iloc[-1] == pytest.approx(1)
