"""Structured pruning: whole output channels, parity with torch, exact counts, nesting, axes of the layers."""

from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunecxr.compression.criteria import CRITERIA
from prunecxr.compression.masks import ChannelRanking, apply_masks, nonzero_weights, rank, split_method
from prunecxr.errors import UserError
from prunecxr.localization.networks import build_unet
from prunecxr.models import build_model, channel_axes, prunable_weights
from tests import tiny

SPARSITIES = (0.0, 0.05, 0.2, 0.5, 0.7, 0.9)
NETWORKS = {
    "tiny": tiny.network,
    "mobilenet_v3_small": lambda: build_model("mobilenet_v3_small", 5, "none", seed=1),  # depthwise convolutions
    "unet": lambda: build_unet((8, 8, 16, 16, 32, 8), seed=1),  # transposed convolutions
}


def masks_of(model: nn.Module, sparsity: float, method: str = "magnitude") -> dict[str, torch.Tensor]:
    return rank(CRITERIA[method](prunable_weights(model), 3), "channel", channel_axes(model))(sparsity)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_parity_with_torch_layer_by_layer(name, channels_last):
    model = NETWORKS[name]().double()  # float32 norms of different order of summation differ in their last bits
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    inner = list(prunable_weights(model))[:-1]
    compared = 0
    for sparsity in SPARSITIES:
        ours = masks_of(model, sparsity)
        assert set(ours) == set(inner)
        for weight, mask in ours.items():
            layer = model.get_submodule(weight.removesuffix(".weight"))
            axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
            if round(sparsity * mask.shape[axis]) == mask.shape[axis]:
                continue  # torch prunes the whole layer, ours keeps a channel
            structured = prune.LnStructured(sparsity, n=1, dim=axis)
            theirs = structured.compute_mask(layer.weight.detach().contiguous(), torch.ones_like(layer.weight))
            assert torch.equal(mask, theirs.bool()), (weight, sparsity)
            compared += 1
    assert compared > 0.9 * len(SPARSITIES) * len(inner)


def dead_and_live(mask: torch.Tensor, axis: int) -> torch.Tensor:
    """Which channels stay; fails where one stays in part."""
    rows = mask.movedim(axis, 0).reshape(mask.shape[axis], -1)
    assert ((rows.all(dim=1)) | (~rows.any(dim=1))).all()
    return rows.all(dim=1)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_whole_channels_nested_near_the_sparsity_and_no_layer_dies(name, method):
    model = NETWORKS[name]()
    axes, weights = channel_axes(model), prunable_weights(model)
    before: dict[str, torch.Tensor] = {}
    for sparsity in (*SPARSITIES, 0.99):
        masks = masks_of(model, sparsity, method)
        for weight, mask in masks.items():
            alive = dead_and_live(mask, axes[weight])
            n = len(alive)
            assert alive.sum() == max(n - round(sparsity * n), 1)
            assert not (mask & ~before.get(weight, mask)).any()
        before = masks
        zeros = sum(int((~mask).sum()) for mask in masks.values())
        of = sum(masks[weight].numel() for weight in masks)
        slack = sum(weights[weight].numel() / weights[weight].shape[axes[weight]] for weight in masks)
        assert abs(zeros - sparsity * of) <= slack  # a layer is off by one channel at the most


def test_the_realised_sparsity_of_a_resnet_is_the_one_asked_for():
    model = build_model("resnet18", 20, "none", seed=1)
    weights = prunable_weights(model)
    total = sum(weight.numel() for weight in weights.values())
    masks_at = rank(CRITERIA["magnitude"](weights, 0), "channel", channel_axes(model))
    for sparsity in (0.25, 0.5, 0.9):
        apply_masks(weights, masks_at(sparsity))
        assert 1 - nonzero_weights(weights) / total == pytest.approx(sparsity, abs=0.005)


def test_outputs_are_never_pruned():
    for build, last in ((NETWORKS["tiny"], "9.weight"), (NETWORKS["unet"], "final_conv.weight")):
        model = build()
        assert last in prunable_weights(model)
        assert last not in masks_of(model, 0.99)


def test_a_pruned_channel_says_the_same_everywhere():
    """What is zeroed is what a unit computes from its input, not what it passes on to one of its readers."""
    model = NETWORKS["unet"]().eval()
    weight = "upcat_4.upsample.deconv.weight"
    alive = dead_and_live(masks_of(model, 0.5)[weight], 1)
    apply_masks(prunable_weights(model), masks_of(model, 0.5))
    seen: list[torch.Tensor] = []
    model.get_submodule(weight.removesuffix(".weight")).register_forward_hook(lambda *given: seen.append(given[2]))
    with torch.no_grad():
        model(torch.randn(2, 3, 32, 32))
    spread = seen[0].amax(dim=(0, 2, 3)) - seen[0].amin(dim=(0, 2, 3))
    assert torch.equal(spread > 0, alive)


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.25, 1.0]), min_size=3, max_size=3), min_size=1, max_size=9),
    st.floats(0, 0.99),
    st.floats(0, 0.99),
)
@settings(deadline=None)
def test_exact_counts_and_nesting_even_with_ties(values, first, second):
    scores = torch.tensor(values)
    low, high = sorted((first, second))
    ranking = ChannelRanking("w", scores, 0)
    few, many = (dead_and_live(ranking.masks(k)["w"], 0) for k in (low, high))
    assert (~few).sum() == min(round(low * len(values)), len(values) - 1)
    assert not (many & ~few).any()
    means = scores.double().mean(dim=1)
    if few.any() and (~few).any():
        assert means[few].min() >= means[~few].max()


def test_every_torchvision_classifier_ends_with_its_outputs():
    """What `channel_axes` leaves out is the layer whose channels are the classes."""
    for name in ("resnet50", "densenet121", "vgg11", "squeezenet1_0", "googlenet", "convnext_tiny", "vit_b_16"):
        with torch.device("meta"):
            arguments = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
            model = torchvision.models.get_model(name, weights=None, num_classes=7, **arguments)
        (last,) = set(prunable_weights(model)) - set(channel_axes(model))
        assert prunable_weights(model)[last].shape[0] == 7, name


def test_the_method_is_read_and_bad_weights_are_refused():
    assert split_method("random@channel") == ("random", "channel")
    with pytest.raises(UserError, match="not finite"):
        ChannelRanking("w", torch.tensor([[1.0], [float("inf")]]), 0)
