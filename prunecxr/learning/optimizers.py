"""How weights are moved: optimizers and learning rates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, whatever it learns.

    Attributes:
        optimizer: `sgd` (which alone has momentum), `adam` or `adamw`.
        learning_rate: at the start (under `one_cycle`: the highest).
        schedule: `step`, `constant`, `cosine` or `one_cycle`.
        epochs: at most.
        patience: epochs without improvement after which training stops.
        milestones: epochs after which `step` divides the rate by 10.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float
    momentum: float
    schedule: str
    epochs: int
    patience: int
    milestones: tuple[int, ...] = ()

    @classmethod
    def of(cls, options: object, **further: Any) -> Self:
        """The recipe of training options, which have these names; `further`: what they do not say."""
        named = {field.name for field in fields(cls)} - set(further)
        return cls(**{name: getattr(options, name) for name in named if hasattr(options, name)}, **further)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer of all weights of a network."""
    parameters, rate, decay = list(model.parameters()), recipe.learning_rate, recipe.weight_decay
    fused = parameters[0].device.type in ("cpu", "cuda")  # one pass over each weight instead of one per operation
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=fused)
    adaptive = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return adaptive(parameters, lr=rate, weight_decay=decay, fused=fused)


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The recipe's schedule, to be advanced after each step."""
    steps = recipe.epochs * steps_per_epoch
    if recipe.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=max(steps, 2))
    if recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    if recipe.schedule == "step":
        milestones = [steps_per_epoch * epoch for epoch in recipe.milestones]
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
