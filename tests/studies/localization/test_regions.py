"""What either region loses, raw and above its floor: against plain loops, and figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prunecxr.studies.localization.analysis import htl, regions

UNIT = st.integers(0, 100).map(lambda percent: percent / 100)


def iou_array(values: np.ndarray, fractions: tuple[float, ...]) -> xr.DataArray:
    return xr.DataArray(
        values,
        dims=("seed", "fraction", "image", "region"),
        coords={"seed": np.arange(len(values)), "fraction": list(fractions), "region": list(htl.REGIONS)},
    )


def test_effect_by_hand():
    """Two images: foreground 0.8 and 0.4 (mean 0.6) fall to 0.3 on average: half is lost; background a tenth."""
    values = np.array([[[[1.0, 0.8], [1.0, 0.4]], [[0.9, 0.6], [0.9, 0.0]]]])
    (row,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=200).itertuples(index=False)
    assert row.fraction == 0.7
    assert (row.drop_foreground, row.drop_background) == (pytest.approx(0.5), pytest.approx(0.1))
    assert row.difference == pytest.approx(0.4)
    assert np.isnan(row.sd_foreground)  # one seed has no SD
    # resamples: both images, or one of them twice; foreground then loses 25% or all
    assert (row.low, row.high) == (pytest.approx(0.15), pytest.approx(0.9))


def test_effect_against_a_plain_loop():
    rng = np.random.default_rng(0)
    values = rng.random((3, 3, 7, 2))
    table = regions.effect(iou_array(values, (0.0, 0.5, 0.9)), resamples=100).set_index("fraction")
    for position, fraction in ((1, 0.5), (2, 0.9)):
        for index, region in enumerate(htl.REGIONS):
            drops = []
            for seed in range(3):
                dense = sum(values[seed, 0, i, index] for i in range(7)) / 7
                pruned = sum(values[seed, position, i, index] for i in range(7)) / 7
                drops.append((dense - pruned) / dense)
            assert table.loc[fraction, f"drop_{region}"] == pytest.approx(np.mean(drops))
            assert table.loc[fraction, f"sd_{region}"] == pytest.approx(pd.Series(drops).std())
        assert table.loc[fraction, "low"] < table.loc[fraction, "high"]


def test_effect_leaves_a_missing_variant_out_and_counts_the_rest():
    values = np.random.default_rng(1).random((2, 2, 5, 2))
    values[1, 1] = np.nan
    (row,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100).itertuples(index=False)
    (alone,) = regions.effect(iou_array(values[:1], (0.0, 0.7)), resamples=100).itertuples(index=False)
    assert row.n_seeds == 1
    assert row.drop_foreground == alone.drop_foreground
    values[0, 1] = np.nan
    (none,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100).itertuples(index=False)
    assert none.n_seeds == 0
    assert np.isnan([none.drop_foreground, none.low, none.difference]).all()


def test_images_of_one_patient_are_drawn_together():
    values = np.random.default_rng(2).random((1, 2, 6, 2))
    (row,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=50, subjects=["a"] * 6).itertuples(index=False)
    assert row.low == pytest.approx(row.high)
    assert row.low == pytest.approx(row.difference)


@settings(max_examples=25)
@given(arrays(np.float64, (2, 2, 5, 2), elements=UNIT.map(lambda iou: 0.1 + 0.9 * iou)))
def test_the_order_of_images_does_not_matter(values):
    one = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100).iloc[0, :6]
    other = regions.effect(iou_array(values[:, :, ::-1], (0.0, 0.7)), resamples=100).iloc[0, :6]
    assert np.allclose(one.to_numpy(), other.to_numpy(), equal_nan=True)


def test_a_seed_whose_dense_network_finds_nothing_has_no_drop():
    values = np.random.default_rng(8).random((2, 2, 5, 2))
    values[1, 0, :, 1] = 0
    (row,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100).itertuples(index=False)
    assert row.n_seeds == 1
    assert np.isfinite(row.difference)


def drawn(shares: np.ndarray, n_images: int = 60, seed: int = 0) -> tuple[xr.DataArray, np.ndarray]:
    """A study whose networks lose given shares of what they have above a mask that marks nothing, and that mask's IoUs.

    Args:
        shares: dims (seed, region), background first.
    """
    rng = np.random.default_rng(seed)
    area = rng.uniform(0.05, 0.4, n_images)
    floor = np.stack([1 - area, np.zeros(n_images)], axis=1)
    dense = floor + rng.uniform(0.6, 0.95, (len(shares), n_images, 2)) * (1 - floor)
    pruned = floor + (1 - shares[:, None]) * (dense - floor)
    return iou_array(np.stack([dense, pruned], axis=1), (0.0, 0.7)), floor


def test_equal_losses_above_the_floor_are_equal_there_and_far_apart_in_raw_iou():
    iou, floor = drawn(np.array([[0.4, 0.4], [0.3, 0.3]]))
    (row,) = regions.effect(iou, resamples=200, floor=floor).itertuples(index=False)
    assert (row.above_background, row.above_foreground) == (pytest.approx(0.35), pytest.approx(0.35))
    assert row.above_difference == pytest.approx(0, abs=1e-12)
    assert row.low > 0.15  # of the raw IoU, by the floor alone
    assert row.floor_background == pytest.approx(floor[:, 0].mean())


def test_the_loss_above_the_floor_against_a_plain_loop():
    iou, floor = drawn(np.array([[0.2, 0.5], [0.1, 0.3], [0.3, 0.4]]), seed=1)
    values = iou.to_numpy() + np.random.default_rng(2).uniform(0, 0.02, iou.shape)
    (row,) = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100, floor=floor).itertuples(index=False)
    for index, region in enumerate(htl.REGIONS):
        shares = []
        for dense, pruned in values[..., index]:
            shares.append((dense.mean() - pruned.mean()) / (dense.mean() - floor[:, index].mean()))
        assert getattr(row, f"above_{region}") == pytest.approx(np.mean(shares))
        assert getattr(row, f"above_sd_{region}") == pytest.approx(pd.Series(shares).std())
    assert row.above_low < row.above_difference < row.above_high
    assert row.above_p_holm == row.above_p


def test_pseudo_values_vary_as_the_bootstrap_does():
    """Their standard error over patients is that of the ratio among resampled patients."""
    rng = np.random.default_rng(3)
    iou, floor = drawn(np.array([[0.4, 0.4]]), n_images=400, seed=3)
    dense, pruned = iou.to_numpy()[0, :, :, 0]
    pruned = pruned - 0.05 * rng.random(400)
    shares = regions.shares_above(dense[None], pruned[None], floor[:, 0], np.arange(400).astype(str))[0]
    drawn_again = []
    for _ in range(2000):
        at = rng.integers(400, size=400)
        drawn_again.append((dense[at] - pruned[at]).mean() / (dense[at] - floor[at, 0]).mean())
    assert shares.std() / 20 == pytest.approx(np.std(drawn_again), rel=0.1)


def test_a_dense_network_that_is_not_above_the_floor_has_no_share_to_lose():
    iou, floor = drawn(np.array([[0.4, 0.4], [0.3, 0.3]]))
    values = iou.to_numpy().copy()
    values[1, :, :, 0] = floor[:, 0]  # the background of the second seed is what marking nothing gives
    table = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100, floor=floor)
    assert (table.loc[0, "n_seeds"], table.loc[0, "above_seeds"]) == (2, 1)
    assert table.loc[0, "above_background"] == pytest.approx(0.4)
    values[0, :, :, 0] = floor[:, 0]
    none = regions.effect(iou_array(values, (0.0, 0.7)), resamples=100, floor=floor).iloc[0]
    assert none["above_seeds"] == 0
    assert none[["above_background", "above_foreground", "above_difference", "above_p_holm"]].isna().all()


def test_networks_that_mark_nothing_any_more_are_not_tested():
    iou, floor = drawn(np.array([[1.0, 0.97], [0.99, 1.0]]))
    row = regions.effect(iou, resamples=100, floor=floor).iloc[0]
    assert row["at_floor"]
    assert np.isnan(row["above_p"])


def test_without_a_floor_the_raw_loss_stands_alone():
    iou, _ = drawn(np.array([[0.4, 0.4], [0.3, 0.3]]))
    row = regions.effect(iou, resamples=100).iloc[0]
    assert np.isfinite(row["difference"])
    assert row[["floor_background", "above_foreground", "above_p_holm"]].isna().all()
