"""Training losses of multi-label classifiers: `LOSSES`, name -> function of the training split's class counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FOCUS = 2.0  # gamma of the focal loss, the value its authors recommend


@dataclass(frozen=True)
class ClassCounts:
    """How often the classes of a training split occur.

    Attributes:
        positives: images with the class, shape (n_classes,), float64.
        n_images: of the split.
        device: where the loss will be computed.
    """

    positives: np.ndarray
    n_images: int
    device: torch.device

    def per_class(self, values: np.ndarray) -> Tensor:
        """Numbers that belong to the classes, shape (n_classes,), as float32 on the device."""
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)


Loss = Callable[[Tensor, Tensor], Tensor]  # logits and labels, (b, n_classes) float32 -> mean over images and classes


def bce(counts: ClassCounts) -> Loss:  # noqa: ARG001 (every class counts as it comes)
    """Binary cross-entropy, as paper A trains with."""
    return functional.binary_cross_entropy_with_logits


def weighted_bce(counts: ClassCounts) -> Loss:
    """Binary cross-entropy in which the positives of a class weigh as much as its negatives.

    Wang et al., ChestX-ray8, CVPR 2017, section 3.2, per class and scaled so that negatives weigh 1.
    """
    positives, negatives = counts.positives, counts.n_images - counts.positives
    # A class without positives, or without negatives, has nothing to weigh.
    weights = np.where((positives > 0) & (negatives > 0), negatives / np.maximum(positives, 1), 1.0)
    return partial(functional.binary_cross_entropy_with_logits, pos_weight=counts.per_class(weights))


def focal(counts: ClassCounts) -> Loss:  # noqa: ARG001
    """Focal loss: what is told well already counts less (Lin et al., ICCV 2017, equation 4)."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return focused(entropy, FOCUS).mean()

    return loss


LOSSES: dict[str, Callable[[ClassCounts], Loss]] = {"bce": bce, "weighted_bce": weighted_bce, "focal": focal}


def focused(entropy: Tensor, gamma: float) -> Tensor:
    """Cross-entropies times (1 - p)^gamma, p being the probability given to what is true.

    Where p rounds to 1 the power has no finite derivative for gamma below 1, though the product has (0): the base
    stops just above 0, where the two are equal in float32.
    """
    missed = (1 - torch.exp(-entropy)).clamp_min(torch.finfo(entropy.dtype).tiny)
    return missed**gamma * entropy


def make_loss(name: str, labels: np.ndarray, device: torch.device) -> Loss:
    """The loss of that name for a training split.

    Args:
        labels: 0/1 of all training images, shape (n, n_classes).
    """
    return LOSSES[name](ClassCounts(np.asarray(labels, dtype=np.float64).sum(axis=0), len(labels), device))
