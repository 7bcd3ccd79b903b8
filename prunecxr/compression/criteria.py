"""Criteria: how important each prunable weight is. The lowest scores are pruned first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from prunecxr.errors import UserError

Scores = dict[str, torch.Tensor]
Criterion = Callable[[Mapping[str, torch.Tensor], int], Scores]


def magnitude(weights: Mapping[str, torch.Tensor], seed: int) -> Scores:  # noqa: ARG001 (no chance in it)
    """|w|: L1 pruning (paper A, section 2.1)."""
    return {name: weight.detach().abs() for name, weight in weights.items()}


def random(weights: Mapping[str, torch.Tensor], seed: int) -> Scores:
    """Uniform noise: the control. The same seed gives the same scores, so that masks are nested."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(weight.shape, generator=generator) for name, weight in weights.items()}


CRITERIA: dict[str, Criterion] = {"magnitude": magnitude, "random": random}


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


def find_criterion(name: str) -> Criterion:
    """The criterion of that name; an unknown name raises a UserError that lists the known."""
    if name not in CRITERIA:
        raise UserError(f"option method: unknown criterion {name!r}; there are {', '.join(CRITERIA)}")
    return CRITERIA[name]
