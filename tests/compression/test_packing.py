"""Packing: bit for bit, small, and gone from what is loaded."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prunecxr.compression.context import Context
from prunecxr.compression.criteria import magnitude
from prunecxr.compression.masks import apply_masks, rank
from prunecxr.compression.packing import PackedModel, pack, unpack
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import prunable_weights


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


@given(
    arrays.arrays(
        "float32",
        arrays.array_shapes(max_dims=4, max_side=9),
        elements=st.sampled_from([0.0, -0.0, 1.5]) | st.floats(-60_000, 60_000, width=32),
    )
)
@settings(deadline=None)
def test_values_in_16_bits_are_those_of_half_precision(array):
    back = unpack(pack(torch.from_numpy(array), "fp16"))
    assert back.dtype == torch.float32
    assert np.array_equal(back.numpy(), array.astype(np.float16).astype(np.float32))


def test_values_too_large_for_16_bits_stay_as_they_are():
    tensor = torch.tensor([0.0, 1e6, 0.1])
    assert torch.equal(unpack(pack(tensor, "fp16")), tensor)


@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.95])
@pytest.mark.parametrize(("precision", "width"), [("fp32", 32), ("fp16", 16)])
def test_a_packed_tensor_is_close_to_its_information(sparsity, precision, width):
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(400_000, generator=generator)
    weights[torch.rand(400_000, generator=generator) < sparsity] = 0
    bits, values, _ = pack(weights, precision)
    kept = float((weights != 0).double().mean())
    entropy = -(kept * np.log2(kept) + (1 - kept) * np.log2(1 - kept))
    assert values.element_size() == width // 8
    assert bits.nbytes + values.nbytes <= 1.02 * 400_000 * (entropy + kept * width) / 8


def pruned(architecture: str, sparsity: float) -> torch.nn.Module:
    model = build_model(architecture, 20, "none", seed=0)
    weights = prunable_weights(model)
    apply_masks(weights, rank(magnitude(Context(model, 0)), "global")(sparsity))
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


@pytest.mark.parametrize("name", ["unet:4,4,8,8,16,4", "unet-classes:4,4,8,8,16,4"])
def test_a_unet_comes_back_by_its_name(name):
    model = pruned(name, 0.8)
    buffer = io.BytesIO()
    torch.save(PackedModel(model, name, 20), buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    inputs = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded(inputs), model(inputs))


def test_a_model_in_16_bits_rounds_its_prunable_weights_alone():
    model = pruned("resnet18", 0.8)
    buffer, exact = io.BytesIO(), io.BytesIO()
    torch.save(PackedModel(model, "resnet18", 20), exact)
    torch.save(PackedModel(model, "resnet18", 20, "fp16"), buffer)
    assert buffer.tell() < 0.6 * exact.tell()
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False).state_dict()
    rounded = prunable_weights(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded[name], tensor.half().float() if name in rounded else tensor)


def test_a_sparse_resnet50_takes_at_most_13_megabytes():
    buffer = io.BytesIO()
    torch.save(PackedModel(pruned("resnet50", 0.9), "resnet50", 20), buffer)
    assert buffer.tell() <= 13e6
