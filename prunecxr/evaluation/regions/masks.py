"""Network + images -> masks and their scores, a batch at a time: memory does not grow with the number of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
import torch

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.boxes import boxes_from_heat, fill_boxes
from prunecxr.evaluation.regions.saliency import grad_cam_heat, probability_heat
from prunecxr.evaluation.regions.scores import score_images

Advance = Callable[[int], object]
Heat = Callable[[Evaluator, np.ndarray, Advance | None], Iterator[np.ndarray]]


def segmented(evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> Iterator[np.ndarray]:
    """Masks of a segmenting network, batch by batch: (b, height, width), uint8 0/1.

    Args:
        images: shape (n, height, width, 3), uint8.
        advance: is told how many images have been evaluated.
    """
    for logits in evaluator.outputs(images, advance):
        yield foreground(logits)


def foreground(logits: torch.Tensor) -> np.ndarray:
    """Logits (b, 2, height, width) of a segmenting network as masks (b, height, width), uint8 0/1."""
    return (logits[:, 1] > logits[:, 0]).to(torch.uint8).cpu().numpy()


def boxed(evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> Iterator[np.ndarray]:
    """Masks of a network that was trained on classes alone, batch by batch: the insides of its Grad-CAM++ boxes."""
    for heat in grad_cam(evaluator, images, advance):
        yield fill_boxes(boxes_from_heat(heat), *heat.shape[1:])


def predict_boxes(evaluator: Evaluator, images: np.ndarray, heat: str, advance: Advance | None = None) -> np.ndarray:
    """Bounding boxes, shape (n, 4), from heat maps of that name in `HEAT`."""
    return np.concatenate([boxes_from_heat(maps) for maps in HEAT[heat](evaluator, images, advance)])


def probability(evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> Iterator[np.ndarray]:
    """Heat maps of a segmenting network, batch by batch: (b, height, width), uint8."""
    for logits in evaluator.outputs(images, advance):
        yield probability_heat(logits)


def grad_cam(evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> Iterator[np.ndarray]:
    """Grad-CAM++ maps, batch by batch: (b, height, width), uint8. They need gradients: the network runs as written."""
    for heat in grad_cam_heat(evaluator.model, images, evaluator.compute):
        yield heat
        if advance is not None:
            advance(len(heat))


# Where boxes come from: the pseudo-label of a segmenting network, or Grad-CAM++ (paper B, algorithms 2 and 3).
HEAT: dict[str, Heat] = {"probability": probability, "grad_cam": grad_cam}


def score_against(predicted: Iterable[np.ndarray], truth: np.ndarray) -> pd.DataFrame:
    """Scores of single images (`score_images`), taken as the masks come.

    Args:
        predicted: masks in the order of `truth`, batch by batch.
        truth: shape (n, height, width), 0/1; a memory map is read forwards.
    """
    tables, start = [], 0
    for masks in predicted:
        tables.append(score_images(masks, truth[start : start + len(masks)]))
        start += len(masks)
    return pd.concat(tables, ignore_index=True)


def masks_of(
    learnt: str, evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None
) -> Iterator[np.ndarray]:
    """Where a network sees the lesion, batch by batch: (b, height, width), uint8 0/1.

    Args:
        learnt: `masks`, or `classes`: then the boxes of its heat maps are what it marks.
    """
    return (boxed if learnt == "classes" else segmented)(evaluator, images, advance)
