"""Batches: order, augmentation, normalisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from prunecxr.data.batches import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    TrainingBatches,
    augment,
    evaluation_batches,
    load_gray,
    to_input,
)
from tests import tiny

CPU = torch.device("cpu")


def batches(images, **changes):
    arguments = {
        "batch_size": 8,
        "flip": True,
        "rotation": 15.0,
        "device": CPU,
        "channels_last": True,
        **changes,
    }
    return TrainingBatches(images.pixels, images.labels, **arguments)


def test_normalisation_is_imagenets():
    gray = load_gray(np.full((1, 4, 4), 255, np.uint8), CPU)
    expected = reference.normalize(torch.ones(1, 3, 4, 4), IMAGENET_MEAN, IMAGENET_STD)
    assert torch.allclose(to_input(gray, False), expected)


def test_memory_layout():
    gray = load_gray(np.zeros((2, 8, 8), np.uint8), CPU)
    assert to_input(gray, True).is_contiguous(memory_format=torch.channels_last)
    assert to_input(gray, False).is_contiguous()


def test_evaluation_keeps_order_and_every_image():
    pixels = tiny.bright_squares(21).pixels
    whole = torch.cat(list(evaluation_batches(pixels, 8, CPU, False)))
    assert torch.equal(whole, to_input(load_gray(pixels, CPU), False))


def test_read_only_pixels_do_not_warn():
    pixels = tiny.bright_squares(5).pixels
    pixels.flags.writeable = False
    assert len(list(evaluation_batches(pixels, 2, CPU, True))) == 3


def test_an_epoch_holds_every_image_once_with_its_labels():
    images = tiny.bright_squares(30)
    marked = images.pixels.copy()
    marked[:, 0, 0] = np.arange(30)  # tells the images apart
    given = TrainingBatches(
        marked, images.labels, batch_size=7, flip=False, rotation=0, device=CPU, channels_last=False
    )
    seen = []
    for inputs, labels in given.epoch(3):
        index = (inputs[:, 0, 0, 0] * IMAGENET_STD[0] + IMAGENET_MEAN[0]).mul(255).round().long().numpy()
        assert np.array_equal(labels.numpy(), images.labels[index])
        seen.extend(index.tolist())
    assert sorted(seen) == list(range(30))
    assert seen != list(range(30))


def test_epochs_differ_and_repeat():
    images = tiny.bright_squares(16)
    one, again, other = ([x for x, _ in batches(images).epoch(s)] for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])


def test_flips_mirror_about_half_of_the_images():
    gray = torch.rand(400, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    out = augment(gray, True, 0, torch.Generator().manual_seed(1))
    mirrored = (out == gray.flip(-1)).all(dim=(1, 2, 3))
    same = (out == gray).all(dim=(1, 2, 3))
    assert (mirrored | same).all()
    assert 160 < mirrored.sum() < 240


@pytest.mark.parametrize("shape", [(33, 33), (40, 24)])
def test_rotation_agrees_with_torchvisions(shape):
    rng = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 1, 5, 5, generator=rng), shape, mode="bicubic")
    drawn = (torch.rand(1, generator=torch.Generator().manual_seed(7)) * 2 - 1) * 15
    out = augment(smooth, False, 15, torch.Generator().manual_seed(7))
    expected = reference.rotate(smooth, drawn.item(), reference.InterpolationMode.BILINEAR)
    inner = (..., slice(8, -8), slice(6, -6))
    assert torch.allclose(out[inner], expected[inner], atol=2e-2)


def test_no_augmentation_leaves_pixels_alone():
    gray = torch.rand(4, 1, 6, 6)
    assert torch.equal(augment(gray, False, 0, torch.Generator()), gray)
