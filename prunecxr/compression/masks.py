"""Masks: scores + scope + sparsity -> which weights stay; applying them; the sparsity that results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch

from prunecxr.errors import UserError

Masks = dict[str, torch.Tensor]


class Competition(Protocol):
    """What is sorted once and cut at every sparsity."""

    def masks(self, sparsity: float) -> Masks:
        """Boolean masks, True stays; those of a higher sparsity prune a superset."""


class Ranking:
    """Weights that compete with each other, sorted once, so that every sparsity is a threshold.

    The masks equal those of `torch.nn.utils.prune.global_unstructured` with `L1Unstructured` except on exact ties,
    which go in the order of the layers here; so masks of one ranking are nested: a higher sparsity prunes a superset.
    """

    def __init__(self, scores: Mapping[str, torch.Tensor]) -> None:
        """Args: scores: per weight tensor, any shape and memory layout; lower is pruned first."""
        self._shapes = {name: score.shape for name, score in scores.items()}
        # reshape gives the logical order whatever the memory layout, as torch's own pruning sees the weights.
        self._flat = torch.cat([score.reshape(-1) for score in scores.values()]) if scores else torch.empty(0)
        _check_finite(self._flat)
        self._sorted = _sorted(self._flat)

    def masks(self, sparsity: float) -> Masks:
        """Boolean masks (True stays) that prune the round(sparsity * N) lowest of all N scores."""
        keep = self._kept(round(sparsity * len(self._flat)))
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = torch.split(keep, sizes)
        return {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}

    def _kept(self, n_pruned: int) -> torch.Tensor:
        if n_pruned == 0:
            return torch.ones_like(self._flat, dtype=torch.bool)
        threshold = self._sorted[n_pruned - 1]
        keep = self._flat > threshold
        surplus = len(keep) - int(keep.sum()) - n_pruned
        if surplus:  # more weights than needed lie exactly on the threshold: the last ones of them stay
            tied = (self._flat == threshold).nonzero().squeeze(1)
            keep[tied[-surplus:]] = True
        return keep


class ChannelRanking:
    """The output channels of one layer, which stay or go as a whole, sorted once by the mean score of their weights.

    With magnitudes the masks equal those of `torch.nn.utils.prune.ln_structured` (n=1, dim=axis) except on exact ties,
    which go in the order of the channels here, and but for the last channel: it stays, because a layer without any
    passes nothing on.
    """

    def __init__(self, name: str, scores: torch.Tensor, axis: int) -> None:
        """Args: scores: one a weight, any memory layout; lower is pruned first. axis: that of the output channels."""
        _check_finite(scores)
        self._name, self._shape, self._axis = name, scores.shape, axis
        means = scores.movedim(axis, 0).reshape(scores.shape[axis], -1).double().mean(dim=1)
        self._order = means.argsort(stable=True)

    def masks(self, sparsity: float) -> Masks:
        """The mask of the layer, which prunes the round(sparsity * n) lowest of its n channels."""
        n = len(self._order)
        keep = torch.ones(n, dtype=torch.bool, device=self._order.device)
        keep[self._order[: min(round(sparsity * n), n - 1)]] = False
        along = [1] * len(self._shape)
        along[self._axis] = n
        return {self._name: keep.view(along).expand(self._shape).clone()}


def _check_finite(scores: torch.Tensor) -> None:
    if not torch.isfinite(scores).all():
        raise UserError("the model's weights are not finite (NaN or infinite): nothing to prune")


def _sorted(values: torch.Tensor) -> torch.Tensor:
    """Ascending; on a CPU by NumPy, whose vectorised sort is several times faster than torch's."""
    return torch.from_numpy(np.sort(values.numpy())) if values.device.type == "cpu" else values.sort().values


def _global(scores: Mapping[str, torch.Tensor], axes: Mapping[str, int]) -> list[Competition]:  # noqa: ARG001
    return [Ranking(scores)]


def _layer(scores: Mapping[str, torch.Tensor], axes: Mapping[str, int]) -> list[Competition]:  # noqa: ARG001
    return [Ranking({name: score}) for name, score in scores.items()]


def _channel(scores: Mapping[str, torch.Tensor], axes: Mapping[str, int]) -> list[Competition]:
    return [ChannelRanking(name, scores[name], axis) for name, axis in axes.items()]


# Scope: who competes with whom. All weights of the network, those of each layer among themselves, or each layer's
# output channels as wholes (structured pruning). Channels do not compete across layers: the scale of a layer's weights
# is arbitrary where batch norm follows, and a layer of many small weights would lose all of its channels.
SCOPES: dict[str, Callable[[Mapping[str, torch.Tensor], Mapping[str, int]], list[Competition]]] = {
    "global": _global,
    "layer": _layer,
    "channel": _channel,
}


def split_method(method: str) -> tuple[str, str]:
    """Criterion and scope of a method such as `magnitude` or `random@layer`.

    Raises:
        UserError: an unknown scope; the message lists the known ones.
    """
    criterion, at, scope = method.partition("@")
    scope = scope if at else "global"
    if scope not in SCOPES:
        raise UserError(f"option method: unknown scope {scope!r}; there are {', '.join(SCOPES)}")
    return criterion, scope


def rank(
    scores: Mapping[str, torch.Tensor], scope: str, axes: Mapping[str, int] | None = None
) -> Callable[[float], Masks]:
    """Sort once; the result maps a sparsity to the masks of the weights.

    Args:
        scores: by name of the weight, in its shape; lower is pruned first.
        scope: a name in `SCOPES`.
        axes: for scope `channel`, the axis of the output channels of each weight that may lose any
            (`prunecxr.models.channel_axes`); by default the first axis of every weight.
    """
    rankings = SCOPES[scope](scores, dict.fromkeys(scores, 0) if axes is None else axes)

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
