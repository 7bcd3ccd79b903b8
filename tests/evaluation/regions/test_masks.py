"""Masks and their scores, a batch at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.predict import predict_outputs
from prunecxr.evaluation.regions.boxes import boxes_from_heat
from prunecxr.evaluation.regions.masks import (
    boxed,
    predict_boxes,
    score_against,
    segmented,
)
from prunecxr.evaluation.regions.saliency import grad_cam_heat
from prunecxr.evaluation.regions.scores import score_images
from prunecxr.networks.unet import build_unet
from tests.studies.localization.lesions import FEATURES, blots
from tests.tiny import CPU

BLOTS = blots(11)
COMPUTE = replace(CPU, eval_batch_size=4)


def masks_of(model) -> np.ndarray:
    return np.concatenate(list(segmented(Evaluator(model, COMPUTE, "eager"), BLOTS.images)))


def test_a_pixel_is_lesion_where_that_is_likelier():
    model = build_unet(FEATURES, seed=1)
    logits = torch.cat(list(predict_outputs(model, BLOTS.images, COMPUTE)))
    with torch.no_grad():  # untrained: make either region as likely
        model.final_conv.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    masks = masks_of(model)
    logits = torch.cat(list(predict_outputs(model, BLOTS.images, COMPUTE)))
    assert masks.dtype == np.uint8
    assert np.array_equal(masks, logits.argmax(dim=1).numpy())
    assert 0 < masks.mean() < 1
    assert model.training


def test_scores_taken_batch_by_batch_are_those_of_the_whole():
    model = build_unet(FEATURES, seed=1)
    streamed = score_against(segmented(Evaluator(model, COMPUTE, "eager"), BLOTS.images), BLOTS.masks)
    assert streamed.equals(score_images(masks_of(model), BLOTS.masks))
    assert list(streamed.index) == list(range(11))


def test_batches_are_made_as_they_are_asked_for():
    """Memory does not grow with the images: nothing is computed before it is taken."""
    calls: list[int] = []
    model = build_unet(FEATURES, seed=1)
    model.register_forward_hook(lambda _, given, __: calls.append(len(given[0])))
    batches = segmented(Evaluator(model, COMPUTE, "eager"), BLOTS.images)
    assert calls == []
    next(batches)
    assert calls == [4]
    assert [len(batch) for batch in batches] == [4, 3]


def test_masks_of_the_weak_setting_are_the_insides_of_boxes():
    model = build_unet(FEATURES, seed=1, head_classes=3)
    masks = np.concatenate(list(boxed(Evaluator(model, COMPUTE, "eager"), BLOTS.images)))
    boxes = predict_boxes(Evaluator(model, COMPUTE, "eager"), BLOTS.images, "grad_cam")
    assert boxes.shape == (11, 4)
    assert np.array_equal(boxes_from_heat(masks * np.uint8(255)), boxes)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert masks.sum(axis=(1, 2)).tolist() == areas.tolist()
    heat = np.concatenate(list(grad_cam_heat(model, BLOTS.images, COMPUTE)))
    assert np.array_equal(boxes, boxes_from_heat(heat))
