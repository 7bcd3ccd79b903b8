"""Packing: bit for bit, small, and gone from what is loaded."""

from __future__ import annotations

import io

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prunecxr.compression.criteria import magnitude
from prunecxr.compression.masks import apply_masks, rank
from prunecxr.compression.packing import PackedModel, pack, unpack
from prunecxr.models import build_model, prunable_weights


@given(
    arrays.arrays(
        "float32", arrays.array_shapes(max_dims=4, max_side=9), elements=st.sampled_from([0.0, -0.0, 1.5, -2.0])
    )
)
@settings(deadline=None)
def test_round_trip_keeps_every_bit(array):
    tensor = torch.from_numpy(array)
    back = unpack(pack(tensor))
    assert back.shape == tensor.shape
    assert torch.equal(back.view(torch.int32), tensor.view(torch.int32))


def test_dense_and_integer_tensors_are_left_as_they_are():
    dense, counter = torch.ones(100), torch.tensor(7)
    assert pack(dense) is not None
    assert isinstance(pack(dense), torch.Tensor)
    assert torch.equal(unpack(pack(counter)), counter)


def pruned(architecture: str, sparsity: float) -> torch.nn.Module:
    model = build_model(architecture, 20, "none", seed=0)
    weights = prunable_weights(model)
    apply_masks(weights, rank(magnitude(weights, 0), "global")(sparsity))
    return model.eval()


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small", "vit_b_16"])
def test_a_model_comes_back_as_the_plain_network(architecture):
    model = pruned(architecture, 0.8)
    buffer = io.BytesIO()
    torch.save(PackedModel(model, architecture, 20), buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert type(loaded) is type(torchvision.models.get_model(architecture))
    assert not loaded.training
    assert all(p.requires_grad for p in loaded.parameters())
    for one, other in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_sparse_resnet50_takes_at_most_13_megabytes():
    buffer = io.BytesIO()
    torch.save(PackedModel(pruned("resnet50", 0.9), "resnet50", 20), buffer)
    assert buffer.tell() <= 13e6
