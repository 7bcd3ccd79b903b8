"""Training a localization network: it learns masks and classes, continues after a kill, fine-tunes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from prunecxr.errors import UserError
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.predict import predict_outputs
from prunecxr.evaluation.regions.masks import score_against, segmented
from prunecxr.evaluation.regions.scores import split_scores
from prunecxr.learning.loop import Session, run_epochs
from prunecxr.networks.unet import build_unet
from prunecxr.studies.localization.losses import balanced_weights, cross_entropy, focal
from prunecxr.studies.localization.training import Examples, classification, segmentation
from tests.studies.localization.lesions import FEATURES, blots, recipe
from tests.tiny import CPU

TRAIN, VAL = blots(40), blots(24, seed=1)


def unet(head: int | None = None, seed: int = 0) -> torch.nn.Module:
    return build_unet(FEATURES, seed, head).to(memory_format=torch.channels_last)


def train(model, chosen=None, seed=0, loss=None, index=None, **arguments):
    loss = loss or cross_entropy(balanced_weights(TRAIN.masks, 2))
    learning = segmentation(TRAIN.batches(TRAIN.masks, index), Examples(VAL.images, VAL.masks), loss, CPU)
    return run_epochs(model, learning, chosen or recipe(), CPU, Session(seed, **arguments))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("loss", [None, focal(2.0)])
def test_masks_are_learnt(loss):
    model = unet()
    history = train(model, recipe(6, learning_rate=0.2, milestones=(5,)), loss=loss)
    assert history[-1].val_foreground > 0.75
    assert history[-1].train_loss < history[0].train_loss
    scores = split_scores(score_against(segmented(Evaluator(model, CPU, "eager"), VAL.images), VAL.masks))
    assert {f"val_{name}": value for name, value in scores.items()} == {
        name: getattr(history[-1], name) for name in ("val_background", "val_foreground", "val_mean", "val_dice")
    }  # the network is that of the last epoch


def test_the_rate_is_a_tenth_from_each_milestone_on():
    history = train(unet(), recipe(5, milestones=(1, 3)))
    assert [epoch.learning_rate for epoch in history] == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


class Stop(Exception):
    """Stands for a kill."""


def test_a_killed_training_ends_with_the_same_bits(tmp_path):
    whole, killed, continued = unet(), unet(), unet()
    history = train(whole)

    def kill(epoch) -> None:
        if epoch.epoch == 1:
            raise Stop

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Stop):
        train(killed, checkpoint=path, on_epoch=kill)
    after = train(continued, checkpoint=path)
    assert same(whole, continued)
    assert [epoch.val_foreground for epoch in after] == [epoch.val_foreground for epoch in history]
    assert not same(whole, killed)


def test_same_seed_same_bits_other_seed_others():
    models = [unet() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        train(model, recipe(1), seed=seed)
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_fine_tuning_sees_the_chosen_images_alone():
    """Images that are not chosen may be anything: the bits do not depend on them."""
    chosen = np.array([3, 5, 8, 13, 21, 34])
    other = copy.deepcopy(TRAIN)
    rest = np.setdiff1d(np.arange(len(TRAIN.images)), chosen)
    other.images[rest] = 255 - other.images[rest]
    results = []
    for data in (TRAIN, other):
        model = unet()
        learning = segmentation(data.batches(data.masks, chosen), Examples(VAL.images, VAL.masks), cross_entropy(), CPU)
        run_epochs(model, learning, recipe(2, learning_rate=0.01), CPU, Session(seed=4))
        results.append(model)
    assert same(*results)
    assert not same(results[0], unet())


def test_classes_are_learnt_by_the_network_with_a_head():
    model = unet(3)
    learning = classification(TRAIN.batches(TRAIN.classes), Examples(VAL.images, VAL.classes), cross_entropy(), CPU)
    how = recipe(6, optimizer="adamw", learning_rate=0.02, schedule="one_cycle")
    history = run_epochs(model, learning, how, CPU, Session(seed=0))
    told = torch.cat(list(predict_outputs(model, VAL.images, CPU))).argmax(dim=1).numpy()
    assert history[-1].val_balanced_accuracy == pytest.approx(balanced_accuracy_score(VAL.classes, told))
    assert history[-1].val_accuracy == pytest.approx((told == VAL.classes).mean())
    assert history[-1].val_balanced_accuracy > 0.6


def test_a_class_missing_in_validation_counts_for_nothing():
    classes = np.zeros(len(VAL.images), dtype=np.int64)
    only = classification(TRAIN.batches(TRAIN.classes), Examples(VAL.images, classes), cross_entropy(), CPU)
    scores = only.validate(unet(3).eval())
    assert scores["val_balanced_accuracy"] == scores["val_accuracy"]


def test_a_diverged_training_says_what_to_do():
    with pytest.raises(UserError, match="diverged.*lower learning_rate"):
        train(unet(), recipe(4, learning_rate=10.0, weight_decay=10.0, momentum=0.99))
