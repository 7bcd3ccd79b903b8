"""Training one network: the loop, early stopping, the best weights, a checkpoint an epoch. Knows no tracking."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from prunecxr.config import TrainingOptions
from prunecxr.data.batches import TrainingBatches
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.evaluation.metrics import class_scores, mean_scores
from prunecxr.evaluation.predict import predict_logits, probabilities
from prunecxr.hardware import Compute, autocast
from prunecxr.models import LOAD_ERRORS
from prunecxr.progress import progress


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses are means over images; the scores are means over the classes that have them."""

    epoch: int
    train_loss: float
    val_loss: float
    val_mean_ap: float
    val_mean_auroc: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Images:
    """Pixels and labels of a split, in one order: (n, height, width) uint8 and (n, n_classes) 0/1."""

    pixels: np.ndarray
    labels: np.ndarray


@dataclass
class Progress:
    """What a checkpoint holds beside the states: the epochs done and the best of them."""

    history: list[Epoch]
    best_epoch: int = -1
    best_value: float = -math.inf

    def improved(self, value: float) -> bool:
        """Take note of the last epoch's value (higher is better); whether it is the best so far."""
        if not value > self.best_value:
            return False
        self.best_epoch, self.best_value = self.history[-1].epoch, value
        return True

    def exhausted(self, patience: int) -> bool:
        """Whether the last `patience` epochs brought nothing."""
        return bool(self.history) and self.history[-1].epoch - self.best_epoch >= patience


def fit(
    model: nn.Module,
    train: Images,
    val: Images,
    options: TrainingOptions,
    compute: Compute,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    desc: str = "training",
) -> list[Epoch]:
    """Train `model` in place and leave it with the weights of its best epoch (paper A, section 2.2 and table 1).

    Args:
        model: network with n_classes outputs (logits), on `compute.device`.
        seed: drives order, augmentation and dropout; each epoch's draws follow from (seed, epoch), so a training
            continued from its checkpoint ends with the bits of an uninterrupted one (on a CPU).
        checkpoint: file that is written after each epoch and continued from if it is there.
        on_epoch: called after each epoch, also for those found in the checkpoint.
    Returns:
        the epochs.
    Raises:
        UserError: the loss became NaN, or what early stopping watches is undefined.
        EnvironmentFault: the checkpoint cannot be written or read.
    """
    batches = TrainingBatches(
        train.pixels,
        train.labels,
        batch_size=options.batch_size,
        flip=options.flip,
        rotation=options.rotation,
        device=compute.device,
        channels_last=compute.channels_last,
    )
    optimizer = _optimizer(model, options, compute.device)
    schedule = _schedule(optimizer, options, options.epochs * len(batches))
    state = Progress(history=[])
    best: dict[str, torch.Tensor] = {}
    if checkpoint is not None and checkpoint.exists():
        state, best = _load_checkpoint(checkpoint, model, optimizer, schedule)
        for epoch in state.history:
            if on_epoch:
                on_epoch(epoch)

    images = options.epochs * len(train.pixels)
    with progress(images, desc, "img", initial=len(state.history) * len(train.pixels)) as bar:
        for number in range(len(state.history), options.epochs):
            if state.exhausted(options.patience):
                break
            started = time.perf_counter()
            epoch_seed = derive_seed(seed, "epoch", number)
            torch.manual_seed(epoch_seed)  # dropout and stochastic depth draw from the global generator
            train_loss = _train_epoch(model, batches, epoch_seed, optimizer, schedule, compute, bar)
            if not math.isfinite(train_loss):
                raise UserError(
                    f"training diverged in epoch {number + 1}: the loss is {train_loss}; lower learning_rate"
                    f" (it is {options.learning_rate:g})"
                )
            val_loss, scores = _validate(model, val, compute)
            epoch = Epoch(
                epoch=number,
                train_loss=train_loss,
                val_loss=val_loss,
                val_mean_ap=scores["ap"],
                val_mean_auroc=scores["auroc"],
                learning_rate=float(schedule.get_last_lr()[0]),
                seconds=time.perf_counter() - started,
            )
            state.history.append(epoch)
            if state.improved(monitored(epoch, options.monitor)):
                best = {key: value.detach().clone() for key, value in model.state_dict().items()}
            if checkpoint is not None:
                _save_checkpoint(checkpoint, model, optimizer, schedule, state, best)
            if on_epoch:
                on_epoch(epoch)
            bar.set_postfix_str(f"val AUROC {epoch.val_mean_auroc:.3f}, mAP {epoch.val_mean_ap:.3f}")
    model.load_state_dict(best)
    return state.history


def derive_seed(*parts: object) -> int:
    """A seed that follows from the parts and shares nothing with its neighbours: 63 bits of their hash."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _optimizer(model: nn.Module, options: TrainingOptions, device: torch.device) -> torch.optim.Optimizer:
    parameters, rate, decay = model.parameters(), options.learning_rate, options.weight_decay
    fused = device.type in ("cpu", "cuda")  # one pass over each weight instead of one an operation
    if options.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=options.momentum, weight_decay=decay, fused=fused)
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay, fused=fused)


def _schedule(
    optimizer: torch.optim.Optimizer, options: TrainingOptions, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if options.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=max(steps, 2))
    if options.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _train_epoch(
    model: nn.Module,
    batches: TrainingBatches,
    seed: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    compute: Compute,
    bar: Any,
) -> float:
    """One pass over the training images; the mean loss an image."""
    model.train()
    losses = []  # summed at the end: reading a loss at every step would make the device wait
    for inputs, labels in batches.epoch(seed):
        with autocast(compute.device, compute.precision):
            logits = model(inputs)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach() * len(inputs))
        bar.update(len(inputs))
    return float(torch.stack(losses).cpu().double().sum()) / len(batches.pixels)


def _validate(model: nn.Module, val: Images, compute: Compute) -> tuple[float, dict[str, float]]:
    """Mean loss an image, and the mean scores over the classes that have them."""
    logits = predict_logits(model, val.pixels, compute)
    if not torch.isfinite(logits).all():
        raise UserError("training diverged: the network's outputs on the validation split are not finite")
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


def _save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    state: Progress,
    best: dict[str, torch.Tensor],
) -> None:
    """Write beside, then rename: a kill at any moment leaves the checkpoint before or the one after."""
    current_is_best = state.best_epoch == state.history[-1].epoch
    content = {
        "model": model.state_dict(),
        "best": None if current_is_best else best,
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "progress": asdict(state),
    }
    beside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise EnvironmentFault(f"checkpoint {path} cannot be written ({error}); free space or set workdir") from None


def _load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[Progress, dict[str, torch.Tensor]]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise EnvironmentFault(f"checkpoint {path} cannot be read ({error}); remove it to train anew") from None
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    schedule.load_state_dict(content["schedule"])
    saved = content["progress"]
    state = Progress([Epoch(**epoch) for epoch in saved["history"]], saved["best_epoch"], saved["best_value"])
    best = content["best"] or {key: value.detach().clone() for key, value in model.state_dict().items()}
    return state, best
