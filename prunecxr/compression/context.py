"""What a criterion may look at: the dense weights, the seed, gradients and inputs on calibration images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from prunecxr.data.batches import evaluation_batches
from prunecxr.errors import UserError
from prunecxr.networks.prunable import evaluating, prunable_layers, prunable_weights

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Calibration:
    """Images of the training split, by a fixed draw, that a criterion sees a network at work on.

    Attributes:
        pixels: shape (n, height, width), uint8.
        targets: what the loss compares the outputs with; one entry per image.
        loss: outputs (float32) and targets of a batch -> mean over its images.
        batch_size: images per step; has no bearing on the result but for rounding.
    """

    pixels: np.ndarray
    targets: torch.Tensor
    loss: Loss
    batch_size: int = 64

    def batches(self, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Inputs (b, 3, height, width), not augmented, and their targets, on the device."""
        inputs = evaluation_batches(self.pixels, self.batch_size, device, channels_last=False)
        for batch, targets in zip(inputs, self.targets.split(self.batch_size), strict=True):
            yield batch, targets.to(device)


class Context:
    """A dense network as a criterion sees it. Gradients and inputs are computed once, where they are asked for.

    Attributes:
        weights: the prunable weights by name, in module order.
        seed: of the network.
    """

    def __init__(self, network: nn.Module, seed: int, calibration: Calibration | None = None) -> None:
        """Args: calibration: None where a study has none; criteria that need images then raise."""
        self.weights = prunable_weights(network)
        self.seed = seed
        self._network, self._calibration = network, calibration

    @property
    def calibration(self) -> Calibration:
        """The images.

        Raises:
            UserError: there are none.
        """
        if self._calibration is None:
            raise UserError("option method: the criterion needs calibration images, and this study has none")
        return self._calibration

    def gradients(self) -> dict[str, torch.Tensor]:
        """Gradient of the mean loss over the calibration images, per prunable weight, in its shape.

        The network is in eval mode and computes in fp32.
        """
        return self._gradients

    def activations(self) -> dict[str, torch.Tensor]:
        """Per prunable weight, the L2 norm of each input channel of its layer, shape (input channels,).

        Over all calibration images, and all positions of a feature map or sequence (Sun et al. 2024, Wanda).
        """
        return self._activations

    @cached_property
    def _gradients(self) -> dict[str, torch.Tensor]:
        leaves = {name: weight.detach().clone().requires_grad_() for name, weight in self.weights.items()}
        sums = {name: torch.zeros_like(weight) for name, weight in leaves.items()}
        n_images = len(self.calibration.pixels)
        with evaluating(self._network), torch.enable_grad():
            for inputs, targets in self.calibration.batches(self._device):
                loss = self.calibration.loss(functional_call(self._network, leaves, (inputs,)).float(), targets)
                parts = torch.autograd.grad(loss * (len(inputs) / n_images), list(leaves.values()))
                for total, part in zip(sums.values(), parts, strict=True):
                    total += part
        return sums

    @cached_property
    def _activations(self) -> dict[str, torch.Tensor]:
        squares: dict[str, torch.Tensor] = {}
        layers = prunable_layers(self._network)
        hooks = [layer.register_forward_pre_hook(_collector(name, squares)) for name, layer in layers.items()]
        try:
            with evaluating(self._network), torch.no_grad():
                for inputs, _ in self.calibration.batches(self._device):
                    self._network(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        if unseen := [name for name in layers if name not in squares]:  # attention uses its projections unasked
            raise UserError(f"option method: what enters the layer of {unseen[0]} cannot be observed")
        return {name: squares[name].sqrt().to(self.weights[name]) for name in layers}

    @property
    def _device(self) -> torch.device:
        return next(iter(self.weights.values())).device


def _collector(name: str, squares: dict[str, torch.Tensor]) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    """A hook that adds up the squares of each input channel of a layer, in double precision."""

    def collect(layer: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        channels = -1 if isinstance(layer, nn.Linear) else 1
        rows = arguments[0].detach().movedim(channels, 0).flatten(1)
        # On devices without double precision, such as mps, sums of a batch are float32.
        batch = torch.linalg.vector_norm(rows.float(), dim=1).cpu().double() ** 2
        squares[name] = squares.get(name, torch.zeros_like(batch)) + batch

    return collect
