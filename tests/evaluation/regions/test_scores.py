"""Scores of masks: parity with scikit-learn and MONAI, conventions for empty masks, ranges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from monai.metrics import DiceMetric, MeanIoU
from sklearn.metrics import f1_score, jaccard_score

from prunecxr.evaluation.regions.scores import (
    METRICS,
    dice_per_image,
    floor_scores,
    iou_per_image,
    score_images,
    split_scores,
)


def random_masks(n=12, size=9, seed=0):
    """Pairs of masks from sparse to dense, all with both regions."""
    rng = np.random.default_rng(seed)
    shares = np.linspace(0.1, 0.9, n)[:, None, None]
    return (rng.random((n, size, size)) < shares).astype(np.uint8), rng.random((n, size, size)) < 0.4


def test_parity_with_scikit_learn():
    predicted, truth = random_masks()
    iou, dice = iou_per_image(predicted, truth), dice_per_image(predicted, truth)
    for i, (one, other) in enumerate(zip(predicted, truth, strict=True)):
        for region in (0, 1):
            assert iou[i, region] == pytest.approx(jaccard_score(other.ravel(), one.ravel(), pos_label=region))
            assert dice[i, region] == pytest.approx(f1_score(other.ravel(), one.ravel(), pos_label=region))


def test_parity_with_monai():
    predicted, truth = random_masks(seed=1)
    ours = score_images(predicted, truth)

    def channels(masks: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([masks == 0, masks == 1], axis=1).astype(np.float32))

    iou = MeanIoU(include_background=True, ignore_empty=False)(channels(predicted), channels(truth)).numpy()
    dice = DiceMetric(include_background=True, ignore_empty=False)(channels(predicted), channels(truth)).numpy()
    assert ours[["background", "foreground"]].to_numpy() == pytest.approx(iou, rel=1e-6)
    assert ours["mean"].to_numpy() == pytest.approx(iou.mean(axis=1), rel=1e-6)
    assert ours["dice"].to_numpy() == pytest.approx(dice.mean(axis=1), rel=1e-6)


def test_empty_masks_score_one_with_each_other_and_zero_with_any_other():
    empty, full, half = np.zeros((1, 4, 4)), np.ones((1, 4, 4)), np.zeros((1, 4, 4))
    half[0, :2] = 1
    assert iou_per_image(empty, empty).tolist() == [[1, 1]]
    assert iou_per_image(full, full).tolist() == [[1, 1]]
    assert iou_per_image(empty, full).tolist() == [[0, 0]]
    assert iou_per_image(empty, half).tolist() == [[0.5, 0]]
    assert iou_per_image(half, full).tolist() == [[0, 0.5]]
    assert dice_per_image(empty, half).tolist() == [[pytest.approx(2 / 3), 0]]


masks = arrays.arrays(np.uint8, (2, 3, 5, 4), elements=st.integers(0, 1))


@given(masks)
@settings(deadline=None)
def test_scores_are_symmetric_in_range_and_one_only_where_equal(pair):
    one, other = pair
    iou, dice = iou_per_image(one, other), dice_per_image(one, other)
    assert ((iou >= 0) & (iou <= 1) & (dice >= iou) & (dice <= 1)).all()
    assert np.array_equal(iou, iou_per_image(other, one))
    same = (one == other).all(axis=(1, 2))
    assert np.array_equal((iou == 1).all(axis=1), same)
    assert np.allclose(dice, 2 * iou / (1 + iou))  # one is a function of the other, region by region
    assert np.array_equal(iou[:, ::-1], iou_per_image(1 - one, 1 - other))  # regions change places


def test_a_split_is_the_mean_over_its_images():
    predicted, truth = random_masks(3)
    table = score_images(predicted, truth)
    assert tuple(table.columns) == (*METRICS, "area")
    assert table["area"].to_numpy() == pytest.approx([mask.sum() / mask.size for mask in predicted])
    assert split_scores(table) == {name: pytest.approx(sum(table[name]) / 3) for name in METRICS}
    assert all(np.isnan(value) for value in split_scores(table.iloc[:0]).values())


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 3, 3\) and \(1, 4, 4\)"):
        iou_per_image(np.zeros((1, 3, 3)), np.zeros((1, 4, 4)))


def test_the_floor_is_what_a_mask_that_marks_nothing_scores():
    _, truth = random_masks(3)
    truth = np.concatenate([truth, np.zeros_like(truth[:1])] * 200)  # more than are compared at a time
    floor = floor_scores(truth)
    assert len(floor) == len(truth)
    for row, mask in zip(floor.itertuples(index=False), truth, strict=True):
        assert row.background == pytest.approx((mask == 0).sum() / mask.size)
        assert row.foreground == (0 if mask.any() else 1)  # nothing was to be found, and nothing was
        assert row.area == pytest.approx(mask.sum() / mask.size)
