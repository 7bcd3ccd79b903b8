"""Cached gray pixels -> augmented, normalised batches on the device."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

# Means and standard deviations of ImageNet's colour channels: what pretrained backbones expect (paper A, table 1).
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def to_input(images: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """Gray or RGB images in 0..1, shape (n, 1 or 3, height, width), as normalised input, (n, 3, height, width)."""
    mean = images.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return ((images - mean) / std).contiguous(memory_format=layout)


def load_gray(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 pixels, shape (n, height, width), as floats in 0..1 on the device, shape (n, 1, height, width)."""
    tensor = torch.from_numpy(np.array(pixels))  # a copy: the cache is a read-only memory map
    return tensor.to(device, non_blocking=True).unsqueeze(1).to(torch.float32).div_(255)


def load_colour(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 pixels, shape (n, height, width, 3), as floats in 0..1 on the device, shape (n, 3, height, width)."""
    tensor = torch.from_numpy(np.array(pixels))  # a copy: the cache is a read-only memory map
    return tensor.to(device, non_blocking=True).permute(0, 3, 1, 2).to(torch.float32).div_(255)


def evaluation_batches(
    pixels: np.ndarray, batch_size: int, device: torch.device, channels_last: bool
) -> Iterator[torch.Tensor]:
    """Inputs in the order of the pixels, not augmented.

    Args:
        pixels: gray, shape (n, height, width), or colour, shape (n, height, width, 3); uint8.
    Yields:
        inputs, shape (at most batch_size, 3, height, width).
    """
    load = load_gray if pixels.ndim == 3 else load_colour
    for start in range(0, len(pixels), batch_size):
        yield to_input(load(pixels[start : start + batch_size], device), channels_last)


def batch_starts(n: int, batch_size: int) -> list[int]:
    """Where the batches of n images begin."""
    starts = list(range(0, n, batch_size))
    # Batch norm cannot train on a single image: a lone last one joins the batch before it.
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return starts


def shuffled(n: int, batch_size: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """The indices 0..n-1 in random batches, each ascending: a memory map is read forwards."""
    order = torch.randperm(n, generator=generator).numpy()
    starts = batch_starts(n, batch_size)
    for start, end in zip(starts, [*starts[1:], n], strict=True):
        yield np.sort(order[start:end])


class TrainingBatches:
    """One epoch of training data after the other; order and augmentation follow from (seed, epoch) alone.

    So a continued training sees the batches that an uninterrupted one would have seen.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        *,
        batch_size: int,
        flip: bool,
        rotation: float,
        device: torch.device,
        channels_last: bool,
    ) -> None:
        """Args: pixels: (n, height, width) uint8; labels: (n, n_classes) 0/1; rotation: largest angle, degrees."""
        self.pixels = pixels
        self.labels = torch.from_numpy(np.ascontiguousarray(labels, dtype=np.float32))
        self.batch_size, self.flip, self.rotation = batch_size, flip, rotation
        self.device, self.channels_last = device, channels_last

    @property
    def n_images(self) -> int:
        """Images per epoch."""
        return len(self.pixels)

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(batch_starts(len(self.pixels), self.batch_size))

    def epoch(self, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled, augmented batches: inputs (b, 3, height, width) and labels (b, n_classes), float32."""
        generator = torch.Generator().manual_seed(seed)
        for index in shuffled(len(self.pixels), self.batch_size, generator):
            gray = augment(load_gray(self.pixels[index], self.device), self.flip, self.rotation, generator)
            yield to_input(gray, self.channels_last), self.labels[index].to(self.device, non_blocking=True)


def augment(gray: torch.Tensor, flip: bool, rotation: float, generator: torch.Generator) -> torch.Tensor:
    """Random horizontal flips and rotations of a whole batch at once (paper A, table 1).

    Args:
        gray: shape (n, 1, height, width); what turns into view from outside is black.
        rotation: angles are uniform in +-rotation degrees.
        generator: on the CPU, so that every device draws the same.
    """
    n, _, height, width = gray.shape
    mirror = torch.ones(n)
    if flip:
        mirror -= 2 * (torch.rand(n, generator=generator) < 0.5).float()
    if not rotation:
        return torch.where(mirror.to(gray.device).view(-1, 1, 1, 1) < 0, gray.flip(-1), gray)
    angle = (torch.rand(n, generator=generator) * 2 - 1) * math.radians(rotation)
    grid = rigid_grid(mirror, angle, height, width, gray.device)
    return functional.grid_sample(gray, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def rigid_grid(
    mirror: torch.Tensor, angle: torch.Tensor, height: int, width: int, device: torch.device
) -> torch.Tensor:
    """Where each pixel of the turned images comes from, shape (n, height, width, 2), for `grid_sample`.

    Args:
        mirror: 1 or -1 (mirrored from left to right), shape (n,).
        angle: radians, shape (n,); both on the CPU.
    """
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(len(angle))
    # The grid's axes run from -1 to 1 whatever the image's shape: the ratio keeps the rotation rigid.
    rows = [mirror * cos, mirror * -sin * height / width, zero, sin * width / height, cos, zero]
    theta = torch.stack(rows, dim=1).view(-1, 2, 3).to(device)
    return functional.affine_grid(theta, [len(angle), 1, height, width], align_corners=False)
