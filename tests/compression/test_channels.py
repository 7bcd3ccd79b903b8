"""Structured pruning: whole output channels, parity with torch, exact counts, nesting, axes of the layers."""

from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunecxr.compression import oneshot
from prunecxr.compression.context import Context
from prunecxr.compression.criteria import CHANNEL_SCORES
from prunecxr.compression.masks import apply_masks, nonzero_weights, rank
from prunecxr.compression.methods import Method
from prunecxr.compression.rankings import ChannelRanking, Channels
from prunecxr.errors import UserError
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import channel_axes, prunable_weights
from prunecxr.networks.unet import build_unet
from tests import tiny

SPARSITIES = (0.0, 0.05, 0.2, 0.5, 0.7, 0.9)
NETWORKS = {
    "tiny": tiny.network,
    "mobilenet_v3_small": lambda: build_model("mobilenet_v3_small", 5, "none", seed=1),  # depthwise convolutions
    "unet": lambda: build_unet((8, 8, 16, 16, 32, 8), seed=1),  # transposed convolutions
}


def masks_of(model: nn.Module, sparsity: float, method: str = "magnitude") -> dict[str, torch.Tensor]:
    return oneshot.masks_of(Method(method, "channel"), model, Context(model, 3))(sparsity)


def axis_of(model: nn.Module, weight: str) -> int:
    return int(isinstance(model.get_submodule(weight.removesuffix(".weight")), nn.ConvTranspose2d))


def channels_kept(mask: torch.Tensor, axis: int) -> torch.Tensor:
    """Which channels stay; fails where one stays in part."""
    rows = mask.movedim(axis, 0).reshape(mask.shape[axis], -1)
    assert (rows.all(dim=1) | ~rows.any(dim=1)).all()
    return rows.all(dim=1)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_parity_with_torch_layer_by_layer(name, channels_last):
    """How many channels of a layer go is settled among the layers; which ones, as torch has it."""
    model = NETWORKS[name]().double()  # float32 norms of different order of summation differ in their last bits
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    weights = prunable_weights(model)
    compared = 0
    for sparsity in SPARSITIES:
        for weight, mask in masks_of(model, sparsity).items():
            axis = axis_of(model, weight)
            gone = int((~channels_kept(mask, axis)).sum())
            values = weights[weight].detach().contiguous()
            theirs = prune.LnStructured(gone, n=1, dim=axis).compute_mask(values, torch.ones_like(values))
            assert torch.equal(mask, theirs.bool()), (weight, sparsity)
            compared += 0 < gone < mask.shape[axis]
    assert compared > len(weights)


