"""Cached lesions -> normalised batches on the device, image and mask turned and mirrored alike."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from prunecxr.data.batches import batch_starts, load_colour, rigid_grid, shuffled, to_input


class LesionBatches:
    """One epoch of training data after the other; order and augmentation follow from (seed, epoch) alone.

    So a continued training sees the batches that an uninterrupted one would have seen.
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        *,
        batch_size: int,
        flip: bool,
        rotation: float,
        device: torch.device,
        channels_last: bool,
        index: Sequence[int] | np.ndarray | None = None,
    ) -> None:
        """Args:
        images: (n, height, width, 3) uint8.
        targets: masks (n, height, width) 0/1, which move with their image, or classes (n,), whole numbers.
        flip: random flips from left to right and from top to bottom.
        rotation: largest angle, degrees; 180 turns to every side.
        index: the images to train on, such as the HTLs; None: all. One that stands twice counts twice.
        """
        self.images, self.targets = images, targets
        self.index = np.arange(len(images)) if index is None else np.sort(np.asarray(index, dtype=np.int64))
        self.n_drawn = len(self.index)
        self.batch_size, self.flip, self.rotation = batch_size, flip, rotation
        self.device, self.channels_last = device, channels_last

    def drawing(self, per_epoch: int) -> Self:
        """The same, of which every epoch shows that many (or all), drawn anew without replacement."""
        fewer = copy.copy(self)
        fewer.n_drawn = min(per_epoch, len(self.index))
        return fewer

    @property
    def n_images(self) -> int:
        """Images per epoch."""
        return self.n_drawn

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(batch_starts(self.n_drawn, self.batch_size))

    def epoch(self, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled, augmented batches: inputs (b, 3, height, width) float32; masks (b, height, width) or classes (b,),
        int64."""
        generator = torch.Generator().manual_seed(seed)
        index = self._drawn(generator)
        for chosen in shuffled(len(index), self.batch_size, generator):
            at = index[chosen]
            images = load_colour(self.images[at], self.device)
            targets = torch.from_numpy(np.asarray(self.targets[at], dtype=np.int64)).to(self.device, non_blocking=True)
            masks = targets if targets.ndim == 3 else None
            images, masks = augment_pairs(images, masks, self.flip, self.rotation, generator)
            yield to_input(images, self.channels_last), targets if masks is None else masks

    def _drawn(self, generator: torch.Generator) -> np.ndarray:
        """The images of one epoch, rising; nothing is drawn where these are all of them."""
        if self.n_drawn == len(self.index):
            return self.index
        return np.sort(self.index[torch.randperm(len(self.index), generator=generator)[: self.n_drawn].numpy()])


def augment_pairs(
    images: torch.Tensor, masks: torch.Tensor | None, flip: bool, rotation: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Random flips and rotations of a whole batch at once, of image and mask alike (paper B, section 3).

    What turns into view from outside is the image's own reflection, in the mask too, so the two stay a pair. Images are
    interpolated, masks are not: they stay 0/1.

    Args:
        images: shape (n, 3, height, width), float.
        masks: shape (n, height, width), whole numbers; or None.
        rotation: angles are uniform in +-rotation degrees.
        generator: on the CPU, so that every device draws the same.
    """
    n, _, height, width = images.shape
    if flip:
        for axis in (-1, -2):
            mirrored = (torch.rand(n, generator=generator) < 0.5).to(images.device).view(-1, 1, 1)
            images = torch.where(mirrored.unsqueeze(1), images.flip(axis), images)
            masks = None if masks is None else torch.where(mirrored, masks.flip(axis), masks)
    if rotation:
        angle = (torch.rand(n, generator=generator) * 2 - 1) * math.radians(rotation)
        grid = rigid_grid(torch.ones(n), angle, height, width, images.device)
        images = _turned(images, grid, "bilinear")
        if masks is not None:
            turned = _turned(masks.unsqueeze(1).to(images.dtype), grid, "nearest")
            masks = turned.squeeze(1).to(torch.int64)
    return images, masks


def _turned(pixels: torch.Tensor, grid: torch.Tensor, mode: str) -> torch.Tensor:
    return functional.grid_sample(pixels, grid, mode=mode, padding_mode="reflection", align_corners=False)
