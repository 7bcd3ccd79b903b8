"""What each setting trains, and what it calls the lesion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.boxes import fill_boxes
from prunecxr.learning.loop import Session, run_epochs
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.losses import focal
from prunecxr.studies.localization.settings import localizer, recipe_of
from prunecxr.studies.localization.training import Examples
from tests.tiny import CPU

OPTIONS = HtlTrainingOptions(
    features=(4, 4, 4, 4, 8, 4), optimizer="adamw", learning_rate=0.02, schedule="constant", batch_size=8, epochs=6,
    rotation=0,
)  # fmt: skip


def bright_disks(n: int = 24, size: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images with a bright (class 1) or a dark (class 0) disk, its mask, its class."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    centres = rng.integers(10, size - 10, (n, 2))
    masks = np.stack([(y - a) ** 2 + (x - b) ** 2 < 49 for a, b in centres])
    classes = np.arange(n) % 2
    images = np.where(masks, np.where(classes, 220, 40)[:, None, None], 120) + rng.integers(0, 10, masks.shape)
    return np.repeat(images[..., None], 3, axis=3).astype(np.uint8), masks.astype(np.uint8), classes


def fit(how, model, examples: Examples, options, epochs: list, loss=None, index=None) -> None:
    """Train with seed 1, validated on the same images."""
    learning = how.learning(examples, examples, options, CPU, loss, index)
    run_epochs(model, learning, recipe_of(options), CPU, Session(seed=1, on_epoch=epochs.append))


def trained(setting: str, **options) -> tuple[object, torch.nn.Module, list, tuple]:
    images, masks, classes = bright_disks()
    how = localizer(setting, 2)
    model = how.build(OPTIONS, seed=1)
    targets, epochs = (classes if how.task == "classes" else masks), []
    examples = Examples(images, targets)
    fit(how, model, examples, OPTIONS, epochs, **options)
    return how, Evaluator(model, CPU, "eager"), epochs, (images, masks)


@pytest.mark.parametrize("setting", ["supervised", "semi"])
def test_segmenting_settings_learn_masks(setting):
    how, evaluator, epochs, (images, masks) = trained(setting)
    assert (how.task, how.n_outputs, how.heat) == ("masks", 2, "probability")
    found = np.concatenate(list(how.masks(evaluator, images)))
    assert found.shape == masks.shape
    assert epochs[-1].val_foreground > 0.5
    assert how.boxes(evaluator, images).shape == (24, 4)


def test_the_weak_setting_learns_classes_and_localizes_by_boxes():
    how, evaluator, epochs, (images, _) = trained("weak")
    assert (how.task, how.n_outputs, how.heat) == ("classes", 2, "grad_cam")
    assert epochs[-1].train_loss < epochs[0].train_loss
    boxes = how.boxes(evaluator, images)
    assert np.array_equal(np.concatenate(list(how.masks(evaluator, images))), fill_boxes(boxes, 32, 32))


def first_logits(how, images) -> torch.Tensor:
    """What the network of seed 1 says of a batch before it learns."""
    inputs = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return how.build(OPTIONS, 1).train()((inputs - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)).detach()


def test_classes_weigh_the_same_whichever_images_are_chosen():
    """Else approaches that are compared would differ in their loss, not in their images alone."""
    images, masks, _ = bright_disks(8)
    masks[:4] = 0
    masks[:4, 0, 0] = 1  # lesions of a pixel: by themselves they would weigh far more
    how, epochs = localizer("supervised", 0), []
    options = OPTIONS.model_copy(update={"epochs": 1, "flip": False})
    fit(
        how,
        how.build(options, 1),
        Examples(images, masks),
        options,
        epochs,
        how.class_weighted(masks, CPU),
        np.arange(4),
    )
    truth = torch.from_numpy(masks[:4]).long()
    weights = torch.tensor([masks.size / (2 * (masks == region).sum()) for region in (0, 1)], dtype=torch.float32)
    expected = torch.nn.functional.cross_entropy(first_logits(how, images[:4]), truth, weight=weights)
    assert epochs[0].train_loss == pytest.approx(float(expected), rel=1e-3)


def test_the_loss_is_the_one_asked_for():
    """One step on one batch: the epoch's loss is that of the untrained network under each loss."""
    images, masks, _ = bright_disks(8)
    how = localizer("supervised", 0)
    losses = {}
    for name, loss in {"plain": None, "focal": focal(2.0), "weighted": how.class_weighted(masks, CPU)}.items():
        epochs: list = []
        options = OPTIONS.model_copy(update={"epochs": 1, "flip": False})
        fit(how, how.build(options, 1), Examples(images, masks), options, epochs, loss)
        losses[name] = epochs[0].train_loss
    logits = first_logits(how, images)
    share = torch.log_softmax(logits, dim=1).gather(1, torch.from_numpy(masks).long().unsqueeze(1)).squeeze(1)
    truth = torch.from_numpy(masks).bool()
    assert losses["plain"] == pytest.approx(float(-share.mean()), rel=1e-3)
    assert losses["focal"] == pytest.approx(float(-((1 - share.exp()) ** 2 * share).mean()), rel=1e-3)
    both = (-share[truth].mean() - share[~truth].mean()) / 2
    assert losses["weighted"] == pytest.approx(float(both), rel=1e-3)


def test_fine_tuning_uses_the_images_of_its_index_alone():
    images, masks, _ = bright_disks()
    how, epochs = localizer("supervised", 0), []
    spoiled = masks.copy()
    spoiled[8:] = 1 - spoiled[8:]
    for targets in (masks, spoiled):
        learning = how.learning(Examples(images, targets), Examples(images, masks), OPTIONS, CPU, index=np.arange(8))
        session = Session(seed=1, on_epoch=epochs.append)
        run_epochs(how.build(OPTIONS, 1), learning, recipe_of(OPTIONS), CPU, session)
    assert [e.train_loss for e in epochs[:6]] == [e.train_loss for e in epochs[6:]]
