"""Training losses against their formulas, written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prunecxr.learning.classification import fit
from prunecxr.learning.loop import Session
from prunecxr.learning.losses import LOSSES, focused, make_loss
from prunecxr.options import sections
from prunecxr.options.registries import names_in
from prunecxr.options.sections import TrainingOptions
from tests import tiny

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (40, 4))
LABELS = (RNG.random((40, 4)) < [0.1, 0.5, 0.9, 0.3]).astype(np.uint8)


def computed(name: str, labels: np.ndarray = LABELS) -> float:
    loss = make_loss(name, labels, torch.device("cpu"))
    return float(loss(torch.tensor(LOGITS), torch.tensor(labels, dtype=torch.float64)))


def terms(labels: np.ndarray = LABELS) -> tuple[np.ndarray, np.ndarray]:
    """Minus log probability of what is true, for positives and negatives; zero elsewhere."""
    p = 1 / (1 + np.exp(-LOGITS))
    return -np.log(p) * labels, -np.log(1 - p) * (1 - labels)


def test_every_loss_is_an_option_and_the_other_way_round():
    assert set(LOSSES) == set(names_in(sections.LOSSES))
    assert [sections.TrainingOptions(loss=name).loss for name in LOSSES] == list(LOSSES)
    with pytest.raises(ValueError, match="there is none of that name"):
        sections.TrainingOptions(loss="hinge")


def test_bce():
    positive, negative = terms()
    assert computed("bce") == pytest.approx((positive + negative).mean())


def test_weighted_bce_gives_positives_the_weight_of_the_negatives():
    positive, negative = terms()
    share = LABELS.mean(axis=0)
    assert computed("weighted_bce") == pytest.approx((positive * (1 - share) / share + negative).mean(), rel=1e-6)


@pytest.mark.parametrize("value", [0, 1])
def test_a_class_of_one_kind_keeps_its_weight(value):
    labels = LABELS.copy()
    labels[:, 0] = value
    positive, negative = terms(labels)
    share = labels[:, 1:].mean(axis=0)
    weights = np.concatenate([[1.0], (1 - share) / share])
    assert computed("weighted_bce", labels) == pytest.approx((positive * weights + negative).mean(), rel=1e-6)


def test_focal_fades_what_is_told_well():
    p = 1 / (1 + np.exp(-LOGITS))
    true = np.where(LABELS == 1, p, 1 - p)
    assert computed("focal") == pytest.approx((-((1 - true) ** 2) * np.log(true)).mean())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focused_entropies_have_finite_gradients_where_all_is_told(gamma):
    entropy = torch.tensor([0.0, 1e-9, 1e-7, 0.5, 100.0], requires_grad=True)
    focused(entropy, gamma).sum().backward()
    missed = 1 - np.exp(-entropy.detach().double().numpy())
    slope = missed**gamma + gamma * np.maximum(missed, 1e-300) ** (gamma - 1) * (1 - missed) * entropy.detach().numpy()
    assert entropy.grad.numpy() == pytest.approx(slope, abs=1e-3)


def test_a_new_loss_is_one_function_of_the_counts(monkeypatch):
    def balanced(counts):
        weights = counts.per_class(counts.n_images / counts.positives)
        return lambda logits, labels: (weights * (logits - labels) ** 2).mean()

    monkeypatch.setitem(LOSSES, "balanced", balanced)
    expected = ((LOGITS - LABELS) ** 2 / LABELS.mean(axis=0)).mean()
    assert computed("balanced") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_networks_learn_by_each(name):
    options = TrainingOptions(
        weights="none",
        optimizer="adamw",
        learning_rate=0.02,
        batch_size=16,
        epochs=12,
        rotation=0,
        flip=False,
        loss=name,
    )
    history = fit(
        tiny.network(), tiny.bright_squares(70), tiny.bright_squares(40, seed=1), options, tiny.CPU, Session(seed=0)
    )
    assert max(epoch.val_mean_auroc for epoch in history) > 0.8
    assert history[-1].train_loss < history[0].train_loss