def test_a_single_layer_is_pruned_as_torch_does():
    layer = nn.Conv2d(3, 20, 3).double()
    for sparsity in SPARSITIES:
        theirs = prune.LnStructured(sparsity, n=1, dim=0).compute_mask(layer.weight, torch.ones_like(layer.weight))
        assert torch.equal(rank({"weight": layer.weight.detach().abs()}, "channel")(sparsity)["weight"], theirs.bool())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_whole_channels_nested_near_the_sparsity_and_no_layer_dies(name, method):
    model = NETWORKS[name]()
    axes, weights = channel_axes(model), prunable_weights(model)
    *inner, last = weights
    assert list(axes) == inner
    assert all(axis == axis_of(model, weight) for weight, axis in axes.items())
    total = sum(weight.numel() for weight in weights.values())
    spared = sum(weights[weight].numel() // weights[weight].shape[axis] for weight, axis in axes.items())
    largest = max(weights[weight].numel() // weights[weight].shape[axis] for weight, axis in axes.items())
    before: dict[str, torch.Tensor] = {}
    for sparsity in (*SPARSITIES, 0.95):
        masks = masks_of(model, sparsity, method)
        assert list(masks) == inner
        zeros = sum(int((~mask).sum()) for mask in masks.values())
        if sparsity * total <= total - weights[last].numel():  # there are as many without the outputs
            assert abs(zeros - sparsity * total) <= (largest + 1) / 2
        for weight, mask in masks.items():
            kept = channels_kept(mask, axes[weight])
            if sparsity * total < total - weights[last].numel() - spared:  # there are as many without the best
                assert kept.any()
            assert not (mask & ~before.get(weight, mask)).any()
        before = masks


def test_the_realised_sparsity_of_a_resnet_is_the_one_asked_for():
    model = build_model("resnet18", 20, "none", seed=1)
    weights = prunable_weights(model)
    total = sum(weight.numel() for weight in weights.values())
    masks = {sparsity: masks_of(model, sparsity) for sparsity in (0.25, 0.5, 0.9)}
    for sparsity in masks:
        apply_masks(weights, masks[sparsity])
        assert 1 - nonzero_weights(weights) / total == pytest.approx(sparsity, abs=3e-4)


def test_layers_compete_by_the_mean_of_a_channels_weights():
    """Two weights of 3 are more than eight of 2, though their sum is less."""
    scores = {"few": torch.full((4, 2), 3.0), "many": torch.full((4, 8), 2.0)}
    masks = rank(scores, "channel")(0.6)  # 24 of 40 weights: three channels of eight
    assert masks["few"].all()
    assert channels_kept(masks["many"], 0).tolist() == [False, False, False, True]
    masks = rank(scores, "channel")(0.75)  # 30: the best channel of a layer goes last
    assert [int(channels_kept(mask, 0).sum()) for mask in masks.values()] == [1, 1]
    masks = rank(scores, "channel")(0.95)  # 38: unless the sparsity demands it
    assert [int(channels_kept(mask, 0).sum()) for mask in masks.values()] == [1, 0]


def test_outputs_are_never_pruned():
    for build, last in ((NETWORKS["tiny"], "9.weight"), (NETWORKS["unet"], "final_conv.weight")):
        model = build()
        assert last in prunable_weights(model)
        assert last not in masks_of(model, 0.99)


def test_a_pruned_channel_is_the_same_everywhere():
    """What is zeroed is what a channel takes from its inputs, not what one of its readers takes from it."""
    model = NETWORKS["unet"]().eval()
    weight = "upcat_4.upsample.deconv.weight"
    masks = masks_of(model, 0.5, "random")
    kept = channels_kept(masks[weight], 1)
    assert kept.any()
    assert not kept.all()
    apply_masks({weight: prunable_weights(model)[weight]}, {weight: masks[weight]})
    seen: list[torch.Tensor] = []
    model.get_submodule(weight.removesuffix(".weight")).register_forward_hook(lambda *given: seen.append(given[2]))
    with torch.no_grad():
        model(torch.randn(2, 3, 32, 32))
    spread = seen[0].amax(dim=(0, 2, 3)) - seen[0].amin(dim=(0, 2, 3))
    assert torch.equal(spread > 0, kept)


channel_scores = st.sampled_from([0.0, 0.1, 0.25, 1.0])


@given(
    st.lists(st.lists(channel_scores, min_size=3, max_size=3), min_size=1, max_size=9),
    st.lists(st.lists(channel_scores, min_size=2, max_size=2), min_size=1, max_size=9),
    st.floats(0, 0.99),
    st.floats(0, 0.99),
)
@settings(deadline=None)
def test_counts_and_nesting_even_with_ties(one, other, first, second):
    scores = {"one": torch.tensor(one), "other": torch.tensor(other).T}
    axes = {"one": 0, "other": 1}
    total = sum(score.numel() for score in scores.values())
    ranking = ChannelRanking(scores, Channels(axes))
    low, high = sorted((first, second))
    few, many = (ranking.masks(k) for k in (low, high))
    for k, masks in ((low, few), (high, many)):
        zeros = sum(int((~mask).sum()) for mask in masks.values())
        assert abs(zeros - round(k * total)) <= 1.5  # half a channel of three
    for name, axis in axes.items():
        assert not (many[name] & ~few[name]).any()
        means = scores[name].double().mean(dim=1 - axis)
        kept = channels_kept(few[name], axis)
        if kept.any() and not kept.all():
            assert means[kept].min() >= means[~kept].max()


def test_chance_does_not_ask_how_many_weights_a_channel_has():
    """Of a layer with wide channels and one with narrow ones, the same share goes (a mean of lots spares the wide)."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"narrow": (4000, 2), "wide": (4000, 50), "outputs": (2, 2)}
    lots = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
    channels = Channels({"narrow": 0, "wide": 0}, CHANNEL_SCORES["random"])
    masks = rank(lots, "channel", channels)(0.2)
    shares = [1 - channels_kept(mask, 0).double().mean().item() for mask in masks.values()]
    assert shares == pytest.approx([0.2, 0.2], abs=0.03)


def test_every_torchvision_classifier_ends_with_its_outputs():
    """What `channel_axes` leaves out is the layer whose channels are the classes."""
    for name in ("resnet50", "densenet121", "vgg11", "squeezenet1_0", "googlenet", "convnext_tiny", "vit_b_16"):
        with torch.device("meta"):
            arguments = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
            model = torchvision.models.get_model(name, weights=None, num_classes=7, **arguments)
        (last,) = set(prunable_weights(model)) - set(channel_axes(model))
        assert prunable_weights(model)[last].shape[0] == 7, name


def test_bad_weights_are_refused():
    with pytest.raises(UserError, match="not finite"):
        ChannelRanking({"w": torch.tensor([[1.0], [float("inf")]])}, Channels({"w": 0}))
