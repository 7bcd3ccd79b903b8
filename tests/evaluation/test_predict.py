"""Probabilities: independent of batch size in fp32, close in bf16, the model's mode restored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from prunecxr.evaluation.predict import outputs_in_fp32, predict_logits, probabilities
from tests import tiny


def logits(precision="fp32", batch_size=16, model=None):
    compute = replace(tiny.CPU, precision=precision, eval_batch_size=batch_size)
    return predict_logits(model or tiny.network(), tiny.bright_squares(37).pixels, compute)


@pytest.mark.parametrize("batch_size", [1, 5, 37, 100])
def test_batch_size_does_not_matter(batch_size):
    assert torch.allclose(logits(batch_size=batch_size), logits(), atol=1e-6)


def test_bf16_is_close_and_returns_fp32():
    low = logits("bf16")
    assert low.dtype == torch.float32
    assert torch.allclose(low, logits(), atol=5e-2)


def test_the_mode_is_restored_and_dropout_is_off():
    model = tiny.network().train()
    assert torch.equal(logits(model=model), logits(model=model))
    assert model.training


def test_probabilities_are_sigmoids():
    values = torch.tensor([[-100.0, 0.0, 100.0]])
    assert np.allclose(probabilities(values), [[0, 0.5, 1]])
    assert probabilities(values).dtype == np.float32


def test_outputs_in_fp32_are_closer_and_do_not_tie():
    model, exact, low = tiny.network(), logits(), logits("bf16")
    with outputs_in_fp32(model):
        found = logits("bf16", model=model)
    assert torch.equal(low, low.bfloat16().float()), "as autocast gives them"
    assert len(found.unique()) > len(low.unique())
    assert (found - exact).abs().mean() < (low - exact).abs().mean()


def test_the_last_layer_is_as_before_after_an_error_too():
    model, before = tiny.network(), logits("bf16")
    with pytest.raises(KeyError), outputs_in_fp32(model):
        raise KeyError
    assert torch.equal(logits("bf16", model=model), before)


def test_a_network_that_ends_in_a_convolution_is_left_alone():
    model = nn.Sequential(nn.Linear(12, 12), nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    before = logits("bf16", model=model)
    with outputs_in_fp32(model):
        assert torch.equal(logits("bf16", model=model), before)
