"""One-shot variants: one network pruned further and further, with what rebuilds each."""

from __future__ import annotations

import pytest
import torch

from prunecxr import __version__
from prunecxr.compression.context import Context
from prunecxr.compression.masks import apply_masks
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import masks_of, variants
from prunecxr.networks.prunable import prunable_weights
from tests import tiny


@pytest.mark.parametrize("method", ["magnitude", "random", "magnitude@layer", "random@channel"])
def test_each_variant_is_the_dense_network_with_its_masks(method):
    model, method = tiny.network(), Method.parse(method)
    masks_at = masks_of(method, tiny.network(), Context(tiny.network(), 3))
    levels = []
    for variant in variants(method, model, (0.9, 0.0, 0.5), Context(model, 3)):
        levels.append(variant.level)
        assert variant.network is model
        assert variant.derivable
        expected = tiny.network()
        apply_masks(prunable_weights(expected), masks_at(variant.level))
        for one, other in zip(model.state_dict().values(), expected.state_dict().values(), strict=True):
            assert torch.equal(one, other)
    assert levels == [0.0, 0.5, 0.9]


def test_recipe_and_sizes():
    model = tiny.network()
    total = sum(weight.numel() for weight in prunable_weights(model).values())
    dense, pruned = (
        (variant.recipe, variant.sizes)
        for variant in variants(Method.parse("random@layer"), model, (0, 0.5), Context(model, 3))
    )
    assert dense[1] == {"realised_sparsity": 0.0, "nonzero_weights": total}
    assert pruned[1]["realised_sparsity"] == pytest.approx(0.5, abs=0.01)
    assert pruned[0] == {
        "seed": 3,
        "criterion": "random",
        "scope": "layer",
        "sparsity": 0.5,
        "pruning_seed": 315657755855917075,
        "prunecxr": __version__,
    }
