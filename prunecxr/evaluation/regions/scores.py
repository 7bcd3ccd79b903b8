"""Predicted and true lesion masks -> scores of single images. Knows no torch.

Paper B, section 3: IoU of background and foreground, their mean, and Dice averaged over the two regions. The scores of
a split are means over its images, so that a small lesion counts as much as a large one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

METRICS = ("background", "foreground", "mean", "dice")
AT_ONCE = 256  # masks that are compared at a time, where they are read from a file


def overlaps(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels in both, in the prediction, and in the truth.

    Args:
        predicted, truth: masks, shape (n, height, width), 0/1 or bool.
    Returns:
        three arrays of shape (n, 2), int64: of background and foreground.
    Raises:
        ValueError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted) != 0, np.asarray(truth) != 0
    if predicted.shape != truth.shape or predicted.ndim != 3:
        raise ValueError(f"masks {predicted.shape} and {truth.shape} must both be (n, height, width)")
    axes = (1, 2)
    pixels = predicted.shape[1] * predicted.shape[2]
    in_both, in_predicted, in_truth = (mask.sum(axis=axes) for mask in (predicted & truth, predicted, truth))
    in_neither = pixels - in_predicted - in_truth + in_both
    return (
        np.stack([in_neither, in_both], axis=1),
        np.stack([pixels - in_predicted, in_predicted], axis=1),
        np.stack([pixels - in_truth, in_truth], axis=1),
    )


def iou_per_image(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of every image, shape (n, 2), float64: background, foreground.

    A region that is empty in both masks scores 1 (nothing was to be found, and nothing was), in one of them 0.
    """
    both, ours, theirs = overlaps(predicted, truth)
    return _ratio(both, ours + theirs - both)


def dice_per_image(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """2 |A and B| / (|A| + |B|) of every image, shape (n, 2), float64: background, foreground; conventions as above."""
    both, ours, theirs = overlaps(predicted, truth)
    return _ratio(2 * both, ours + theirs)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.ones(part.shape), where=whole > 0)


def score_images(predicted: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """The scores of every image: columns background and foreground (IoU), mean (of the two), dice (mean of the two),
    and area, the share of the image that is marked."""
    iou, dice = iou_per_image(predicted, truth), dice_per_image(predicted, truth)
    return pd.DataFrame(
        {
            "background": iou[:, 0], "foreground": iou[:, 1], "mean": iou.mean(axis=1), "dice": dice.mean(axis=1),
            "area": areas(predicted),
        }
    )  # fmt: skip


def floor_scores(truth: np.ndarray) -> pd.DataFrame:
    """What a mask that marks nothing scores on every image: background and foreground (IoU), and the lesion's area.

    The background of small lesions has a high IoU without any network; what lies above it is what a network can lose.
    """
    parts = []
    for start in range(0, len(truth), AT_ONCE):
        masks = np.asarray(truth[start : start + AT_ONCE])
        scores = score_images(np.zeros_like(masks), masks)[["background", "foreground"]]
        parts.append(scores.assign(area=areas(masks)))
    return pd.concat(parts, ignore_index=True)


def areas(masks: np.ndarray) -> np.ndarray:
    """The share of every image that a mask (n, height, width) marks, shape (n,), float64."""
    return (np.asarray(masks) != 0).mean(axis=(1, 2))


def split_scores(scores: pd.DataFrame) -> dict[str, float]:
    """Means over the images of the table of `score_images`; NaN without images."""
    return {name: float(scores[name].mean()) for name in METRICS}
