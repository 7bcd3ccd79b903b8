"""PIE sets of other measures and other seeds, against plain set arithmetic and a loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunecxr.studies.pruning.analysis.exemplar_sets import jaccard, membership, pie_overlap, pie_stability
from prunecxr.studies.pruning.analysis.exemplars import AGREEMENT, lowest, pies
from prunecxr.studies.pruning.analysis.study import analyse


def plain_pies(dense: np.ndarray, pruned: np.ndarray, ids: list[str], fraction: float) -> set[str]:
    """By scipy, row by row, and Python's own sort."""
    rho = [stats.spearmanr(a, b).statistic for a, b in zip(dense, pruned, strict=True)]
    return set(sorted(ids, key=lambda i: (rho[ids.index(i)], i))[: int(fraction * len(ids))])


def stacks(n_seeds: int = 6, n: int = 40, n_classes: int = 5) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(4)
    shared = rng.random((n, n_classes))
    dense, pruned = ((shared + s * rng.random((n_seeds, n, n_classes))).astype(np.float32) for s in (0.3, 1.0))
    coords = {"seed": np.arange(n_seeds) + 10}
    return tuple(xr.DataArray(a, dims=("seed", "image", "class"), coords=coords) for a in (dense, pruned))


def test_jaccard_by_hand() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert jaccard(a, b) == pytest.approx(1 / 3)
    assert jaccard(a, a) == 1
    assert np.isnan(jaccard(a & b & ~a, ~(a | ~a)))


def test_membership_and_overlap_are_set_arithmetic(study) -> None:
    ids = study.labels["id"].to_numpy()
    members = membership(ids, study.dense, study.pruned, 0.1)
    assert list(members.columns) == list(AGREEMENT)
    for measure in AGREEMENT:
        table = pies(study.labels, study.dense, study.pruned, 0.1, measure)
        assert set(ids[members[measure]]) == set(table.loc[table["is_pie"], "id"])
    overlap = pie_overlap(members)
    assert len(overlap) == len(AGREEMENT) * (len(AGREEMENT) - 1) / 2
    for row in overlap.itertuples():
        a, b = (set(ids[members[name]]) for name in (row.measure_a, row.measure_b))
        assert (row.n, row.jaccard) == (len(a & b), len(a & b) / len(a | b))


def test_stability_equals_a_loop_over_resamples() -> None:
    dense, pruned = stacks()
    ids = [f"i{i:02d}" for i in range(40)]
    table = pie_stability(ids, dense, pruned, 0.2, resamples=23, seed=7)
    assert table["resample"].tolist() == list(range(1, 24))
    full = plain_pies(dense.mean("seed"), pruned.mean("seed"), ids, 0.2)
    weights = np.random.default_rng(7).multinomial(6, [1 / 6] * 6, size=23)
    for found, drawn in zip(table["jaccard"], weights, strict=True):
        again = np.repeat(np.arange(6), drawn)
        other = plain_pies(dense[again].mean("seed"), pruned[again].mean("seed"), ids, 0.2)
        assert found == pytest.approx(len(full & other) / len(full | other))


def test_stability_of_equal_seeds_is_perfect() -> None:
    dense, pruned = (one[[0, 0, 0, 0]].assign_coords(seed=range(4)) for one in stacks())
    ids = [f"i{i:02d}" for i in range(40)]
    assert (pie_stability(ids, dense, pruned, 0.2)["jaccard"] == 1).all()


def test_stability_takes_the_seeds_that_both_have() -> None:
    dense, pruned = stacks()
    ids = [f"i{i:02d}" for i in range(40)]
    partly = pie_stability(ids, dense[[5, 1, 3, 0]], pruned[[0, 1, 2, 3]], 0.2)
    both = pie_stability(ids, dense[[0, 1, 3]], pruned[[0, 1, 3]], 0.2)
    pd.testing.assert_frame_equal(partly, both)
    assert pie_stability(ids, dense[:2], pruned, 0.2).empty


@given(st.permutations(range(40)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_images_does_not_matter(order: list[int]) -> None:
    dense, pruned = stacks()
    ids = np.array([f"i{i:02d}" for i in range(40)])
    expected = pie_stability(ids, dense, pruned, 0.2, resamples=5)
    found = pie_stability(ids[order], dense[:, order], pruned[:, order], 0.2, resamples=5)
    pd.testing.assert_frame_equal(found, expected)


def test_the_analysis_holds_the_tables(study) -> None:
    tables = analyse(*study.arguments, by_seed=study.by_seed).tables
    assert len(tables["pie_stability"]) == 50
    assert tables["pie_stability"]["jaccard"].between(0, 1).all()
    table = tables["pies"].set_index("id")
    expected = lowest(-np.abs(study.dense - study.pruned).mean(axis=1), study.labels["id"].to_numpy(), 0.05)
    assert table["is_pie_mean_absolute"][study.labels["id"]].tolist() == expected.tolist()
    few = tuple(one[:2] for one in study.by_seed)
    assert "pie_stability" not in analyse(*study.arguments, by_seed=few).tables
