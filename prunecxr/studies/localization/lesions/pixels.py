"""Lesion images and masks, decoded once and kept as memory-mapped bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prunecxr.data.cache import Stored, cache_images
from prunecxr.data.images import resize
from prunecxr.studies.localization.lesions.dataset import LesionSplit

INTERPOLATION = "bilinear"


@dataclass(frozen=True)
class LesionPixels:
    """The images and masks of one split, resized to squares.

    Attributes:
        images: read-only memory map, shape (n, size, size, 3), uint8 RGB.
        masks: read-only memory map, shape (n, size, size), uint8 0/1; None: the images have no masks.
        fingerprint: SHA-256 of ids, images and masks, hexadecimal: the same wherever the files lie.
    """

    images: np.ndarray
    masks: np.ndarray | None
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)


def resize_mask(mask: np.ndarray, size: int, interpolation: str = "box") -> np.ndarray:
    """A mask on a square grid: a pixel is lesion where at least half of its area is.

    Args:
        mask: shape (height, width), uint8 0/1.
        size: side of the square, pixels.
        interpolation: how areas are measured; `box` counts pixels when it shrinks.
    Returns:
        Shape (size, size), uint8 0/1.
    """
    if mask.shape == (size, size):
        return mask
    area = resize(mask * np.uint8(255), size, interpolation)
    return (area >= 128).astype(np.uint8)


RGB = Stored("rgb", (3,), resize)
MASK = Stored("mask", (), lambda mask, size, _: resize_mask(mask, size), noun="masks")


def cache_lesions(split: LesionSplit, size: int, folder: Path, workers: int = 0, desc: str = "") -> LesionPixels:
    """Decode and resize all images and masks of a split, or find that this was done before.

    An interrupted build continues; see `prunecxr.data.cache.cache_images`.

    Args:
        split: what to decode.
        size: side of the square, pixels; the aspect ratio is not kept.
        folder: where caches are kept; made if need be. They take n * size**2 * 4 bytes.
        workers: decoding threads; 0: one a CPU.
        desc: what the progress bar says, such as `train`.

    Raises:
        UserError: files that cannot be decoded, masks that are none or do not fit their image; all were tried.
        EnvironmentFault: the cache cannot be written.
    """
    images = cache_images(
        split.images, size, INTERPOLATION, folder, workers=workers, desc=f"{desc} images".strip(), stored=RGB
    )
    if split.masks is None:
        return LesionPixels(images.pixels, None, images.fingerprint)
    masks = cache_images(split.masks, size, "box", folder, workers=workers, desc=f"{desc} masks".strip(), stored=MASK)
    both = hashlib.sha256(f"{images.fingerprint} {masks.fingerprint}".encode()).hexdigest()
    return LesionPixels(images.pixels, masks.pixels, both)


def mask_warnings(name: str, pixels: LesionPixels) -> tuple[str, ...]:
    """Say how many masks of a split are empty, or full: no lesion, or nothing but lesion, is mostly a mistake."""
    if pixels.masks is None:
        return ()
    shares = np.array([mask.mean() for mask in pixels.masks])
    found = {"empty": int((shares == 0).sum()), "full": int((shares == 1).sum())}
    return tuple(
        f"{count} of {len(shares)} masks of the {name} split are {what}" for what, count in found.items() if count
    )
