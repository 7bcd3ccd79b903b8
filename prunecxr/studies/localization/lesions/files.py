"""Files of lesion images and their masks, and how they become pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from prunecxr.data.decoding import UndecodableImage, decoding
from prunecxr.data.folders import FolderImages
from prunecxr.data.images import scaled_16_bit

SUFFIXES = (".png", ".jpg", ".jpeg")
# What compression or resizing leaves of black and white: many gray levels, few pixels of them in between.
FEW_LEVELS, NEAR = 4, 16
BETWEEN, MOST_BETWEEN = slice(64, 192), 0.1


@dataclass(frozen=True)
class LesionImages(FolderImages):
    """Colour image files below one folder."""

    def read(self, index: int) -> np.ndarray:
        """RGB pixels, shape (height, width, 3), uint8: `decode_rgb`."""
        return decode_rgb(self.root / self.files[index])


@dataclass(frozen=True)
class LesionMasks(FolderImages):
    """Mask files below one folder.

    Attributes:
        images: the images that they belong to, in the same order.
    """

    images: LesionImages

    def read(self, index: int) -> np.ndarray:
        """The lesion, shape (height, width), uint8 0/1: `decode_mask`.

        Raises:
            UndecodableImage: it is no mask, or has not the size of its image.
        """
        path, image = self.root / self.files[index], self.images.root / self.images.files[index]
        mask = decode_mask(path)
        with decoding(image, "PNG or JPEG"), Image.open(image, formats=("PNG", "JPEG")) as header:
            width, height = header.size
        if mask.shape != (height, width):
            raise UndecodableImage(
                f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels, but its image {image} has {width} x {height}"
            )
        return mask


def decode_rgb(path: Path) -> np.ndarray:
    """Decode a PNG or JPEG file to colours, shape (height, width, 3), uint8.

    Gray becomes three equal channels, palettes their colours; an alpha channel is ignored, and so are orientation tags
    (masks are drawn on the pixels as they are stored).

    Raises:
        UndecodableImage: the file is missing, damaged, or of another kind.
    """
    with decoding(path, "PNG or JPEG"), Image.open(path, formats=("PNG", "JPEG")) as image:
        if image.mode.startswith("I"):
            return np.repeat(scaled_16_bit(np.asarray(image))[:, :, None], 3, axis=2)
        if image.mode in ("P", "PA"):
            return np.asarray(image.convert("RGBA").convert("RGB"))  # Pillow warns of other ways
        return np.asarray(image.convert("RGB"))


def decode_mask(path: Path) -> np.ndarray:
    """Decode a PNG or JPEG file to a lesion mask, shape (height, width), uint8 0/1.

    A mask has two gray levels, of which the lower one is 0 (0 and 255, 0 and 1, ...), or is all 0 or all 255. One that
    was compressed or resized, with nearly all pixels nearly black or nearly white, is cut at 128.

    Raises:
        UndecodableImage: the file is missing, damaged, of another kind, or no mask.
    """
    with decoding(path, "PNG or JPEG"), Image.open(path, formats=("PNG", "JPEG")) as image:
        if image.mode.startswith("I"):
            gray = scaled_16_bit(np.asarray(image))
        elif image.mode in ("LA", "La"):
            gray = np.asarray(image.getchannel("L"))
        elif image.mode in ("P", "PA"):
            gray = np.asarray(image.convert("RGBA").convert("L"))
        else:
            gray = np.asarray(image.convert("L"))
    counts = np.bincount(gray.ravel(), minlength=256)
    levels = np.flatnonzero(counts)
    if levels[0] == 0 and len(levels) <= 2:
        return (gray > 0).astype(np.uint8)
    if len(levels) <= FEW_LEVELS:
        cut = levels[-1] >= 255 - NEAR and all(level <= NEAR or level >= 255 - NEAR for level in levels)
    else:
        cut = levels[-1] >= BETWEEN.stop and counts[BETWEEN].sum() <= MOST_BETWEEN * gray.size
    if not cut:
        shown = ", ".join(map(str, levels[:4])) + (", ..." if len(levels) > 4 else "")
        raise UndecodableImage(
            f"{path}: no mask: {len(levels)} gray level{'s' * (len(levels) > 1)} ({shown}); a mask has two, 0 outside "
            "and 255 (or 1) inside the lesion"
        )
    return (gray >= 128).astype(np.uint8)
