"""Masks: scores + scope + sparsity -> which weights stay; applying them; the sparsity that results."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from prunecxr.compression.rankings import Channels, Masks
from prunecxr.compression.scopes import SCOPES


def rank(scores: Mapping[str, torch.Tensor], scope: str, channels: Channels | None = None) -> Callable[[float], Masks]:
    """Sort once; the result maps a sparsity to the masks of the weights.

    Args:
        scores: by name of the weight, in its shape; lower is pruned first.
        scope: a name in `SCOPES`.
        channels: for scope `channel`; by default those along the first axis of every weight.
    """
    rankings = SCOPES[scope](scores, channels or Channels(dict.fromkeys(scores, 0)))

    def masks(sparsity: float) -> Masks:
        return {name: mask for ranking in rankings for name, mask in ranking.masks(sparsity).items()}

    return masks


@torch.no_grad()
def apply_masks(weights: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> None:
    """Zero in place what the masks prune; everything else keeps its bits."""
    for name, mask in masks.items():
        weights[name].masked_fill_(~mask.to(weights[name].device), 0.0)


def nonzero_weights(weights: Mapping[str, torch.Tensor]) -> int:
    """How many weights are not zero."""
    return sum(int(torch.count_nonzero(weight)) for weight in weights.values())
