"""Heat maps: Grad-CAM++ by the paper's formula, one image at a time; probabilities."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from prunecxr.data.batches import evaluation_batches
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.predict import predict_outputs
from prunecxr.evaluation.regions.boxes import scale_heat
from prunecxr.evaluation.regions.masks import HEAT
from prunecxr.evaluation.regions.saliency import grad_cam_heat, probability_heat
from prunecxr.networks.unet import ClassificationHead, build_unet, last_features, last_layer
from tests.studies.localization.lesions import FEATURES, blots
from tests.tiny import CPU

BLOTS = blots(10)


def reference(model: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """Chattopadhyay et al., Grad-CAM++, equations 9 to 12 and 19, written out in float64 for a single image."""
    inputs = next(evaluation_batches(image[None], 1, CPU.device, CPU.channels_last))
    features = last_features(model, inputs)[0].double()
    layer = copy.deepcopy(last_layer(model)).double()
    maps = features.clone().requires_grad_()
    logits = layer(maps.unsqueeze(0))[0]
    score = logits.max() if isinstance(layer, ClassificationHead) else logits[1].mean()
    (gradient,) = torch.autograd.grad(score, maps)
    heat = np.zeros(maps.shape[1:])
    for a, g in zip(features.numpy(), gradient.numpy(), strict=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            alpha = np.nan_to_num(g**2 / (2 * g**2 + (a * g**3).sum()))
        heat += (alpha * np.maximum(g, 0)).sum() * a
    return scale_heat(np.maximum(heat, 0)[None])[0]


@pytest.mark.parametrize("head", [None, 3])
def test_grad_cam_is_the_papers_formula(head):
    model = build_unet(FEATURES, seed=2, head_classes=head).eval()
    heat = np.concatenate(list(grad_cam_heat(model, BLOTS.images, replace(CPU, eval_batch_size=4))))
    assert heat.shape == BLOTS.masks.shape
    assert heat.dtype == np.uint8
    expected = np.stack([reference(model, image) for image in BLOTS.images])
    assert expected.max(axis=(1, 2)).min() == 255  # the maps show something
    assert np.abs(heat.astype(int) - expected).max() <= 1  # rounding


@pytest.mark.parametrize(("heat", "head"), [("probability", None), ("grad_cam", None), ("grad_cam", 3)])
def test_images_of_a_batch_do_not_mix_and_the_network_is_left_as_it_was(heat, head):
    model = build_unet(FEATURES, seed=2, head_classes=head).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    together, alone = (
        np.concatenate(
            list(HEAT[heat](Evaluator(model, replace(CPU, eval_batch_size=size), "eager"), BLOTS.images, None))
        )
        for size in (10, 1)
    )
    assert np.abs(together.astype(int) - alone).max() <= 1
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_probability_heat_is_not_stretched():
    model = build_unet(FEATURES, seed=2)
    logits = torch.cat(list(predict_outputs(model, BLOTS.images, CPU)))
    heat = probability_heat(logits)
    assert heat.tolist() == torch.sigmoid(logits[:, 1] - logits[:, 0]).mul(255).round().int().tolist()
    assert heat.max() < 255
