"""What criteria see: gradients and inputs against computation by hand; a criterion that needs both is one function."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from prunecxr.compression.context import Calibration, Context
from prunecxr.compression.criteria import CRITERIA
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import masks_of, variants
from prunecxr.data.batches import evaluation_batches
from prunecxr.errors import UserError
from prunecxr.networks.prunable import prunable_weights
from tests import tiny

LOSS = functional.binary_cross_entropy_with_logits


def calibration(batch_size: int = 8) -> Calibration:
    images = tiny.bright_squares(20)
    return Calibration(images.pixels, torch.from_numpy(images.labels).float(), LOSS, batch_size)


def all_inputs() -> torch.Tensor:
    return next(evaluation_batches(tiny.bright_squares(20).pixels, 20, torch.device("cpu"), channels_last=False))


def test_gradients_are_those_of_the_mean_loss_over_all_images():
    model = tiny.network().eval()
    LOSS(model(all_inputs()), calibration().targets).backward()
    expected = {name: weight.grad.clone() for name, weight in prunable_weights(model).items()}
    model.zero_grad()
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = Context(model, 0, calibration()).gradients()
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-7)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_gradients_come_under_no_grad_and_of_frozen_networks():
    model = tiny.network().requires_grad_(False)
    with torch.no_grad():
        gradients = Context(model, 0, calibration()).gradients()
    assert all(gradient.abs().sum() > 0 for gradient in gradients.values())


def test_activations_are_the_norms_of_each_layers_input_channels():
    model = tiny.network().eval()
    with torch.no_grad():
        into = {"0.weight": all_inputs()}
        into["3.weight"] = model[:3](into["0.weight"])
        into["9.weight"] = model[:9](into["0.weight"])
    norms = Context(model, 0, calibration()).activations()
    assert norms.keys() == into.keys()
    for name, inputs in into.items():
        by_hand = inputs.transpose(0, 1).flatten(1).square().sum(1).sqrt()
        torch.testing.assert_close(norms[name], by_hand, rtol=1e-5, atol=1e-6)
    assert not any(layer._forward_pre_hooks for layer in model.modules())


def test_inputs_of_a_linear_layer_of_sequences():
    """Channels are the last axis of what enters a linear layer, whatever stands before it."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(12, 2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:  # rows of an image are tokens
            return self.linear(inputs.mean(1)).mean(1)

    (norms,) = Context(Tokens(), 0, calibration()).activations().values()
    by_hand = all_inputs().mean(1).reshape(-1, 12).norm(dim=0)
    torch.testing.assert_close(norms, by_hand, rtol=1e-5, atol=1e-6)


def test_layers_that_are_used_unasked_are_named():
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(12, 2, batch_first=True)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            rows = inputs.mean(1)
            return self.attention(rows, rows, rows)[0].mean(1)

    with pytest.raises(UserError, match="layer of attention.out_proj.weight cannot be observed"):
        Context(Attention(), 0, calibration()).activations()


def test_both_are_computed_once():
    ctx = Context(tiny.network(), 0, calibration())
    assert ctx.gradients() is ctx.gradients()
    assert ctx.activations() is ctx.activations()


def test_without_calibration_images_one_line_says_so():
    ctx = Context(tiny.network(), 0)
    for ask in (ctx.gradients, ctx.activations, lambda: ctx.calibration):
        with pytest.raises(UserError, match="needs calibration images, and this study has none"):
            ask()


def saliency(ctx: Context) -> dict[str, torch.Tensor]:
    """|w g| times the norm of what enters: a criterion that needs everything there is."""
    scores = {}
    for name, weight in ctx.weights.items():
        norms = ctx.activations()[name].view(1, -1, *[1] * (weight.ndim - 2))
        scores[name] = (weight * ctx.gradients()[name]).abs().detach() * norms
    return scores


def test_a_criterion_with_gradients_and_inputs_costs_one_function(monkeypatch):
    monkeypatch.setitem(CRITERIA, "saliency", saliency)
    model = tiny.network()
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    scores = torch.cat([score.flatten() for score in saliency(Context(model, 0, calibration())).values()])
    *_, last = variants(Method.parse("saliency"), model, (0, 0.5), Context(model, 0, calibration()))
    kept = torch.cat([weight.flatten() != 0 for weight in prunable_weights(model).values()])
    assert int(kept.sum()) == last.sizes["nonzero_weights"]
    assert scores[kept].min() >= scores[~kept].max()
    assert any(not torch.equal(before[name], weight) for name, weight in prunable_weights(model).items())
    with pytest.raises(UserError, match="calibration images"):
        masks_of(Method.parse("saliency"), model, Context(model, 0))


def test_scores_of_the_two_first_criteria_keep_their_bits():
    ctx = Context(tiny.network(), 7)
    magnitudes, lots = CRITERIA["magnitude"](ctx), CRITERIA["random"](ctx)
    generator = torch.Generator().manual_seed(3167529881676821693)
    for name, weight in ctx.weights.items():
        assert torch.equal(magnitudes[name], weight.abs())
        assert torch.equal(lots[name], torch.rand(weight.shape, generator=generator))
