"""Training and fine-tuning a localization network (paper B, section 3): what it adds to `prunecxr.loop`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import recall_score
from torch import nn

from prunecxr.evaluation.predict import predict_outputs
from prunecxr.evaluation.regions.masks import foreground
from prunecxr.evaluation.regions.scores import score_images, split_scores
from prunecxr.hardware import Compute
from prunecxr.learning.loop import Batches, EpochRecord, Learning
from prunecxr.studies.localization.losses import Loss


@dataclass(frozen=True, kw_only=True)
class SegmentationEpoch(EpochRecord):
    """Scores of the validation images: means over images (`prunecxr.evaluation.regions.scores`)."""

    val_loss: float
    val_background: float
    val_foreground: float
    val_mean: float
    val_dice: float


@dataclass(frozen=True, kw_only=True)
class ClassificationEpoch(EpochRecord):
    """Scores of the validation images: the share that is told right, and its mean over the classes that occur."""

    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float


@dataclass(frozen=True)
class Examples:
    """Images and what is to be learnt of them.

    Attributes:
        images: shape (n, height, width, 3), uint8.
        targets: masks, shape (n, height, width), 0/1; or classes, shape (n,), whole numbers.
    """

    images: np.ndarray
    targets: np.ndarray


def segmentation(batches: Batches, val: Examples, loss: Loss, compute: Compute) -> Learning[SegmentationEpoch]:
    """Training for masks, validated on images and masks."""
    images, masks = val.images, val.targets

    def validate(model: nn.Module) -> dict[str, float]:
        losses, tables = [], []
        for logits, rows in _with_rows(predict_outputs(model, images, compute)):
            truth = np.asarray(masks[rows])
            losses.append(float(loss(logits, _targets(truth, compute))) * len(truth))
            tables.append(score_images(foreground(logits), truth))
        scores = split_scores(pd.concat(tables))
        return {"val_loss": sum(losses) / len(images), **{f"val_{name}": value for name, value in scores.items()}}

    return Learning(
        batches=batches,
        loss=loss,
        validate=validate,
        record=SegmentationEpoch,
        value=_last,
        summary=lambda epoch: f"val IoU {epoch.val_foreground:.3f}, {epoch.val_background:.3f} background",
    )


def classification(batches: Batches, val: Examples, loss: Loss, compute: Compute) -> Learning[ClassificationEpoch]:
    """Training for classes, validated on images and classes (whole numbers)."""
    images, classes = val.images, val.targets

    def validate(model: nn.Module) -> dict[str, float]:
        logits = torch.cat(list(predict_outputs(model, images, compute)))
        told = logits.argmax(dim=1).cpu().numpy()
        occurring = np.unique(classes)
        recall = recall_score(classes, told, labels=occurring, average="macro", zero_division=0.0)
        return {
            "val_loss": float(loss(logits, _targets(classes, compute))),
            "val_accuracy": float((told == classes).mean()),
            "val_balanced_accuracy": float(recall),
        }

    return Learning(
        batches=batches,
        loss=loss,
        validate=validate,
        record=ClassificationEpoch,
        value=_last,
        summary=lambda epoch: f"val accuracy {epoch.val_accuracy:.3f}, balanced {epoch.val_balanced_accuracy:.3f}",
    )


def _last(epoch: EpochRecord) -> float:
    """Each epoch is better than the one before: paper B has no early stopping."""
    return float(epoch.epoch)


def _with_rows(batches: Iterable[torch.Tensor]) -> Iterator[tuple[torch.Tensor, slice]]:
    """Batches, each with the rows that it is of the whole."""
    start = 0
    for batch in batches:
        yield batch, slice(start, start + len(batch))
        start += len(batch)


def _targets(values: np.ndarray, compute: Compute) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(compute.device)
