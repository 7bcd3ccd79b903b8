"""The training loop: epochs, early stopping, the best weights, checkpoints. Knows no task and no tracking."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import nn

from prunecxr.errors import Diverged, EnvironmentFault
from prunecxr.hardware import Compute, autocast
from prunecxr.learning.optimizers import Recipe, make_optimizer, make_schedule
from prunecxr.learning.seeds import derive_seed
from prunecxr.networks.checkpoints import LOAD_ERRORS, reason
from prunecxr.progress import progress


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What every epoch comes to; a task adds its scores. The loss is a mean over images, the rate that of the start."""

    epoch: int
    train_loss: float
    learning_rate: float
    seconds: float


E = TypeVar("E", bound=EpochRecord)


class Batches(Protocol):
    """Training data that follow from the seed of an epoch alone."""

    @property
    def n_images(self) -> int:
        """Images per epoch."""

    def __len__(self) -> int:
        """Steps per epoch."""

    def epoch(self, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Inputs and targets on the device, each training image once."""


@dataclass(frozen=True)
class Learning(Generic[E]):
    """What a network learns, and how well it has learned it.

    Attributes:
        loss: outputs (float32) and targets of a batch -> mean over its images.
        validate: the network -> the fields of `record` that are not `EpochRecord`'s.
        record: class of what an epoch comes to.
        value: what early stopping watches and the best weights maximise.
        summary: an epoch in a few words, for the progress bar.
    """

    batches: Batches
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    validate: Callable[[nn.Module], dict[str, float]]
    record: type[E]
    value: Callable[[E], float]
    summary: Callable[[E], str]


@dataclass(frozen=True)
class Session(Generic[E]):
    """One training of one network.

    Attributes:
        seed: drives order, augmentation and dropout; the draws of an epoch follow from (seed, epoch), so a training
            continued from its checkpoint ends with the bits of an uninterrupted one (on a CPU).
        checkpoint: file that is written after each epoch and continued from if it is there.
        on_epoch: called after each epoch, also for those found in the checkpoint.
        desc: what the progress bar calls it.
    """

    seed: int
    checkpoint: Path | None = None
    on_epoch: Callable[[E], object] | None = None
    desc: str = "training"


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
    model: nn.Module, learning: Learning[E], recipe: Recipe, compute: Compute, session: Session[E]
) -> list[E]:
    """Train `model` in place and leave it with the weights of its best epoch.

    Args:
        model: on `compute.device`.
    Returns:
        the epochs.
    Raises:
        Diverged: the loss became NaN.
        EnvironmentFault: the checkpoint cannot be written or read.
    """
    optimizer = make_optimizer(model, recipe)
    schedule = make_schedule(optimizer, recipe, len(learning.batches))
    training = _Training(model, learning, optimizer, schedule, compute)
    state: Progress[E] = Progress(history=[])
    best: dict[str, torch.Tensor] = {}
    if session.checkpoint is not None and session.checkpoint.exists():
        state, best = _load_checkpoint(session.checkpoint, training)
        for record in state.history:
            if session.on_epoch:
                session.on_epoch(record)
    n_images, done = learning.batches.n_images, len(state.history)
    with progress(recipe.epochs * n_images, session.desc, "img", initial=done * n_images) as bar:
        for number in range(done, recipe.epochs):
            if state.exhausted(recipe.patience):
                break
            record = _epoch(training, number, derive_seed(session.seed, "epoch", number), bar.update)
            state.history.append(record)
            if state.improved(learning.value(record)):
                best = {key: value.detach().clone() for key, value in model.state_dict().items()}
            if session.checkpoint is not None:
                _save_checkpoint(session.checkpoint, training, state, best)
            if session.on_epoch:
                session.on_epoch(record)
            bar.set_postfix_str(learning.summary(record))
    model.load_state_dict(best)
    _give_back(optimizer)
    return state.history


@dataclass(frozen=True)
class _Training(Generic[E]):
    """A network in training, with all that has a state."""

    model: nn.Module
    learning: Learning[E]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    compute: Compute


def _epoch(training: _Training[E], number: int, seed: int, advance: Callable[[int], object]) -> E:
    """One epoch: train, validate, and what it came to."""
    started, rate = time.perf_counter(), float(training.schedule.get_last_lr()[0])
    torch.manual_seed(seed)  # dropout and stochastic depth draw from the global generator
    losses, count = _train_epoch(training, seed, advance)
    train_loss = float(losses.sum()) / count
    if not math.isfinite(train_loss):
        if number == 0 and not math.isfinite(losses[0]):  # before the first step: at whatever learning rate
            raise Diverged(
                f"training cannot begin: the loss is {float(losses[0])} before the first step; the initial weights,"
                " the loss or the precision is at fault"
            )
        raise Diverged(
            f"training diverged in epoch {number + 1}: the loss is {train_loss}; lower learning_rate"
            f" (it is {training.optimizer.defaults['lr']:g})"
        )
    scores = training.learning.validate(training.model)
    return training.learning.record(
        epoch=number, train_loss=train_loss, learning_rate=rate, seconds=time.perf_counter() - started, **scores
    )


def _give_back(optimizer: torch.optim.Optimizer) -> None:
    """Let go of gradients, moments and weights: four times the network's memory.

    Optimizer and schedule hold each other, so all of it would stay until the collector of garbage comes by.
    """
    optimizer.zero_grad(set_to_none=True)
    optimizer.state.clear()
    optimizer.param_groups.clear()


def _train_epoch(training: _Training[E], seed: int, advance: Callable[[int], object]) -> tuple[torch.Tensor, int]:
    """One pass over the training images; the sum of the losses of each step's images, float64, and how many images."""
    model, compute = training.model, training.compute
    model.train()
    losses, count = [], 0  # summed at the end: reading a loss at every step would make the device wait
    for inputs, targets in training.learning.batches.epoch(seed):
        with autocast(compute.device, compute.precision):
            outputs = model(inputs)
        loss = training.learning.loss(outputs.float(), targets)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        training.optimizer.step()
        training.schedule.step()
        losses.append(loss.detach() * len(inputs))
        count += len(inputs)
        advance(len(inputs))
    return torch.stack(losses).cpu().double(), count


def _save_checkpoint(path: Path, training: _Training[E], state: Progress[E], best: dict[str, torch.Tensor]) -> None:
    """Write beside, then rename: a kill at any moment leaves the checkpoint before or the one after."""
    current_is_best = state.best_epoch == state.history[-1].epoch
    content = {
        "model": training.model.state_dict(),
        "best": None if current_is_best else best,
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
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


def _load_checkpoint(path: Path, training: _Training[E]) -> tuple[Progress[E], dict[str, torch.Tensor]]:
    model = training.model
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise EnvironmentFault(
            f"checkpoint {path} cannot be read ({reason(str(error))}); remove it to train anew"
        ) from None
    model.load_state_dict(content["model"])
    training.optimizer.load_state_dict(content["optimizer"])
    training.schedule.load_state_dict(content["schedule"])
    saved, record = content["progress"], training.learning.record
    state = Progress([record(**epoch) for epoch in saved["history"]], saved["best_epoch"], saved["best_value"])
    best = content["best"] or {key: value.detach().clone() for key, value in model.state_dict().items()}
    return state, best
