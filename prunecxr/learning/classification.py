"""Training one classifier (paper A): its loss, its scores on the validation images, what early stopping watches."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from prunecxr.data.batches import TrainingBatches
from prunecxr.errors import Diverged, UserError
from prunecxr.evaluation.metrics import class_scores, mean_scores
from prunecxr.evaluation.predict import outputs_in_fp32, predict_logits, probabilities
from prunecxr.hardware import Compute
from prunecxr.learning.loop import EpochRecord, Learning, Session, run_epochs
from prunecxr.learning.losses import make_loss
from prunecxr.learning.optimizers import Recipe

if TYPE_CHECKING:  # the numeric core runs where pydantic is not installed
    from prunecxr.options.sections import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class Epoch(EpochRecord):
    """What one epoch came to. Losses are means over images; the scores are means over the classes that have them."""

    val_loss: float
    val_mean_ap: float
    val_mean_auroc: float


@dataclass(frozen=True)
class Images:
    """Pixels and labels of a split, in one order: (n, height, width) uint8 and (n, n_classes) 0/1."""

    pixels: np.ndarray
    labels: np.ndarray


def fit(
    model: nn.Module,
    train: Images,
    val: Images,
    options: TrainingOptions,
    compute: Compute,
    session: Session[Epoch],
    *,
    validated_in_fp32: bool = True,
) -> list[Epoch]:
    """Train `model` in place and leave it with the weights of its best epoch (paper A, section 2.2 and table 1).

    Args:
        model: network with n_classes outputs (logits), on `compute.device`.
        validated_in_fp32: whether outputs on the validation images are fp32 in a training in bf16, as in evaluation;
            those of version 0.1 were not, and images tied.
    Returns:
        the epochs.
    Raises:
        UserError: the loss became NaN, or what early stopping watches is undefined.
        EnvironmentFault: the checkpoint cannot be written or read.
    """

    def validate(network: nn.Module) -> dict[str, float]:
        loss, scores = _validate(network, val, compute, validated_in_fp32)
        return {"val_loss": loss, "val_mean_ap": scores["ap"], "val_mean_auroc": scores["auroc"]}

    learning = Learning(
        batches=TrainingBatches(
            train.pixels,
            train.labels,
            batch_size=options.batch_size,
            flip=options.flip,
            rotation=options.rotation,
            device=compute.device,
            channels_last=compute.channels_last,
        ),
        loss=make_loss(options.loss, train.labels, compute.device),
        validate=validate,
        record=Epoch,
        value=lambda epoch: monitored(epoch, options.monitor),
        summary=lambda epoch: f"val AUROC {epoch.val_mean_auroc:.3f}, mAP {epoch.val_mean_ap:.3f}",
    )
    return run_epochs(model, learning, Recipe.of(options), compute, session)


def _validate(model: nn.Module, val: Images, compute: Compute, in_fp32: bool) -> tuple[float, dict[str, float]]:
    """Mean loss per image, and the mean scores over the classes that have them."""
    # As in evaluation: images that tie in bf16 would decide which epoch is the best.
    with outputs_in_fp32(model) if in_fp32 else nullcontext():
        logits = predict_logits(model, val.pixels, compute)
    if not torch.isfinite(logits).all():
        raise Diverged("training diverged: the network's outputs on the validation split are not finite")
    loss = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(val.labels.astype(np.float32)))
    return float(loss), mean_scores(class_scores(val.labels, probabilities(logits)))


def monitored(epoch: Epoch, monitor: str) -> float:
    """What early stopping watches, higher is better."""
    if monitor == "val_loss":
        return -epoch.val_loss
    if math.isnan(epoch.val_mean_auroc):
        raise UserError(
            "option monitor: val_auc is undefined, no class has both positive and negative images in the "
            "validation split; use monitor=val_loss or a larger validation split"
        )
    return epoch.val_mean_auroc
