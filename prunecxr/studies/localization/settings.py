"""The three settings of paper B (section 2.3): what a network learns from, and how it then localizes.

| setting | learns from | localizes by | its hard images are found by |
|---|---|---|---|
| supervised | masks | its masks | their IoU with the true mask |
| semi | masks of some images | its masks | boxes of its pseudo-labels of other images |
| weak | diagnoses | boxes of Grad-CAM++ maps | these boxes |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.masks import Advance, masks_of, predict_boxes
from prunecxr.hardware import Compute
from prunecxr.learning.loop import Learning
from prunecxr.learning.optimizers import Recipe
from prunecxr.networks.unet import REGIONS, build_unet
from prunecxr.studies.localization.batches import LesionBatches
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.losses import Loss, balanced_weights, cross_entropy
from prunecxr.studies.localization.training import Examples, classification, segmentation


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

    def learning(
        self,
        examples: Examples,
        val: Examples,
        options: HtlTrainingOptions,
        compute: Compute,
        loss: Loss | None = None,
        index: np.ndarray | None = None,
        per_epoch: int | None = None,
    ) -> Learning[Any]:
        """What the network is to learn.

        Args:
            loss: cross-entropy if not given.
            index: the images to train on; None: all.
            per_epoch: how many of them an epoch shows; None: all.
        """
        batches = LesionBatches(
            examples.images,
            examples.targets,
            batch_size=options.batch_size,
            flip=options.flip,
            rotation=options.rotation,
            device=compute.device,
            channels_last=compute.channels_last,
            index=index,
        )
        if per_epoch is not None:
            batches = batches.drawing(per_epoch)
        learnt = classification if self.task == "classes" else segmentation
        return learnt(batches, val, loss or cross_entropy(), compute)

    def class_weighted(self, targets: np.ndarray, compute: Compute) -> Loss:
        """Cross-entropy in which regions, or diagnoses, weigh alike (equation 3).

        Args:
            targets: of all images that could be trained on, whichever are: approaches that are compared differ in their
                images alone.
        """
        return cross_entropy(balanced_weights(targets, self.n_outputs).to(compute.device))

    def masks(self, evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> Iterator[np.ndarray]:
        """Where the network sees the lesion, batch by batch: (b, size, size), uint8 0/1."""
        return masks_of(self.task, evaluator, images, advance)

    def boxes(self, evaluator: Evaluator, images: np.ndarray, advance: Advance | None = None) -> np.ndarray:
        """Bounding boxes of the lesion, shape (n, 4): top, left, bottom, right."""
        return predict_boxes(evaluator, images, self.heat, advance)


def recipe_of(options: HtlTrainingOptions) -> Recipe:
    """How these options train: to the last epoch, as paper B has no early stopping."""
    return Recipe.of(options, patience=options.epochs)


def localizer(setting: str, n_classes: int) -> Localizer:
    """The localizer of a setting.

    Args:
        n_classes: diagnoses, which the weakly supervised setting learns.
    """
    if setting == "weak":
        return Localizer("classes", n_classes, "grad_cam")
    return Localizer("masks", len(REGIONS), "probability")
