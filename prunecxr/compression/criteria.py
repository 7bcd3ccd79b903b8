"""Criteria: how important each prunable weight is. The lowest scores are pruned first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prunecxr.learning.seeds import derive_seed

if TYPE_CHECKING:  # names of criteria are read, in options and analyses, where torch is not loaded
    import torch

    from prunecxr.compression.context import Context

Scores = dict[str, "torch.Tensor"]  # by name of the weight, in its shape
Criterion = Callable[["Context"], Scores]


def magnitude(ctx: Context) -> Scores:
    """|w|: L1 pruning (paper A, section 2.1)."""
    return {name: weight.detach().abs() for name, weight in ctx.weights.items()}


def random(ctx: Context) -> Scores:
    """Uniform noise: the control. The same seed gives the same scores, so that masks are nested."""
    import torch

    generator = torch.Generator().manual_seed(pruning_seed(ctx.seed, "random"))
    return {name: torch.rand(weight.shape, generator=generator) for name, weight in ctx.weights.items()}


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude, "random": random}


def pruning_seed(seed: int, criterion: str) -> int:
    """What a criterion draws lots with, for the network of a seed."""
    return derive_seed(seed, "pruning", criterion)


def mean_score(scores: torch.Tensor) -> torch.Tensor:
    """Scores of the weights of channels, (n, weights) -> of the channels, (n,), float64.

    The mean, not the sum: a channel of many inputs is not the more important for having them.
    """
    return scores.double().mean(dim=1)


def one_lot(scores: torch.Tensor) -> torch.Tensor:
    """For criteria that draw lots: one a channel. Their mean would depend on how many weights a channel has."""
    return scores[:, 0].double()


# How a channel scores where channels compete as wholes, for the criteria that do not take the mean of its weights.
CHANNEL_SCORES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"random": one_lot}
