"""The training loop: epochs, early stopping, the best weights, a checkpoint an epoch. Knows no task and no tracking."""

from __future__ import annotations

import torch
from torch import nn


def make_optimizer(
    model: nn.Module, kind: str, learning_rate: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """`adam`, `adamw` or `sgd` (which alone has momentum)."""
    parameters = list(model.parameters())
    fused = parameters[0].device.type in ("cpu", "cuda")  # one pass over each weight instead of one an operation
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum, weight_decay=weight_decay, fused=fused)
    chosen = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    return chosen(parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused)


def make_schedule(
    optimizer: torch.optim.Optimizer, kind: str, steps: int, milestones: tuple[int, ...] = ()
) -> torch.optim.lr_scheduler.LRScheduler:
    """`constant`, `cosine`, `one_cycle`, or `step`: a tenth of the rate from each milestone on.

    Args:
        steps: of the whole training.
        milestones: in steps.
    """
    if kind == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, optimizer.defaults["lr"], total_steps=max(steps, 2))
    if kind == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    if kind == "step":
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, list(milestones), gamma=0.1)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
