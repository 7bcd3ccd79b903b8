"""One image as a row of pictures: the image, then the image with each outline in its colour. Knows no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from skimage.segmentation import mark_boundaries

SIDE = 160  # pixels of each picture
GAP = 4
# Okabe and Ito's yellow for the truth, blue for the dense network, vermilion for the pruned one.
COLOURS = {"mask": (0xF0, 0xE4, 0x42), "dense": (0x00, 0x72, 0xB2), "pruned": (0xD5, 0x5E, 0x00)}


def tile(image: np.ndarray, outlines: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    """The row of pictures.

    Args:
        image: (size, size, 3) uint8.
        outlines: of a name in `COLOURS` each, with a mask (size, size) 0/1.
    """
    large = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    row = [large]
    for name, mask in outlines:
        region = np.asarray(Image.fromarray(np.uint8(mask)).resize((SIDE, SIDE), Image.Resampling.NEAREST))
        marked = mark_boundaries(large, region, color=np.array(COLOURS[name]) / 255, mode="thick")
        row.append(np.round(255 * marked).astype(np.uint8))
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([part for picture in row for part in (picture, gap)][:-1], axis=1))
