"""The weights of a network that pruning may zero, its output layer, its eval mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The network in eval mode; its mode is restored."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def prunable_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that pruning may zero: `weight` of every convolution and linear layer, in module order.

    No biases, no normalisation layers (paper A, section 2.1, with its code). A ResNet50 with 20 outputs has 23,495,872.
    """
    return {name: layer.weight for name, layer in prunable_layers(model).items()}


def channel_axes(model: nn.Module) -> dict[str, int]:
    """Axis of the output channels of every prunable weight but the last, in module order.

    The channels of the last layer are the network's outputs: to prune one would be to prune a class.
    """
    layers = prunable_layers(model)
    names = list(layers)[:-1]
    return {name: int(isinstance(layers[name], nn.modules.conv._ConvTransposeNd)) for name in names}


def output_layer(model: nn.Module) -> nn.Module | None:
    """The last prunable layer, which makes the logits; None where there is none."""
    return next(reversed(prunable_layers(model).values()), None)


def prunable_layers(model: nn.Module) -> dict[str, nn.modules.conv._ConvNd | nn.Linear]:
    """The layers with prunable weights by the name of the weight, in module order."""
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear))
    }
