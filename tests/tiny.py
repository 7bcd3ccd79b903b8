"""A network and images small enough for unit tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from prunecxr.hardware import Compute
from prunecxr.learning.classification import Images

CPU = Compute(torch.device("cpu"), "fp32", True, 16)

needs_bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN computes bf16 on CPUs with AVX512 alone"
)


def network(n_classes: int = 3, seed: int = 0) -> nn.Module:
    """Two convolutions with batch norm and dropout, and a head: every kind of layer that matters to pruning."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, n_classes),
    )


def bright_squares(n: int = 60, size: int = 12, seed: int = 0) -> Images:
    """Noise, in which each of three classes brightens its own corner: learnable in a few epochs."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 3)) < 0.4).astype(np.uint8)
    pixels = rng.integers(0, 80, (n, size, size))
    half = size // 2
    corners = [
        (slice(0, half), slice(0, half)),
        (slice(0, half), slice(half, size)),
        (slice(half, size), slice(0, half)),
    ]
    for image, row in zip(pixels, labels, strict=True):
        for positive, corner in zip(row, corners, strict=True):
            image[corner] += 100 * int(positive)
    return Images(pixels.astype(np.uint8), labels)
