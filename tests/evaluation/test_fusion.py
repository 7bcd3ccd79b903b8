"""Fused convolutions: the network's own numbers, whatever the network does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from prunecxr.evaluation.fusion import FusedConvolution, fuse
from prunecxr.networks.families import build_model
from prunecxr.networks.unet import build_unet
from tests import tiny
from tests.tiny import needs_bf16

ARCHITECTURES = (
    "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11_bn",
)  # fmt: skip


def inputs(size: int = 64, layout: torch.memory_format = torch.channels_last) -> torch.Tensor:
    images = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=layout)


def settled(model: nn.Module) -> nn.Module:
    """In eval mode, with statistics and weights of the norms that are not those of the start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.copy_(0.5 + torch.rand(layer.weight.shape, generator=generator))
                layer.bias.normal_(0, 0.1, generator=generator)
        model.train()
        for _ in range(20):
            model(inputs())
    return model.eval()


def run(model: nn.Module, images: torch.Tensor, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, int]:
    """Output of the fused network, and how many of its steps add something."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        network, steps = fuse(model, images, dtype)
        for step in steps:
            step.take_weights()
        adding = [node for node in network.graph.nodes if str(node.target).startswith("fused_") and len(node.args) > 1]
        return network(images).float(), len(adding)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_fused_network_computes_what_the_network_computes(name):
    model = settled(build_model(name, 5, "none", 0))
    with torch.inference_mode():
        expected = model(inputs())
    assert torch.allclose(run(model, inputs())[0], expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


CHANNELS = (4, 4, 8, 8, 16, 4)


@pytest.mark.parametrize("head_classes", [None, 3])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_fused_unet_computes_what_it_computes(head_classes, layout):
    model = settled(build_unet(CHANNELS, seed=0, head_classes=head_classes)).to(memory_format=layout)
    images = inputs(layout=layout)
    with torch.inference_mode():
        expected = model(images)
    assert torch.allclose(run(model, images)[0], expected, rtol=1e-5, atol=1e-5)
    _, steps = fuse(model, images, torch.float32)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert len(steps) == len(convolutions) == 18 + (head_classes is None)
    names = [step._activation[0] for step in steps]
    assert names.count("leaky_relu") == 18


@needs_bf16
def test_a_fused_unet_in_bf16_is_as_close_as_it_is_as_written():
    model = settled(build_unet(CHANNELS, seed=0))
    with torch.inference_mode():
        exact = model(inputs())
        with torch.autocast("cpu", torch.bfloat16):
            written = (model(inputs()).float() - exact).abs().mean()
    assert (run(model, inputs(), torch.bfloat16)[0] - exact).abs().mean() < 1.5 * written


def test_a_unet_of_images_that_it_pads_is_refused():
    """40 pixels are halved to 5, and 5 to 2: its own code pads then."""
    with pytest.raises(RuntimeError):
        fuse(build_unet(CHANNELS, seed=0).eval(), inputs(40), torch.float32)


def test_every_convolution_of_a_resnet_takes_what_follows_it():
    model = settled(build_model("resnet18", 5, "none", 0))
    network, steps = fuse(model, inputs(), torch.float32)
    left = {type(network.get_submodule(str(node.target))) for node in network.graph.nodes if node.op == "call_module"}
    assert left == {FusedConvolution, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Linear}
    assert len(steps) == sum(isinstance(layer, nn.Conv2d) for layer in model.modules())
    assert run(model, inputs())[1] == 8, "one addition a block"


@needs_bf16
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_small"])
def test_in_bf16_it_is_no_further_from_fp32_than_the_network_as_written(name):
    model = settled(build_model(name, 5, "none", 0).to(memory_format=torch.channels_last))
    with torch.inference_mode():
        exact = model(inputs())
        with torch.autocast("cpu", torch.bfloat16):
            written = model(inputs()).float()
    off, off_as_written = (run(model, inputs(), torch.bfloat16)[0] - exact).abs(), (written - exact).abs()
    assert 0 < off.mean() < 2 * off_as_written.mean()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("images", [1, 3, 4])
def test_smaller_batches_and_either_layout(layout, images):
    model = settled(build_model("resnet18", 5, "none", 0)).to(memory_format=layout)
    network, steps = fuse(model, inputs(layout=layout), torch.float32)
    with torch.inference_mode():
        for step in steps:
            step.take_weights()
        part = inputs(layout=layout)[:images]
        assert torch.allclose(network(part), model(part), atol=1e-4)


def test_taking_the_weights_follows_a_change_in_place():
    model, images = settled(tiny.network()), inputs(12)
    network, steps = fuse(model, images, torch.float32)
    with torch.inference_mode():
        for factor in (1.0, 0.5):
            model[0].weight.mul_(factor)
            model[4].running_mean.mul_(factor)
            for step in steps:
                step.take_weights()
            assert torch.allclose(network(images), model(images), atol=1e-5)


class _Network(nn.Module):
    """A convolution, a norm, and whatever the test does with them."""

    def __init__(self, forward, **conv) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, **{"padding": 1, **conv})
        self.norm, self.relu = nn.BatchNorm2d(3), nn.ReLU(inplace=True)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


def added_and_taken_twice(net, x):
    out = net.second(x)
    return functional.relu(out + x) + out


def summand_changed_after_the_convolution(net, x):
    y = net.first(x)
    z = net.second(y)
    net.relu(y)
    return z + y


def summand_comes_later(net, x):
    return net.norm(net.second(x)) + torch.sin(x)


def summand_is_spread(net, x):
    return net.second(x) + x.mean((2, 3), keepdim=True)


def added_to_itself(net, x):
    out = net.second(x)
    return out + out


def added_number(net, x):
    return net.relu(net.norm(net.second(x)) + 1.5)


def scaled_summand(net, x):
    return torch.add(net.second(x), x, alpha=2.0)


def same_layer_twice(net, x):
    return net.norm(net.second(functional.relu(net.second(x))))


def norm_in_training(net, x):
    return net.relu(functional.batch_norm(net.second(x), None, None, training=True))


@pytest.mark.parametrize(
    ("forward", "additions"),
    [
        (added_and_taken_twice, 0),
        (summand_changed_after_the_convolution, 0),
        (summand_comes_later, 0),
        (summand_is_spread, 0),
        (added_to_itself, 0),
        (added_number, 0),
        (scaled_summand, 0),
        (same_layer_twice, 0),
        (norm_in_training, 0),
        (lambda net, x: net.second(x) + x, 1),
        (lambda net, x: x + net.second(x), 1),
        (lambda net, x: net.relu(net.first(x) + net.norm(net.second(x))), 1),
        (lambda net, x: torch.relu(torch.add(x, net.second(x))), 1),
    ],
)
def test_what_cannot_be_one_step_is_left_as_it_is(forward, additions):
    torch.manual_seed(0)
    model, images = settled(_Network(forward)), inputs(9)
    with torch.inference_mode():
        expected = model(images)
    found, adding = run(model, images)
    assert torch.allclose(found, expected, atol=1e-5)
    assert adding == additions


@pytest.mark.parametrize(
    "conv", [{"padding": "same"}, {"padding_mode": "reflect"}, {"stride": 2, "dilation": 2}, {"groups": 3}]
)
def test_unusual_convolutions(conv):
    torch.manual_seed(0)
    model, images = settled(_Network(lambda net, x: net.relu(net.norm(net.second(x))), **conv)), inputs(9)
    with torch.inference_mode():
        expected = model(images)
    assert torch.allclose(run(model, images)[0], expected, atol=1e-5)


def test_a_norm_without_statistics_is_not_folded():
    model = _Network(lambda net, x: net.norm(net.second(x))).eval()
    model.norm = nn.BatchNorm2d(3, track_running_stats=False).eval()
    with torch.inference_mode():
        expected = model(inputs(9))
    assert torch.allclose(run(model, inputs(9))[0], expected, atol=1e-5)


def test_a_network_that_decides_by_its_inputs_is_an_error():
    model = _Network(lambda net, x: net.first(x) if x.sum() > 0 else net.second(x)).eval()
    with pytest.raises(RuntimeError, match="the network depends on its inputs"):
        fuse(model, inputs(9), torch.float32)
