"""Losses: parity with torch's and MONAI's, and the weights of the classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import FocalLoss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from prunecxr.studies.localization.losses import balanced_weights, cross_entropy, focal


def outputs_and_masks(seed=0):
    torch.manual_seed(seed)
    return torch.randn(3, 2, 5, 4, requires_grad=True), torch.randint(0, 2, (3, 5, 4))


def test_weighted_cross_entropy_is_equation_3():
    outputs, masks = outputs_and_masks()
    weights = torch.tensor([0.7, 3.0])
    assert torch.equal(cross_entropy(weights)(outputs, masks), nn.CrossEntropyLoss(weight=weights)(outputs, masks))
    shares = torch.exp(outputs) / torch.exp(outputs).sum(dim=1, keepdim=True)
    by_hand = -weights[masks] * torch.log(shares.gather(1, masks.unsqueeze(1)).squeeze(1))
    assert cross_entropy(weights)(outputs, masks).item() == pytest.approx((by_hand.sum() / weights[masks].sum()).item())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_has_monais_values_and_gradients(gamma):
    outputs, masks = outputs_and_masks()
    ours = focal(gamma)(outputs, masks)
    theirs = 2 * FocalLoss(to_onehot_y=True, use_softmax=True, gamma=gamma)(outputs, masks.unsqueeze(1))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)  # MONAI's mean counts every pixel once a class
    one, other = (torch.autograd.grad(loss, outputs)[0] for loss in (ours, theirs))
    assert torch.allclose(one, other, atol=1e-6)


def test_focal_loss_without_focus_is_cross_entropy_and_finite_where_all_is_told():
    outputs, masks = outputs_and_masks()
    assert focal(0.0)(outputs, masks).item() == pytest.approx(cross_entropy()(outputs, masks).item())
    sure = nn.functional.one_hot(masks, 2).permute(0, 3, 1, 2).float().mul(200).requires_grad_()
    loss = focal(2.0)(sure, masks)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(sure.grad).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_has_finite_gradients_at_saturated_logits(gamma):
    """Logits of 20 to 200: the probability of what is true rounds to 1, or to 0."""
    masks = torch.tensor([[0, 1, 0, 1, 0, 1, 1]])
    margins = torch.tensor([20.0, 200.0, 17.0, -20.0, -200.0, 0.0, 16.6])
    outputs = nn.functional.one_hot(masks, 2).permute(0, 2, 1).float().mul(margins).requires_grad_()
    loss = focal(gamma)(outputs, masks)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(outputs.grad).all()
    exact = nn.functional.one_hot(masks, 2).permute(0, 2, 1).double().mul(margins.double()).requires_grad_()
    entropy = nn.functional.cross_entropy(exact, masks, reduction="none")
    ((-torch.expm1(-entropy)).clamp_min(1e-200) ** gamma * entropy).mean().backward()
    assert torch.allclose(outputs.grad.double(), exact.grad, atol=1e-5)


def test_balanced_weights_are_scikit_learns():
    rng = np.random.default_rng(0)
    masks = (rng.random((6, 5, 5)) < 0.2).astype(np.uint8)
    expected = compute_class_weight("balanced", classes=np.arange(2), y=masks.ravel())
    assert balanced_weights(masks, 2).numpy() == pytest.approx(expected)


def test_a_class_that_does_not_occur_weighs_one():
    weights = balanced_weights(np.array([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([4 / 9, 4 / 3, 1.0])
    assert torch.isfinite(weights).all()
