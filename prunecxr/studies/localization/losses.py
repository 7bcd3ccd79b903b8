"""Training losses of localization, for outputs (b, n_classes, ...) and whole-number targets (b, ...)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from prunecxr.learning.losses import Loss as Loss
from prunecxr.learning.losses import focused


def cross_entropy(weights: Tensor | None = None) -> Loss:
    """Cross-entropy, its mean over pixels (or images); with weights, one a class, paper B's equation 3.

    (The equation's 'exp of the sum' is a misprint for the sum of exponentials.)
    """
    return lambda outputs, targets: functional.cross_entropy(outputs, targets, weight=weights)


def focal(gamma: float) -> Loss:
    """Focal loss: what is told well already counts less (Lin et al., ICCV 2017, equation 4; baseline 3)."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        entropy = functional.cross_entropy(outputs, targets, reduction="none")
        return focused(entropy, gamma).mean()

    return loss


def balanced_weights(targets: np.ndarray, n_classes: int) -> Tensor:
    """A weight for every class, so that each has the same weight in all: total / (n_classes * count), float32.

    Args:
        targets: masks (n, height, width) or classes (n,), whole numbers; read an image at a time.
    Returns:
        shape (n_classes,); 1 for a class that does not occur.
    """
    counts = np.zeros(n_classes, dtype=np.int64)
    for target in targets:
        counts += np.bincount(np.ravel(target), minlength=n_classes)
    weights = np.divide(counts.sum(), n_classes * counts, out=np.ones(n_classes), where=counts > 0)
    return torch.as_tensor(weights, dtype=torch.float32)
