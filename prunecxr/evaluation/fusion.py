"""A network for a CPU whose convolutions do at once what follows them: norm, residual addition, activation.

As written, each of these reads a whole feature map from memory and writes it back. oneDNN computes them on a
convolution's output before it leaves the processor's cache.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

Activation = tuple[str | None, list[float]]  # its name in torch's oneDNN operators, and its arguments

RELU: Activation = ("relu", [])
LAYERS: dict[type[nn.Module], Callable[[Any], Activation]] = {
    nn.ReLU: lambda _: RELU,
    nn.ReLU6: lambda _: ("hardtanh", [0.0, 6.0]),
    nn.LeakyReLU: lambda layer: ("leaky_relu", [layer.negative_slope]),
    nn.SiLU: lambda _: ("swish", []),
    nn.Hardswish: lambda _: ("hardswish", []),
}
FUNCTIONS: dict[Any, Activation] = {functional.relu: RELU, torch.relu: RELU}
ADDITIONS = (operator.add, operator.iadd, torch.add)
IDLE = (nn.Dropout, nn.Dropout2d, nn.Identity)  # do nothing in eval mode


def _join_and_convolve(module: Any, deep: torch.Tensor, shallow: torch.Tensor) -> torch.Tensor:
    """A level of MONAI's U-Net on the way up, for images that can be halved that often."""
    return module.convs(torch.cat([shallow, module.upsample(deep)], dim=1))


# Modules that look at shapes or types, which a trace cannot follow, and what they do for the inputs that come here.
PLAIN_FORMS: dict[str, Callable[..., torch.Tensor]] = {"monai.networks.nets.basic_unet.UpCat": _join_and_convolve}


class _Tracer(fx.Tracer):
    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        plain = PLAIN_FORMS.get(f"{type(m).__module__}.{type(m).__qualname__}")
        return super().call_module(m, forward if plain is None else partial(plain, m), args, kwargs)


