"""The training loop: epochs, early stopping, the best weights, a checkpoint an epoch. Knows no task and no tracking."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from prunecxr.errors import Diverged, EnvironmentFault
from prunecxr.hardware import Compute, autocast
from prunecxr.learning.seeds import derive_seed
from prunecxr.networks.checkpoints import LOAD_ERRORS
from prunecxr.progress import progress


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What every epoch comes to; a task adds its scores. The loss is a mean over images."""

    epoch: int
    train_loss: float
    learning_rate: float
    seconds: float


E = TypeVar("E", bound=EpochRecord)


class Batches(Protocol):
    """Training data that follow from the seed of an epoch alone."""

    def __len__(self) -> int:
        """Steps an epoch."""

    def epoch(self, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Inputs and targets on the device, each training image once."""


@dataclass(frozen=True)
class Task(Generic[E]):
    """What a kind of training adds to the loop.

    Attributes:
        loss: outputs (float32) and targets of a batch -> mean over its images.
        validate: the network -> the fields of `record` that are not `EpochRecord`'s.
        record: class of what an epoch comes to.
        value: what early stopping watches and the best weights maximise.
        summary: an epoch in a few words, for the progress bar.
    """

    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    validate: Callable[[nn.Module], dict[str, float]]
    record: type[E]
    value: Callable[[E], float]
    summary: Callable[[E], str]


@dataclass
class Progress(Generic[E]):
    """What a checkpoint holds beside the states: the epochs done and the best of them."""

    history: list[E]
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


def run_epochs(
    model: nn.Module,
    batches: Batches,
    task: Task[E],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    compute: Compute,
    *,
    epochs: int,
    patience: int,
    n_images: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[E], None] | None = None,
    desc: str = "training",
) -> list[E]:
    """Train `model` in place and leave it with the weights of its best epoch.

    Args:
        model: on `compute.device`.
        optimizer: of the network's weights; it is of no use afterwards.
        schedule: advanced after each step.
        epochs: at most; training ends `patience` epochs after the best one.
        n_images: training images, for the progress bar.
        seed: drives order, augmentation and dropout; each epoch's draws follow from (seed, epoch), so a training
            continued from its checkpoint ends with the bits of an uninterrupted one (on a CPU).
        checkpoint: file that is written after each epoch and continued from if it is there.
        on_epoch: called after each epoch, also for those found in the checkpoint.
    Returns:
        the epochs.
    Raises:
        Diverged: the loss became NaN.
        EnvironmentFault: the checkpoint cannot be written or read.
    """
    state: Progress[E] = Progress(history=[])
    best: dict[str, torch.Tensor] = {}
    if checkpoint is not None and checkpoint.exists():
        state, best = _load_checkpoint(checkpoint, model, optimizer, schedule, task.record)
        for record in state.history:
            if on_epoch:
                on_epoch(record)

    with progress(epochs * n_images, desc, "img", initial=len(state.history) * n_images) as bar:
        for number in range(len(state.history), epochs):
            if state.exhausted(patience):
                break
            started = time.perf_counter()
            epoch_seed = derive_seed(seed, "epoch", number)
            torch.manual_seed(epoch_seed)  # dropout and stochastic depth draw from the global generator
            train_loss = _train_epoch(model, batches, task, epoch_seed, optimizer, schedule, compute, bar)
            if not math.isfinite(train_loss):
                raise Diverged(
                    f"training diverged in epoch {number + 1}: the loss is {train_loss}; lower learning_rate"
                    f" (it is {optimizer.defaults['lr']:g})"
                )
            scores = task.validate(model)
            record = task.record(
                epoch=number,
                train_loss=train_loss,
                learning_rate=float(schedule.get_last_lr()[0]),
                seconds=time.perf_counter() - started,
                **scores,
            )
            state.history.append(record)
            if state.improved(task.value(record)):
                best = {key: value.detach().clone() for key, value in model.state_dict().items()}
            if checkpoint is not None:
                _save_checkpoint(checkpoint, model, optimizer, schedule, state, best)
            if on_epoch:
                on_epoch(record)
            bar.set_postfix_str(task.summary(record))
    model.load_state_dict(best)
    _give_back(optimizer)
    return state.history


def _give_back(optimizer: torch.optim.Optimizer) -> None:
    """Let go of gradients, moments and weights: four times the network's memory.

    Optimizer and schedule hold each other, so all of it would stay until the collector of garbage comes by.
    """
    optimizer.zero_grad(set_to_none=True)
    optimizer.state.clear()
    optimizer.param_groups.clear()


def _train_epoch(
    model: nn.Module,
    batches: Batches,
    task: Task[E],
    seed: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    compute: Compute,
    bar: Any,
) -> float:
    """One pass over the training images; the mean loss an image."""
    model.train()
    losses, count = [], 0  # summed at the end: reading a loss at every step would make the device wait
    for inputs, targets in batches.epoch(seed):
        with autocast(compute.device, compute.precision):
            outputs = model(inputs)
        loss = task.loss(outputs.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach() * len(inputs))
        count += len(inputs)
        bar.update(len(inputs))
    return float(torch.stack(losses).cpu().double().sum()) / count


def _save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    state: Progress[E],
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
    record: type[E],
) -> tuple[Progress[E], dict[str, torch.Tensor]]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise EnvironmentFault(f"checkpoint {path} cannot be read ({error}); remove it to train anew") from None
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    schedule.load_state_dict(content["schedule"])
    saved = content["progress"]
    state = Progress([record(**epoch) for epoch in saved["history"]], saved["best_epoch"], saved["best_value"])
    best = content["best"] or {key: value.detach().clone() for key, value in model.state_dict().items()}
    return state, best
