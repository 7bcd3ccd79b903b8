"""Model + pixels -> probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from prunecxr.data.batches import evaluation_batches
from prunecxr.hardware import Compute, autocast
from prunecxr.networks.prunable import evaluating, output_layer


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
    logits: list[torch.Tensor] = []
    with evaluating(model), autocast(compute.device, compute.precision):
        for inputs in evaluation_batches(pixels, compute.eval_batch_size, compute.device, compute.channels_last):
            logits.append((forward or model)(inputs).float())
            if advance:
                advance(len(inputs))
    return torch.cat(logits).cpu()


@contextmanager
def outputs_in_fp32(model: nn.Module) -> Iterator[None]:
    """Compute the network's last linear layer in fp32, autocast or not, while the block lasts.

    A bf16 logit has 8 significant bits: images tie that fp32 tells apart, which lowers a rare class's average precision
    (docs/performance.md). The layer takes no time worth saving.
    """
    head = output_layer(model)
    if not isinstance(head, nn.Linear):
        yield
        return

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            return functional.linear(inputs.float(), head.weight, head.bias)

    vars(head)["forward"] = forward  # of this layer alone; it stays an nn.Linear to whoever looks
    try:
        yield
    finally:
        del vars(head)["forward"]


def probabilities(logits: torch.Tensor) -> np.ndarray:
    """Sigmoid of the logits, shape (n, n_classes), float32."""
    return torch.sigmoid(logits).numpy()
