"""Model + pixels -> probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from prunecxr.data.batches import evaluation_batches
from prunecxr.hardware import Compute, autocast


@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    pixels: np.ndarray,
    compute: Compute,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
    advance: Callable[[int], Any] | None = None,
) -> torch.Tensor:
    """Logits of every image, in eval mode and without augmentation; the model's mode is restored.

    Args:
        model: network with n_classes outputs, on the device of `compute`.
        pixels: shape (n, height, width), uint8.
        forward: another form of the network (see engines.py).
        advance: called with the number of images after each batch.
    Returns:
        shape (n, n_classes), float32, on the CPU.
    """
    training = model.training
    model.eval()
    logits: list[torch.Tensor] = []
    with autocast(compute.device, compute.precision):
        for inputs in evaluation_batches(pixels, compute.eval_batch_size, compute.device, compute.channels_last):
            logits.append((forward or model)(inputs).float())
            if advance:
                advance(len(inputs))
    model.train(training)
    return torch.cat(logits).cpu()


def probabilities(logits: torch.Tensor) -> np.ndarray:
    """Sigmoid of the logits, shape (n, n_classes), float32."""
    return torch.sigmoid(logits).numpy()
