"""One-shot pruning: a dense network's weights are ranked once, and each level is a threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prunecxr import __version__
from prunecxr.compression.context import Context
from prunecxr.compression.criteria import CHANNEL_SCORES, CRITERIA, mean_score, pruning_seed
from prunecxr.compression.masks import apply_masks, nonzero_weights, rank
from prunecxr.compression.methods import Method
from prunecxr.compression.rankings import Channels, Masks
from prunecxr.networks.prunable import channel_axes, prunable_weights


@dataclass(frozen=True)
class Variant:
    """One compressed network.

    Attributes:
        level: for pruning the sparsity; 0 is the dense network.
        network: what is evaluated; it changes when the next variant is asked for.
        recipe: what rebuilds its weights, bit for bit, from the dense ones.
        derivable: whether recipe and dense weights determine it cheaply; if not, its weights are to be stored.
        sizes: metrics of its size: `realised_sparsity`, `nonzero_weights`.
    """

    level: float
    network: nn.Module
    recipe: dict[str, Any]
    derivable: bool
    sizes: dict[str, float]


def masks_of(method: Method, dense: nn.Module, ctx: Context) -> Callable[[float], Masks]:
    """Sparsity -> masks. Dense weights, method, seed and sparsity determine them bit for bit."""
    channels = Channels(channel_axes(dense), CHANNEL_SCORES.get(method.criterion, mean_score))
    return rank(CRITERIA[method.criterion](ctx), method.scope, channels)


def variants(method: Method, dense: nn.Module, levels: Iterable[float], ctx: Context) -> Iterator[Variant]:
    """The network pruned further and further, in place, at rising levels.

    Masks of a higher level prune a superset, so the one network serves for all, and an engine prepared for it, too.

    Args:
        dense: pruned in place; the last variant is what is left of it.
        levels: sparsities, each once, in any order.
        ctx: of `dense`.
    """
    masks_at = masks_of(method, dense, ctx)
    weights = prunable_weights(dense)
    for level in sorted(levels):
        apply_masks(weights, masks_at(level))
        yield Variant(level, dense, recipe_of(method, ctx.seed, level), derivable=True, sizes=sizes_of(weights))


def recipe_of(method: Method, seed: int, sparsity: float) -> dict[str, Any]:
    """What determines a one-shot variant, given the dense weights of its seed."""
    return {
        "seed": seed,
        "criterion": method.criterion,
        "scope": method.scope,
        "sparsity": sparsity,
        "pruning_seed": pruning_seed(seed, method.criterion),
        "prunecxr": __version__,
    }


def sizes_of(weights: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """How many prunable weights are left, and what sparsity that is."""
    nonzero, total = nonzero_weights(weights), sum(weight.numel() for weight in weights.values())
    return {"realised_sparsity": 1 - nonzero / total, "nonzero_weights": nonzero}
