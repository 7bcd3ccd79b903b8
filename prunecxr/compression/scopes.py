"""Scopes: who competes with whom when the lowest scores are pruned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # names of scopes are read, in options and analyses, where torch is not loaded
    import torch

    from prunecxr.compression.rankings import Channels, Masks


class Competition(Protocol):
    """What is sorted once and cut at every sparsity."""

    def masks(self, sparsity: float) -> Masks:
        """Boolean masks, True stays; those of a higher sparsity prune a superset."""


Scope = Callable[["Mapping[str, torch.Tensor]", "Channels"], Sequence[Competition]]


def all_weights(scores: Mapping[str, torch.Tensor], channels: Channels) -> Sequence[Competition]:  # noqa: ARG001
    """All weights of the network compete."""
    from prunecxr.compression.rankings import Ranking

    return [Ranking(scores)]


def each_layer(scores: Mapping[str, torch.Tensor], channels: Channels) -> Sequence[Competition]:  # noqa: ARG001
    """The weights of each layer compete among themselves."""
    from prunecxr.compression.rankings import Ranking

    return [Ranking({name: score}) for name, score in scores.items()]


def all_channels(scores: Mapping[str, torch.Tensor], channels: Channels) -> Sequence[Competition]:
    """All output channels of the network compete as wholes (structured pruning).

    Layers have no quota of channels, as torch's own structured pruning gives them: the U-Nets of paper B do not
    survive the loss of a fifth of every thin layer at their ends.
    """
    from prunecxr.compression.rankings import ChannelRanking

    return [ChannelRanking(scores, channels)]


SCOPES: dict[str, Scope] = {"global": all_weights, "layer": each_layer, "channel": all_channels}
