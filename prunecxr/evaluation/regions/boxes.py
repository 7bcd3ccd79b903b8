"""Heat maps -> bounding boxes, and how far two boxes agree. Knows no torch.

A box is (top, left, bottom, right) in pixels, half-open; (0, 0, 0, 0) is the empty box.
"""

from __future__ import annotations

import numpy as np
from skimage.measure import label, regionprops

THRESHOLD = 180  # paper B, 'Additional implementation utility details': of intensities 0..255


def scale_heat(heat: np.ndarray) -> np.ndarray:
    """Every map stretched to 0..255, shape (n, height, width), uint8; a constant one, which shows no place, is 0.

    Args:
        heat: shape (n, height, width), finite.
    """
    low = heat.min(axis=(1, 2), keepdims=True)
    span = heat.max(axis=(1, 2), keepdims=True) - low
    shares = np.divide(heat - low, span, out=np.zeros(heat.shape), where=span > 0)
    return np.round(255 * shares).astype(np.uint8)


def largest_component(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Box around the largest 8-connected component (the first in reading order among equals); empty for no component.

    Args:
        mask: shape (height, width), bool.
    """
    parts = label(mask, connectivity=2)
    sizes = np.bincount(parts.ravel())[1:]
    if not len(sizes):
        return 0, 0, 0, 0
    (region,) = regionprops((parts == sizes.argmax() + 1).astype(np.uint8))
    return region.bbox


def boxes_from_heat(heat: np.ndarray, threshold: int = THRESHOLD) -> np.ndarray:
    """Box of the largest component above the threshold in every map, shape (n, 4), int64; empty where nothing is.

    Args:
        heat: shape (n, height, width), uint8.
    """
    return np.array([largest_component(image > threshold) for image in heat], dtype=np.int64).reshape(-1, 4)


def box_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, pair by pair: 1 for two empty boxes, 0 for one.

    Args:
        one, other: shape (n, 4).
    Returns:
        shape (n,), float64.
    """
    one, other = np.asarray(one, dtype=np.int64), np.asarray(other, dtype=np.int64)
    common = np.concatenate([np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])], axis=1)
    both = _areas(common)
    union = _areas(one) + _areas(other) - both
    return np.divide(both, union, out=np.ones(len(one)), where=union > 0)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)


def fill_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The boxes as masks, shape (n, height, width), uint8 0/1."""
    masks = np.zeros((len(boxes), height, width), dtype=np.uint8)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 1
    return masks
