"""Masks: parity with torch, exact counts, nesting, ties, scopes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunecxr.compression.context import Context
from prunecxr.compression.masks import apply_masks, nonzero_weights
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import masks_of
from prunecxr.compression.rankings import Masks, Ranking
from prunecxr.errors import UserError
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import prunable_weights
from tests import tiny

SPARSITIES = (0.0, 0.05, 0.33, 0.5, 0.9, 0.95, 0.999)


def masks_at(model: nn.Module, method: str = "magnitude", seed: int = 0) -> Callable[[float], Masks]:
    return masks_of(Method.parse(method), model, Context(model, seed))


def torch_masks(model: nn.Module, sparsity: float) -> dict[str, torch.Tensor]:
    """The masks of torch's own global L1 pruning."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    prune.global_unstructured([(m, "weight") for m in layers.values()], prune.L1Unstructured, amount=sparsity)
    return {f"{name}.weight": module.weight_mask.bool() for name, module in layers.items()}


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_parity_with_torch(sparsity, channels_last):
    model = tiny.network()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    ours = masks_at(model)(sparsity)
    theirs = torch_masks(tiny.network(), sparsity)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_parity_with_torch_on_a_resnet():
    model = build_model("resnet18", 5, "none", seed=1)
    ours = masks_at(model)(0.9)
    theirs = torch_masks(build_model("resnet18", 5, "none", seed=1), 0.9)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


tensors = st.lists(
    st.lists(st.sampled_from([0.0, 0.1, 0.1, 0.25, 1.0, 3.0]), min_size=1, max_size=12), min_size=1, max_size=4
)


@given(tensors, st.floats(0, 0.99), st.floats(0, 0.99))
@settings(deadline=None)
def test_exact_counts_and_nesting_even_with_ties(values, first, second):
    scores = {str(i): torch.tensor(value) for i, value in enumerate(values)}
    n = sum(map(len, values))
    low, high = sorted((first, second))
    ranking = Ranking(scores)
    few, many = (torch.cat([m.flatten() for m in ranking.masks(k).values()]) for k in (low, high))
    assert (~few).sum() == round(low * n)
    assert (~many).sum() == round(high * n)
    assert not (many & ~few).any()  # what is pruned at the lower sparsity is pruned at the higher


@given(tensors, st.floats(0, 0.99))
@settings(deadline=None)
def test_what_stays_scores_at_least_as_high_as_what_goes(values, sparsity):
    scores = {str(i): torch.tensor(value) for i, value in enumerate(values)}
    masks = Ranking(scores).masks(sparsity)
    flat = torch.cat(list(scores.values()))
    keep = torch.cat([m.flatten() for m in masks.values()])
    if keep.any() and (~keep).any():
        assert flat[keep].min() >= flat[~keep].max()


def test_layer_scope_prunes_each_layer_alike():
    masks = masks_at(tiny.network(), "magnitude@layer")(0.5)
    assert all((~mask).sum() == round(0.5 * mask.numel()) for mask in masks.values())


def test_random_is_reproducible_and_nested():
    model = tiny.network()
    one, other, third = (masks_at(model, "random", seed)(0.5) for seed in (3, 3, 4))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], third[name]) for name in one)
    more = masks_at(model, "random", 3)(0.8)
    assert not any((more[name] & ~one[name]).any() for name in one)


def test_applying_masks_one_after_the_other_equals_applying_the_last():
    stepwise, directly = tiny.network(), tiny.network()
    masks = masks_at(stepwise)
    for sparsity in SPARSITIES[:5]:
        apply_masks(prunable_weights(stepwise), masks(sparsity))
    apply_masks(prunable_weights(directly), masks(SPARSITIES[4]))
    for one, other in zip(stepwise.state_dict().values(), directly.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_biases_and_norms_are_left_alone():
    model = tiny.network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weights = prunable_weights(model)
    assert set(weights) == {"0.weight", "3.weight", "9.weight"}
    apply_masks(weights, masks_at(model)(0.99))
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name not in weights)
    total = sum(w.numel() for w in weights.values())
    assert nonzero_weights(weights) == total - round(0.99 * total)


def test_nan_weights_are_refused():
    with pytest.raises(UserError, match="not finite"):
        Ranking({"w": torch.tensor([1.0, float("nan")])})
