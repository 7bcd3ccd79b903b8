"""The three settings of paper B (section 2.3): what a network learns from, and how it then localizes.

| setting | learns from | localizes by | its hard images are found by |
|---|---|---|---|
| supervised | masks | its masks | their IoU with the true mask |
| semi | masks of some images | its masks | boxes of its pseudo-labels of other images |
| weak | diagnoses | boxes of Grad-CAM++ maps | these boxes |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from prunecxr.hardware import Compute
from prunecxr.learning.loop import EpochRecord
from prunecxr.networks.unet import REGIONS, build_unet
from prunecxr.studies.localization.batches import LesionBatches
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.losses import balanced_weights, cross_entropy, focal
from prunecxr.studies.localization.predict import boxed, predict_boxes, segmented
from prunecxr.studies.localization.training import Recipe, classification, fit_localizer, segmentation


@dataclass(frozen=True)
class Localizer:
    """What a setting trains and how its networks localize.

    Attributes:
        task: `masks` or `classes`: what the network learns.
        n_outputs: regions, or diagnoses.
        heat: name of the heat maps that boxes come from.
    """

    task: str
    n_outputs: int
    heat: str

    def build(self, options: HtlTrainingOptions, seed: int) -> nn.Module:
        """The untrained network, as the seed starts it."""
        return build_unet(options.features, seed, self.n_outputs if self.task == "classes" else None)

    def fit(
        self,
        model: nn.Module,
        images: np.ndarray,
        targets: np.ndarray,
        val: tuple[np.ndarray, np.ndarray],
        options: HtlTrainingOptions,
        compute: Compute,
        *,
        seed: int,
        index: np.ndarray | None = None,
        focal_loss: bool = False,
        class_weighted: bool = False,
        checkpoint: Path | None = None,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        desc: str = "training",
    ) -> None:
        """Train or fine-tune in place, with a checkpoint an epoch.

        Args:
            images: (n, size, size, 3) uint8.
            targets: masks (n, size, size) 0/1, or diagnoses (n,).
            val: images and targets to validate on.
            index: the images to train on; None: all.
            focal_loss: the loss of baseline 3 instead of cross-entropy.
            class_weighted: weigh regions, or diagnoses, alike (equation 3), by how frequent they are among all
                targets, whichever images are trained on: approaches that are compared differ in their images alone.
        """
        loss = focal(options.focal_gamma) if focal_loss else cross_entropy()
        if class_weighted:
            loss = cross_entropy(balanced_weights(targets, self.n_outputs).to(compute.device))
        batches = LesionBatches(
            images,
            targets,
            batch_size=options.batch_size,
            flip=options.flip,
            rotation=options.rotation,
            device=compute.device,
            channels_last=compute.channels_last,
            index=index,
        )
        task: Any = (classification if self.task == "classes" else segmentation)(*val, loss, compute)
        recipe = Recipe(
            optimizer=options.optimizer,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            momentum=options.momentum,
            schedule=options.schedule,
            milestones=options.milestones,
            epochs=options.epochs,
        )
        fit_localizer(
            model,
            batches,
            task,
            recipe,
            compute,
            seed=seed,
            n_images=len(images) if index is None else len(index),
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            desc=desc,
        )

    def masks(self, model: nn.Module, images: np.ndarray, compute: Compute) -> Iterator[np.ndarray]:
        """Where the network sees the lesion, batch by batch: (b, size, size), uint8 0/1."""
        return (boxed if self.task == "classes" else segmented)(model, images, compute)

    def boxes(self, model: nn.Module, images: np.ndarray, compute: Compute) -> np.ndarray:
        """Bounding boxes of the lesion, shape (n, 4): top, left, bottom, right."""
        return predict_boxes(model, images, compute, self.heat)


def localizer(setting: str, n_classes: int) -> Localizer:
    """The localizer of a setting.

    Args:
        n_classes: diagnoses, which the weakly supervised setting learns.
    """
    if setting == "weak":
        return Localizer("classes", n_classes, "grad_cam")
    return Localizer("masks", len(REGIONS), "probability")
