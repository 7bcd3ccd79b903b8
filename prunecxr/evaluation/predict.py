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

Forward = Callable[[torch.Tensor], torch.Tensor]


def predict_outputs(
    model: nn.Module,
    pixels: np.ndarray,
    compute: Compute,
    forward: Forward | None = None,
    advance: Callable[[int], Any] | None = None,
) -> Iterator[torch.Tensor]:
    """What a network says of every image, batch by batch, in eval mode and without augmentation.

    Args:
        model: on the device of `compute`; its mode is restored.
        pixels: gray, shape (n, height, width), or colour, shape (n, height, width, 3); uint8.
        forward: another form of the network (see engines.py).
        advance: called with the number of images after each batch.
    Yields:
        outputs of a batch, float32, on the device.
    """
    with evaluating(model):
        for inputs in evaluation_batches(pixels, compute.eval_batch_size, compute.device, compute.channels_last):
            with torch.inference_mode(), autocast(compute.device, compute.precision):
                outputs = (forward or model)(inputs).float()
            yield outputs
            if advance:
                advance(len(inputs))


def predict_logits(
    model: nn.Module,
    pixels: np.ndarray,
    compute: Compute,
    forward: Forward | None = None,
    advance: Callable[[int], Any] | None = None,
) -> torch.Tensor:
    """All outputs of a classifier, shape (n, n_classes), float32, on the CPU; arguments as of `predict_outputs`."""
    return torch.cat(list(predict_outputs(model, pixels, compute, forward, advance))).cpu()


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
