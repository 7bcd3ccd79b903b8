"""Thresholds of a mask: the best of a grid, and folded into the network's own bias."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.masks import segmented
from prunecxr.evaluation.regions.scores import iou_per_image
from prunecxr.evaluation.regions.thresholds import THRESHOLDS, best_threshold, move_threshold
from prunecxr.hardware import Compute

CPU = Compute(torch.device("cpu"), "fp32", channels_last=False, eval_batch_size=4)


class Brightness(nn.Module):
    """Marks what is bright: the logit of foreground is a multiple of the first channel."""

    def __init__(self) -> None:
        super().__init__()
        self.final_conv = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.final_conv.weight.zero_()
            self.final_conv.weight[1, 0] = 1.0
            self.final_conv.bias.zero_()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.final_conv(inputs)


def lesions(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of all brightnesses whose lesion is what is brighter than a level."""
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    return images, (images[..., 0] > level).astype(np.uint8)


@pytest.mark.parametrize("level", [60, 128, 200])
def test_the_best_of_the_grid_by_plain_search(level):
    images, masks = lesions(level)
    evaluator = Evaluator(Brightness(), CPU, "eager")
    found = best_threshold(evaluator, images, masks)
    logits = torch.cat(list(evaluator.outputs(images)))
    probability = torch.softmax(logits, dim=1)[:, 1].numpy()
    scores = [iou_per_image(probability > threshold, masks)[:, 1].mean() for threshold in THRESHOLDS]
    assert found == THRESHOLDS[int(np.argmax(scores))]


def test_ties_go_to_one_half():
    """Black and white images: thresholds from 0.15 to 0.9 mark the same pixels."""
    images, masks = lesions(100)
    images[..., 0] = np.where(images[..., 0] > 100, 255, 0)
    assert best_threshold(Evaluator(Brightness(), CPU, "eager"), images, masks) == 0.5


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.85])
def test_a_threshold_becomes_the_networks_own(threshold):
    images, _ = lesions(100)
    model = Brightness()
    with torch.no_grad():
        probability = torch.softmax(torch.cat(list(Evaluator(model, CPU, "eager").outputs(images))), dim=1)[:, 1]
    move_threshold(model, threshold)
    marked = np.concatenate(list(segmented(Evaluator(model, CPU, "eager"), images)))
    assert np.array_equal(marked, (probability > threshold).numpy())
    assert 0 < marked.mean() < 1
