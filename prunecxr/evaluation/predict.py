"""Model + pixels -> probabilities."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from prunecxr.data.batches import evaluation_batches
from prunecxr.hardware import autocast


@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    pixels: np.ndarray,
    *,
    device: torch.device,
    precision: str,
    batch_size: int,
    channels_last: bool,
) -> torch.Tensor:
    """Logits of every image, in eval mode and without augmentation; the model's mode is restored.

    Args:
        model: network with n_classes outputs, on `device`.
        pixels: shape (n, height, width), uint8.
        precision: `fp32` or `bf16`.
    Returns:
        shape (n, n_classes), float32, on the CPU.
    """
    training = model.training
    model.eval()
    logits = []
    with autocast(device, precision):
        for inputs in evaluation_batches(pixels, batch_size, device, channels_last):
            logits.append(model(inputs).float())
    model.train(training)
    return torch.cat(logits).cpu()


def probabilities(logits: torch.Tensor) -> np.ndarray:
    """Sigmoid of the logits, shape (n, n_classes), float32."""
    return torch.sigmoid(logits).numpy()
