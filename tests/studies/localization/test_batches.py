"""Batches of lesions: order, and image and mask that stay a pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.data.batches import IMAGENET_MEAN, IMAGENET_STD, evaluation_batches, load_colour
from prunecxr.studies.localization.batches import LesionBatches, augment_pairs
from prunecxr.studies.localization.lesions.phantom import lesion_phantom

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lesions() -> tuple[np.ndarray, np.ndarray]:
    split = lesion_phantom("train", 21, 32, 0)
    return np.stack([split.images.read(i) for i in range(21)]), np.stack([split.masks.read(i) for i in range(21)])


def batches(images: np.ndarray, targets: np.ndarray, **changes) -> LesionBatches:
    arguments = {
        "batch_size": 8,
        "flip": True,
        "rotation": 180.0,
        "device": CPU,
        "channels_last": True,
        **changes,
    }
    return LesionBatches(images, targets, **arguments)


def colours(inputs: torch.Tensor) -> torch.Tensor:
    """Normalised inputs as colours 0..1."""
    mean, std = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return inputs * std + mean


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.booleans(), st.sampled_from([0.0, 15.0, 90.0, 180.0]))
def test_image_and_mask_move_alike(seed: int, flip: bool, rotation: float):
    """The image shows its own mask: wherever it was moved, the two still agree."""
    masks = np.zeros((4, 40, 40), np.uint8)
    for at, mask in enumerate(masks):
        mask[3 + at : 20, 8 : 30 - 4 * at] = 1
    images = np.repeat(masks[:, :, :, None] * np.uint8(255), 3, axis=3)
    ((inputs, moved),) = batches(images, masks, flip=flip, rotation=rotation).epoch(seed)
    assert (moved.dtype, set(moved.unique().tolist())) == (torch.int64, {0, 1})
    agree = ((colours(inputs)[:, 0] > 0.5) == (moved > 0)).float().mean(dim=(1, 2))
    assert (agree > 0.98).all()


def test_flips_alone_are_exact_and_all_four_occur(lesions):
    images, masks = lesions
    one, mask = np.repeat(images[:1], 64, axis=0), np.repeat(masks[:1], 64, axis=0)
    ((inputs, moved),) = batches(one, mask, rotation=0.0, batch_size=64).epoch(0)
    original = load_colour(images[:1], CPU)[0]
    seen = set()
    for picture, target in zip(colours(inputs), moved, strict=True):
        for axes in ((), (-1,), (-2,), (-1, -2)):
            if torch.allclose(picture, original.flip(axes), atol=1e-5):
                assert torch.equal(target, torch.from_numpy(masks[0]).long().flip(axes))
                seen.add(axes)
    assert len(seen) == 4


def test_rotations_go_all_the_way_round():
    """A mark to the right of the middle comes to every side."""
    masks = np.zeros((200, 33, 33), np.uint8)
    masks[:, 14:19, 20:25] = 1
    images = np.zeros((200, 33, 33, 3), np.uint8)
    ((_, moved),) = batches(images, masks, flip=False, batch_size=200).epoch(1)
    rows, columns = torch.meshgrid(torch.arange(33) - 16, torch.arange(33) - 16, indexing="ij")
    weight = moved.float() / moved.sum(dim=(1, 2), keepdim=True)
    x, y = (weight * columns).sum(dim=(1, 2)), (weight * rows).sum(dim=(1, 2))
    assert (torch.hypot(x, y) - 6).abs().max() < 1
    quadrant = (x > 0).int() * 2 + (y > 0).int()
    assert torch.bincount(quadrant, minlength=4).min() > 30


def test_what_turns_into_view_is_a_reflection_of_the_pair():
    images = np.full((8, 16, 16, 3), 255, np.uint8)
    ((inputs, moved),) = batches(images, np.ones((8, 16, 16), np.uint8)).epoch(0)
    assert colours(inputs).min() > 0.99
    assert moved.min() == 1


def test_an_epoch_holds_every_image_once(lesions):
    images, _ = lesions
    chosen = batches(images, np.arange(21))
    epoch = list(chosen.epoch(3))
    assert [len(inputs) for inputs, _ in epoch] == [8, 8, 5]
    assert len(chosen) == 3
    assert sorted(torch.cat([classes for _, classes in epoch]).tolist()) == list(range(21))
    assert epoch[0][1].dtype == torch.int64


def test_a_lone_last_image_joins_the_batch_before_it(lesions):
    images, masks = lesions
    assert [len(inputs) for inputs, _ in batches(images[:17], masks[:17]).epoch(0)] == [8, 9]


def test_the_seed_decides(lesions):
    first, again, other = (next(iter(batches(*lesions).epoch(seed))) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_some_images_alone(lesions):
    images, masks = lesions
    index = [20, 3, 7]
    ((inputs, moved),) = batches(images, masks, index=index, flip=False, rotation=0.0).epoch(0)
    assert len(inputs) == 3
    for picture, mask in zip(colours(inputs), moved, strict=True):
        same = [at for at in index if torch.allclose(picture, load_colour(images[at : at + 1], CPU)[0], atol=1e-5)]
        assert np.array_equal(masks[same[0]], mask.numpy())


def test_memory_layout_and_evaluation_order(lesions):
    images, masks = lesions
    inputs, _ = next(iter(batches(images, masks).epoch(0)))
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    whole = torch.cat(list(evaluation_batches(images, 8, CPU, False)))
    expected = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    assert torch.allclose(colours(whole), expected, atol=1e-5)
    images = images.copy()
    images.flags.writeable = False  # a memory map: no warning
    assert len(list(evaluation_batches(images, 8, CPU, True))) == 3


def test_classes_stay_while_images_move(lesions):
    images, _ = lesions
    tensor = load_colour(images, CPU)
    moved, masks = augment_pairs(tensor, None, True, 30.0, torch.Generator().manual_seed(0))
    assert masks is None
    assert moved.shape == tensor.shape
