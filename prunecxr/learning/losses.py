"""Training losses of multi-label classifiers: `LOSSES`, name -> function of logits, labels and class weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FOCUS = 2.0  # gamma of the focal loss, the value its authors recommend


def bce(logits: Tensor, labels: Tensor, positive_weights: Tensor) -> Tensor:  # noqa: ARG001
    """Binary cross-entropy, as paper A trains with."""
    return functional.binary_cross_entropy_with_logits(logits, labels)


def weighted_bce(logits: Tensor, labels: Tensor, positive_weights: Tensor) -> Tensor:
    """Binary cross-entropy in which the positives of a class weigh as much as its negatives.

    Wang et al., ChestX-ray8, CVPR 2017, section 3.2, per class and scaled so that negatives weigh 1.
    """
    return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=positive_weights)


def focal(logits: Tensor, labels: Tensor, positive_weights: Tensor) -> Tensor:  # noqa: ARG001
    """Focal loss: what is told well already counts less (Lin et al., ICCV 2017, equation 4)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return ((1 - torch.exp(-entropy)) ** FOCUS * entropy).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "bce": bce,
    "weighted_bce": weighted_bce,
    "focal": focal,
}


def make_loss(name: str, labels: np.ndarray, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of that name for a training split.

    Args:
        labels: 0/1 of all training images, shape (n, n_classes).
    Returns:
        function of logits and labels, both (b, n_classes) float32, to a scalar: the mean over images and classes.
    """
    positives = np.asarray(labels, dtype=np.float64).sum(axis=0)
    negatives = len(labels) - positives
    # A class without positives, or without negatives, has nothing to weigh.
    weights = np.where((positives > 0) & (negatives > 0), negatives / np.maximum(positives, 1), 1.0)
    of_classes = torch.as_tensor(weights, dtype=torch.float32, device=device)
    chosen = LOSSES[name]
    return lambda logits, truth: chosen(logits, truth, of_classes)