class FusedConvolution(nn.Module):
    """Convolution, norm, addition of another feature map and activation, in one step."""

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None,
        activation: Activation,
        size: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        """Args: size: shape of the inputs, (batch, channels, height, width), for which the weights are laid out."""
        super().__init__()
        self._layers = conv, norm  # a tuple does not register them as submodules a second time
        self._how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups
        self._activation, self._size, self._dtype = activation, list(size), dtype
        self._weight: torch.Tensor | None = None
        self._bias: torch.Tensor | None = None

    def take_weights(self) -> None:
        """Fold the norm into the weights that the layers have now."""
        conv, norm = self._layers
        weight, bias = conv.weight, conv.bias
        if norm is not None and norm.running_mean is not None and norm.running_var is not None:
            mean, variance = norm.running_mean, norm.running_var
            weight, bias = fuse_conv_bn_weights(weight, bias, mean, variance, norm.eps, norm.weight, norm.bias)
        weight = weight.detach().to(self._dtype)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._how, self._size)
        self._bias = None if bias is None else bias.detach().to(self._dtype)

    def forward(self, inputs: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        inputs, how = inputs.to(self._dtype), (self._weight, self._bias, *self._how)
        name, arguments = self._activation
        if other is None:
            return torch.ops.mkldnn._convolution_pointwise(inputs, *how, name or "none", arguments, "")
        return torch.ops.mkldnn._convolution_pointwise.binary(inputs, other, *how, "add", 1.0, name, arguments, "")


def fuse(model: nn.Module, inputs: torch.Tensor, dtype: torch.dtype) -> tuple[nn.Module, list[FusedConvolution]]:
    """The network with its convolutions fused; they `take_weights` before it is called, and when the weights change.

    Args:
        model: in eval mode, on the CPU; what is returned shares its layers.
        inputs: shape (batch, 3, height, width), as they will come.
        dtype: that convolutions compute in; but for float32, call this under autocast.
    Raises:
        RuntimeError: torch cannot follow what the network does.
    """
    try:
        traced = fx.GraphModule(model, _Tracer().trace(model))
    except (fx.proxy.TraceError, TypeError) as error:
        raise RuntimeError(f"the network depends on its inputs: {error}") from None
    _drop_idle(traced)
    ShapeProp(traced).propagate(inputs[:1])
    reader, steps = _Reader(traced, dtype), []
    for node in list(traced.graph.nodes):
        found = reader.read(node)
        if found is None:
            continue
        size = len(inputs), *found.source.meta["tensor_meta"].shape[1:]
        steps.append(FusedConvolution(found.conv, found.norm, found.activation, size, dtype))
        name = f"fused_{len(steps)}"
        traced.add_submodule(name, steps[-1])
        with traced.graph.inserting_before(node):
            step = traced.graph.call_module(name, (found.source, *found.others))
        reader.replace(found, step)
    traced.recompile()
    return traced, steps


def _drop_idle(traced: fx.GraphModule) -> None:
    """Take out the layers that do nothing in eval mode, so that a norm and its activation meet."""
    layers = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        if node.op == "call_module" and isinstance(layers[str(node.target)], IDLE):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


@dataclass(frozen=True)
class _Found:
    """A convolution and what is done with its output, and with nothing else: `nodes`, in their order."""

    nodes: list[fx.Node]
    conv: nn.Conv2d
    norm: nn.BatchNorm2d | None
    others: list[fx.Node]
    activation: Activation

    @property
    def source(self) -> fx.Node:
        return self.nodes[0].args[0]  # type: ignore[return-value]


class _Reader:
    """Finds in a traced network what can become one step."""

    def __init__(self, traced: fx.GraphModule, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._layers = dict(traced.named_modules())
        self._place = {node: number for number, node in enumerate(traced.graph.nodes)}

    def read(self, node: fx.Node) -> _Found | None:
        """What begins with a convolution at that node, if there is one."""
        conv = self._layer(node)
        if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
            return None
        nodes = [node]
        norm = self._layer(_only_user(node))
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
            nodes.extend(node.users)
        else:
            norm = None
        addition = _only_user(nodes[-1])
        others = [summand for summand in _summands(addition) if summand is not nodes[-1]]
        if addition is not None and len(others) == 1 and self._ready(others[0], node, addition):
            nodes.append(addition)
        else:
            others = []
        activation = self._activation(_only_user(nodes[-1]))
        if activation is not None:
            nodes.extend(nodes[-1].users)
        return _Found(nodes, conv, norm, others, activation or (None, []))

    def replace(self, found: _Found, step: fx.Node) -> None:
        """Put a step, which stands before the nodes that it is for, in their place."""
        first, last = found.nodes[0], found.nodes[-1]
        self._place[step], step.meta = self._place[first], last.meta
        last.replace_all_uses_with(step)
        for node in reversed(found.nodes):
            node.graph.erase_node(node)

    def _layer(self, node: fx.Node | None) -> nn.Module | None:
        return self._layers.get(str(node.target)) if node is not None and node.op == "call_module" else None

    def _activation(self, node: fx.Node | None) -> Activation | None:
        if node is not None and node.op == "call_function":
            return FUNCTIONS.get(node.target)
        layer = self._layer(node)
        describe = None if layer is None else LAYERS.get(type(layer))
        return None if describe is None else describe(layer)

    def _ready(self, other: fx.Node, conv: fx.Node, addition: fx.Node) -> bool:
        """Whether a summand has its final values when the convolution runs, and the shape and type of its output."""
        place, summand, output = self._place, other.meta.get("tensor_meta"), conv.meta["tensor_meta"]
        return (
            place[other] < place[conv]
            and all(user is addition or place[user] <= place[conv] for user in other.users)
            and summand is not None
            and (summand.dtype, summand.shape) == (self._dtype, output.shape)
        )


def _only_user(node: fx.Node) -> fx.Node | None:
    """What takes the node's output, where it is a single one."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _summands(node: fx.Node | None) -> list[fx.Node]:
    """The feature maps that a node adds up; empty where it does something else."""
    if node is None or node.op != "call_function" or node.target not in ADDITIONS or node.kwargs:
        return []
    return [summand for summand in node.args if isinstance(summand, fx.Node)]
