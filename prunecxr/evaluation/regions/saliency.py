"""Networks -> heat maps 0..255 that say where the lesion is: foreground probability, or Grad-CAM++ (MONAI's)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from monai.visualize import GradCAMpp
from monai.visualize.class_activation_maps import ModelWithHooks
from torch import nn

from prunecxr.data.batches import evaluation_batches
from prunecxr.evaluation.regions.boxes import scale_heat
from prunecxr.hardware import Compute, autocast
from prunecxr.networks.prunable import evaluating
from prunecxr.networks.unet import ClassificationHead, last_features, last_layer


def probability_heat(logits: torch.Tensor) -> np.ndarray:
    """A segmenting U-Net's probability of foreground, times 255: the heat map of a pseudo-label.

    Not stretched: where nothing looks like a lesion, the map is dark and its box empty.

    Args:
        logits: shape (b, 2, height, width).
    Returns:
        shape (b, height, width), uint8.
    """
    return torch.softmax(logits.float(), dim=1)[:, 1].mul(255).round().to(torch.uint8).cpu().numpy()


def grad_cam_heat(model: nn.Module, images: np.ndarray, compute: Compute) -> Iterator[np.ndarray]:
    """Grad-CAM++ of the last 3x3 convolution, every map stretched to 0..255 (paper B, algorithms 2 and 3).

    With a classification head, the score that is explained is the logit of the predicted class; without one, the mean
    logit of the foreground.

    Args:
        images: shape (n, height, width, 3), uint8.
    Yields:
        shape (b, height, width), uint8, in the order of the images.
    """
    layer = copy.deepcopy(last_layer(model)).requires_grad_(False)  # the network keeps its gradients to itself
    hooks = _Scores(_FromShares(layer), "share", register_forward=True, register_backward=True)
    cam = GradCAMpp(hooks, "share")  # type: ignore[arg-type]  # MONAI takes a wrapped network, too
    with evaluating(model):
        for inputs in _inputs(images, compute):
            with autocast(compute.device, compute.precision):
                features = last_features(model, inputs)
            features = features.float().contiguous().requires_grad_()
            if isinstance(layer, ClassificationHead):
                with torch.no_grad():
                    classes = layer(features).argmax(dim=1)
            else:
                classes = torch.ones(len(features), dtype=torch.int64, device=features.device)
            heat = cam.compute_map(features, class_idx=classes)
            yield scale_heat(heat.detach().squeeze(1).cpu().numpy())


class _Share(nn.Module):
    """Features, each divided by the number of pixels."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features / (features.shape[2] * features.shape[3])


class _FromShares(nn.Module):
    """Features -> one score a class, through the share of each pixel.

    The scores are means over pixels, so their gradients are of the order of 1 / pixels, squares of which vanish beside
    the 1e-7 that MONAI adds to a denominator. Gradients by the shares are that many times larger. Grad-CAM++ maps do
    not change when features are divided by a number and gradients multiplied by it.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.share, self.layer = _Share(), layer

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        logits = self.layer(self.share(features) * (features.shape[2] * features.shape[3]))
        return logits if logits.ndim == 2 else logits.mean(dim=(2, 3))


class _Scores(ModelWithHooks):
    """MONAI's hooks, for batches: the score of each image's own class, so shaped that images do not mix."""

    def class_score(self, logits: torch.Tensor, class_idx: Any) -> torch.Tensor:
        """Logits (b, n_classes) and classes (b,), int64 -> scores (b, 1, 1, 1).

        Their exponential is a factor of the whole map, which stretching takes away: it is kept at 1, where it cannot
        overflow.
        """
        scores = logits.gather(1, class_idx.view(-1, 1))
        return (scores - scores.detach())[:, :, None, None]


def _inputs(images: np.ndarray, compute: Compute) -> Iterator[torch.Tensor]:
    return evaluation_batches(images, compute.eval_batch_size, compute.device, compute.channels_last)
