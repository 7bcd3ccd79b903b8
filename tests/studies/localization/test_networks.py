"""The U-Net: MONAI's, reproducible, with a head for classes; its last feature map."""

from __future__ import annotations

import torch
from monai.networks.nets import BasicUNet
from torch import nn

from prunecxr.networks.prunable import evaluating, prunable_weights
from prunecxr.networks.unet import ClassificationHead, build_unet, last_features, last_layer
from tests.studies.localization.lesions import FEATURES

INPUTS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_plain_unet_with_batch_norm():
    model = build_unet(FEATURES, seed=1)
    assert type(model) is BasicUNet
    assert model(INPUTS).shape == (2, 2, 32, 32)
    norms = [module for module in model.modules() if "Norm" in type(module).__name__]
    assert norms
    assert all(isinstance(module, nn.BatchNorm2d) for module in norms)


def test_the_seed_and_nothing_else_drives_the_start():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other, third = (build_unet(FEATURES, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], third[name]) for name in one)


def test_the_backbone_of_the_weak_setting_is_the_same_network():
    segmenting, classifying = build_unet(FEATURES, 1), build_unet(FEATURES, 1, head_classes=7)
    assert classifying.eval()(INPUTS).shape == (2, 7)
    assert isinstance(last_layer(classifying), ClassificationHead)
    mine, theirs = segmenting.state_dict(), classifying.state_dict()
    shared = [name for name in mine if not name.startswith("final_conv")]
    assert all(torch.equal(mine[name], theirs[name]) for name in shared)
    assert list(prunable_weights(classifying))[-1] == "final_conv.linear.weight"
    assert list(prunable_weights(segmenting))[-1] == "final_conv.weight"


def test_the_last_feature_map_is_what_the_last_layer_sees():
    for head in (None, 3):
        model = build_unet(FEATURES, 1, head)
        with evaluating(model), torch.no_grad():
            features = last_features(model, INPUTS)
            assert features.shape == (2, FEATURES[-1], 32, 32)
            assert torch.equal(last_layer(model)(features), model(INPUTS))
        assert model.training
        assert not last_layer(model)._forward_pre_hooks
