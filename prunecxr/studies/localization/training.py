"""Training and fine-tuning a localization network (paper B, section 3): what it adds to `prunecxr.loop`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import recall_score
from torch import nn

from prunecxr.hardware import Compute
from prunecxr.learning.loop import Batches, E, EpochRecord, Task, run_epochs
from prunecxr.learning.optimizers import make_optimizer, make_schedule
from prunecxr.studies.localization.losses import Loss
from prunecxr.studies.localization.predict import foreground, predict_logits
from prunecxr.studies.localization.scores import score_images, split_scores


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, or fine-tuned.

    Attributes:
        optimizer: `sgd`, `adam` or `adamw`.
        learning_rate: at the start (under `one_cycle`: the highest).
        schedule: `step`, `constant`, `cosine` or `one_cycle`.
        milestones: epochs after which `step` divides the rate by 10.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float
    momentum: float
    schedule: str
    milestones: tuple[int, ...]
    epochs: int


@dataclass(frozen=True, kw_only=True)
class SegmentationEpoch(EpochRecord):
    """Scores of the validation images: means over images (`prunecxr.studies.localization.scores`)."""

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


def segmentation(images: np.ndarray, masks: np.ndarray, loss: Loss, compute: Compute) -> Task[SegmentationEpoch]:
    """Training for masks, validated on images (n, height, width, 3) uint8 and masks (n, height, width) 0/1."""

    def validate(model: nn.Module) -> dict[str, float]:
        losses, tables = [], []
        for logits, rows in _with_rows(predict_logits(model, images, compute)):
            truth = np.asarray(masks[rows])
            losses.append(float(loss(logits, _targets(truth, compute))) * len(truth))
            tables.append(score_images(foreground(logits), truth))
        scores = split_scores(pd.concat(tables))
        return {"val_loss": sum(losses) / len(images), **{f"val_{name}": value for name, value in scores.items()}}

    return Task(
        loss=loss,
        validate=validate,
        record=SegmentationEpoch,
        value=_last,
        summary=lambda epoch: f"val IoU {epoch.val_foreground:.3f}, {epoch.val_background:.3f} background",
    )


def classification(images: np.ndarray, classes: np.ndarray, loss: Loss, compute: Compute) -> Task[ClassificationEpoch]:
    """Training for classes, validated on images (n, height, width, 3) uint8 and classes (n,), whole numbers."""

    def validate(model: nn.Module) -> dict[str, float]:
        logits = torch.cat(list(predict_logits(model, images, compute)))
        told = logits.argmax(dim=1).cpu().numpy()
        occurring = np.unique(classes)
        recall = recall_score(classes, told, labels=occurring, average="macro", zero_division=0.0)
        return {
            "val_loss": float(loss(logits, _targets(classes, compute))),
            "val_accuracy": float((told == classes).mean()),
            "val_balanced_accuracy": float(recall),
        }

    return Task(
        loss=loss,
        validate=validate,
        record=ClassificationEpoch,
        value=_last,
        summary=lambda epoch: f"val accuracy {epoch.val_accuracy:.3f}, balanced {epoch.val_balanced_accuracy:.3f}",
    )


def fit_localizer(
    model: nn.Module,
    batches: Batches,
    task: Task[E],
    recipe: Recipe,
    compute: Compute,
    *,
    seed: int,
    n_images: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[E], None] | None = None,
    desc: str = "training",
) -> list[E]:
    """Train `model` in place; it ends with the weights of the last epoch, as paper B has no early stopping.

    Args:
        model: of `build_unet`, on `compute.device`; one that was trained before is fine-tuned.
        batches: `LesionBatches`, with masks for a segmenting network, classes for one with a classification head.
        task: `segmentation` or `classification`.
        n_images: training images, for the progress bar.
        seed, checkpoint, on_epoch, desc: as in `prunecxr.learning.loop.run_epochs`.
    Returns:
        the epochs.
    Raises:
        UserError: the loss became NaN.
        EnvironmentFault: the checkpoint cannot be written or read.
    """
    optimizer = make_optimizer(model, recipe.optimizer, recipe.learning_rate, recipe.weight_decay, recipe.momentum)
    steps = len(batches)
    milestones = tuple(steps * epoch for epoch in recipe.milestones)
    return run_epochs(
        model,
        batches,
        task,
        optimizer,
        make_schedule(optimizer, recipe.schedule, steps * recipe.epochs, milestones),
        compute,
        epochs=recipe.epochs,
        patience=recipe.epochs,
        n_images=n_images,
        seed=seed,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        desc=desc,
    )


def _last(epoch: EpochRecord) -> float:
    """Each epoch is better than the one before."""
    return float(epoch.epoch)


def _with_rows(batches: Iterable[torch.Tensor]) -> Iterator[tuple[torch.Tensor, slice]]:
    """Batches, each with the rows that it is of the whole."""
    start = 0
    for batch in batches:
        yield batch, slice(start, start + len(batch))
        start += len(batch)


def _targets(values: np.ndarray, compute: Compute) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(compute.device)
