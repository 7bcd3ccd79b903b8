"""Rankings: weights or whole channels that compete, sorted once and cut at every sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from prunecxr.compression.criteria import mean_score
from prunecxr.errors import UserError

Masks = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Channels:
    """What scope `channel` must know of a network.

    Attributes:
        axes: axis of the output channels, of every weight whose channels compete
            (`prunecxr.networks.prunable.channel_axes`).
        score: scores of the weights of channels, (n, weights) -> scores of the channels, (n,).
    """

    axes: Mapping[str, int]
    score: Callable[[torch.Tensor], torch.Tensor] = mean_score


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
    """Output channels, which stay or go as wholes, sorted once by their scores.

    The channels of all layers compete, as the weights do in unstructured pruning, so that the two can be compared. If
    m channels of a layer go by their mean magnitude, they are those of `torch.nn.utils.prune.ln_structured` (amount=m,
    n=1), except on exact ties. A layer without channels passes nothing on: the best channel of each goes only
    after all the others have gone.
    """

    def __init__(self, scores: Mapping[str, torch.Tensor], channels: Channels) -> None:
        """Args: scores: one a weight, any memory layout; lower is pruned first."""
        axes = self._axes = dict(channels.axes)
        self._shapes = {name: scores[name].shape for name in axes}
        self._total = sum(score.numel() for score in scores.values())
        ranked, sizes, best = [torch.empty(0, dtype=torch.float64)], [torch.empty(0, dtype=torch.int64)], []
        for name, axis in axes.items():
            _check_finite(scores[name])
            weights = scores[name].movedim(axis, 0).flatten(1)
            own = channels.score(weights).cpu()
            best.append(sum(map(len, ranked)) + int(own.argsort(stable=True)[-1]))
            ranked.append(own)
            sizes.append(torch.full((len(own),), weights.shape[1]))
        order = torch.cat(ranked).argsort(stable=True)
        late = torch.isin(order, torch.tensor(best, dtype=torch.int64))
        self._order = torch.cat([order[~late], order[late]])
        # Weights that have gone after so many channels.
        self._pruned = nn.functional.pad(torch.cat(sizes)[self._order].cumsum(0), (1, 0))

    def masks(self, sparsity: float) -> Masks:
        """Boolean masks (True stays) that prune whole channels: so many that of all N weights nearest to
        round(sparsity * N) go."""
        count = (self._pruned - round(sparsity * self._total)).abs().argmin()
        keep = torch.ones(len(self._order), dtype=torch.bool)
        keep[self._order[:count]] = False
        counts = [shape[axis] for shape, axis in zip(self._shapes.values(), self._axes.values(), strict=True)]
        parts = zip(self._shapes.items(), self._axes.values(), torch.split(keep, counts), strict=True)
        return {name: _along(part, shape, axis) for (name, shape), axis, part in parts}


def _along(kept: torch.Tensor, shape: torch.Size, axis: int) -> torch.Tensor:
    """What is kept of the channels, as a mask of the weights."""
    return kept.view([-1 if i == axis else 1 for i in range(len(shape))]).expand(shape).clone()


def _check_finite(scores: torch.Tensor) -> None:
    if not torch.isfinite(scores).all():
        raise UserError("the model's weights are not finite (NaN or infinite): nothing to prune")


def _sorted(values: torch.Tensor) -> torch.Tensor:
    """Ascending; on a CPU by NumPy, whose vectorised sort is several times faster than torch's."""
    return torch.from_numpy(np.sort(values.numpy())) if values.device.type == "cpu" else values.sort().values
