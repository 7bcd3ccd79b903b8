"""The probability above which a pixel counts as lesion, chosen on validation images.

A loss that weighs the lesion more, or images on which it is large, shift a network's probabilities as a whole. Compared
at one half, networks then differ by that shift; compared each at its own best threshold, by what they know.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.scores import iou_per_image
from prunecxr.networks.unet import last_layer

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
ONE_HALF = 0.5  # where the arg-max changes


def best_threshold(evaluator: Evaluator, images: np.ndarray, masks: np.ndarray) -> float:
    """The one of `THRESHOLDS` with the highest mean foreground IoU of a segmenting network; of ties the next to a half.

    Args:
        images: shape (n, height, width, 3), uint8.
        masks: shape (n, height, width), 0/1.
    """
    totals, start = np.zeros(len(THRESHOLDS)), 0
    for logits in evaluator.outputs(images, None):
        truth = np.asarray(masks[start : start + len(logits)])
        start += len(truth)
        margin = (logits[:, 1] - logits[:, 0]).float().cpu().numpy()
        totals += [iou_per_image(margin > _logit(threshold), truth)[:, 1].sum() for threshold in THRESHOLDS]
    best = np.flatnonzero(np.isclose(totals, totals.max(), rtol=1e-9, atol=0))
    return min((THRESHOLDS[index] for index in best), key=lambda threshold: abs(threshold - ONE_HALF))


def move_threshold(model: nn.Module, threshold: float) -> None:
    """Shift a segmenting network's own bias, in place, so that its arg-max marks probabilities above a threshold."""
    bias = last_layer(model).bias
    assert isinstance(bias, torch.Tensor)
    with torch.no_grad():
        bias[1] -= _logit(threshold)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
