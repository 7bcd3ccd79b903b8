"""fit(): it learns, stops in time, keeps the best epoch, and continues where it was."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from prunecxr.data.batches import TrainingBatches
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.evaluation.predict import predict_logits
from prunecxr.learning import classification as training
from prunecxr.learning.classification import Epoch, Images, fit, monitored
from prunecxr.learning.loop import Session
from prunecxr.options.sections import TrainingOptions
from tests import tiny

OPTIONS = TrainingOptions(
    weights="none", optimizer="adamw", learning_rate=0.02, batch_size=16, epochs=6, schedule="one_cycle", rotation=5
)
TRAIN, VAL = tiny.bright_squares(70), tiny.bright_squares(40, seed=1)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def train(options=OPTIONS, seed=0, val=VAL, **arguments):
    model = tiny.network()
    return fit(model, TRAIN, val, options, tiny.CPU, Session(seed=seed, **arguments)), model


def test_it_learns():
    history, _ = train(replace_options(epochs=15, flip=False))
    assert history[-1].train_loss < history[0].train_loss
    assert max(epoch.val_mean_auroc for epoch in history) > 0.85
    assert [epoch.epoch for epoch in history] == list(range(15))
    assert all(epoch.seconds > 0 for epoch in history)


def replace_options(**changes) -> TrainingOptions:
    return OPTIONS.model_copy(update=changes)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_same_seed_same_bits_other_seed_others(optimizer, schedule):
    options = replace_options(optimizer=optimizer, schedule=schedule, epochs=2)
    one, other, third = (state(train(options, seed=s)[1]) for s in (1, 1, 2))
    assert same(one, other)
    assert not same(one, third)


class Stop(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("killed_after", [0, 2, 4])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_killed_training_ends_with_the_same_bits(tmp_path, killed_after, schedule):
    options = replace_options(schedule=schedule)
    history, model = train(options)

    def kill(epoch: Epoch) -> None:
        if epoch.epoch == killed_after:
            raise Stop

    path = tmp_path / "folder" / "checkpoint.pt"
    with pytest.raises(Stop):
        train(options, checkpoint=path, on_epoch=kill)
    seen: list[int] = []
    continued, model_after = train(options, checkpoint=path, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert same(state(model), state(model_after))
    assert [replace(e, seconds=0) for e in continued] == [replace(e, seconds=0) for e in history]
    assert seen == list(range(6))
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.pt"]


def test_the_best_epoch_is_kept():
    states: list[dict[str, torch.Tensor]] = []
    model = tiny.network()
    options = replace_options(learning_rate=0.2, schedule="constant", epochs=6)
    history = fit(model, TRAIN, VAL, options, tiny.CPU, Session(seed=3, on_epoch=lambda _: states.append(state(model))))
    best = max(range(6), key=lambda i: history[i].val_mean_auroc)
    assert same(state(model), states[best])


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (3, 5), (4, 7)])
def test_early_stopping_counts_epochs_without_improvement(monkeypatch, patience, epochs):
    """Training ends `patience` epochs after the best one (the published code: one later); an equal value is no gain."""
    values = iter([0.5, 0.7, 0.7, 0.6, 0.65, 0.71, 0.1, 0.2])
    monkeypatch.setattr(training, "_validate", lambda *_: (1.0, {"ap": 0.1, "auroc": next(values)}))
    history, _ = train(replace_options(patience=patience, epochs=7))
    assert len(history) == epochs


def test_batch_norm_trains_in_every_epoch():
    """The published code froze it after the first validation."""
    means: list[torch.Tensor] = []
    model = tiny.network()
    fit(
        model,
        TRAIN,
        VAL,
        OPTIONS,
        tiny.CPU,
        Session(seed=0, on_epoch=lambda _: means.append(model[1].running_mean.clone())),
    )
    assert all(not torch.equal(one, other) for one, other in pairwise(means))


def test_losses_are_means_over_images_not_over_batches():
    """70 images in batches of 16 leave a last one of 6, which must not weigh as much as the others."""
    model = tiny.network().eval()
    for module in model.modules():
        module.train = lambda mode=True, module=module: module  # noqa: ARG005 (stay in eval mode)
    options = replace_options(
        epochs=1, flip=False, rotation=0, optimizer="sgd", learning_rate=1e-12, schedule="constant", momentum=0
    )
    history = fit(model, TRAIN, VAL, options, tiny.CPU, Session(seed=0))
    expected = []
    for images in (TRAIN, VAL):
        logits = predict_logits(model, images.pixels, replace(tiny.CPU, eval_batch_size=7))
        labels = torch.from_numpy(images.labels.astype(np.float32))
        expected.append(nn.functional.binary_cross_entropy_with_logits(logits, labels).item())
    assert [history[0].train_loss, history[0].val_loss] == pytest.approx(expected, rel=1e-5)


def test_a_diverged_training_is_the_learning_rates_fault():
    with pytest.raises(UserError, match="diverged.*"):
        train(
            replace_options(optimizer="sgd", learning_rate=10.0, momentum=0.99, weight_decay=10.0, schedule="constant")
        )


def test_what_is_not_finite_before_the_first_step_is_not_the_learning_rates_fault():
    model = tiny.network()
    nn.init.constant_(model[0].weight, math.inf)
    with pytest.raises(UserError, match="cannot begin: the loss is nan before the first step") as caught:
        fit(model, TRAIN, VAL, OPTIONS, tiny.CPU, Session(seed=0))
    assert "learning_rate" not in str(caught.value)


def test_validation_in_bf16_sees_outputs_in_fp32(monkeypatch):
    """As evaluation does: a bf16 logit ties images that fp32 tells apart, and early stopping would go by the ties."""
    seen: list[torch.Tensor] = []

    def probabilities(logits: torch.Tensor) -> np.ndarray:
        seen.append(logits)
        return torch.sigmoid(logits).numpy()

    monkeypatch.setattr(training, "probabilities", probabilities)
    fit(tiny.network(), TRAIN, VAL, replace_options(epochs=2), replace(tiny.CPU, precision="bf16"), Session(seed=0))
    assert len(seen) == 2
    for logits in seen:
        assert not torch.equal(logits, logits.bfloat16().float())


def test_an_undefined_auroc_says_what_to_do():
    nothing = Images(VAL.pixels, np.zeros_like(VAL.labels))
    with pytest.raises(UserError, match="val_auc is undefined.*monitor=val_loss"):
        train(val=nothing)
    history, _ = train(replace_options(monitor="val_loss", epochs=1), val=nothing)
    assert math.isnan(history[0].val_mean_auroc)
    assert monitored(history[0], "val_loss") == -history[0].val_loss


def test_a_broken_checkpoint_is_named(tmp_path):
    path = tmp_path / "c.pt"
    path.write_bytes(b"torn")
    with pytest.raises(EnvironmentFault, match="c.pt cannot be read .*remove it"):
        train(checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="checkpoint .* cannot be written"):
        train(checkpoint=tmp_path / "file" / "c.pt")


def test_a_lone_last_image_joins_the_batch_before_it():
    images = tiny.bright_squares(33)
    batches = TrainingBatches(
        images.pixels,
        images.labels,
        batch_size=16,
        flip=False,
        rotation=0,
        device=tiny.CPU.device,
        channels_last=False,
    )
    assert [len(inputs) for inputs, _ in batches.epoch(0)] == [16, 17]
    assert len(batches) == 2


def test_a_training_leaves_nothing_for_the_garbage_collector():
    """The next seed trains while what this one left would still lie in memory."""
    gc.disable()
    try:
        model = tiny.network()
        fit(model, TRAIN, VAL, replace_options(epochs=1), tiny.CPU, Session(seed=0))
        left = [weakref.ref(weight) for weight in model.parameters()]
        assert all(weight.grad is None for weight in model.parameters())
        del model
        assert all(weight() is None for weight in left)
    finally:
        gc.enable()
