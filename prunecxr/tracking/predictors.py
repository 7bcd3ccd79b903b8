"""What a stored network is to its users: images in, probabilities or masks out, as they were evaluated.

Each kind of network has its settings, kept beside the weights, and a predictor that follows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from torch import nn

from prunecxr.data.images import resize
from prunecxr.evaluation.predict import predict_logits, probabilities
from prunecxr.hardware import Compute, resolve_device
from prunecxr.networks.unet import REGIONS

REQUIRED = ("mlflow", "torch", "torchvision", "numpy", "pandas", "pillow", "pydantic", "pyyaml", "tqdm")


@dataclass(frozen=True)
class Settings:
    """What a classifier must know to predict as it was evaluated.

    Attributes:
        precision: in which the weights of a pruned one are kept.
    """

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    interpolation: str
    channels_last: bool
    batch_size: int
    precision: str = "fp32"

    def required(self) -> tuple[str, ...]:
        """The packages that it needs."""
        return REQUIRED

    def n_outputs(self) -> int:
        """Outputs of the network."""
        return len(self.classes)

    def signature(self) -> ModelSignature:
        """Images in: (n, height, width) uint8. Probabilities out: one float column a class."""
        images = TensorSpec(np.dtype("uint8"), (-1, -1, -1), "images")
        return ModelSignature(Schema([images]), Schema([ColSpec("float", name) for name in self.classes]))

    def predictor(self, model: nn.Module, device: str) -> Predictor:
        """What predicts as it was evaluated."""
        return Predictor(model, self, device)


@dataclass(frozen=True)
class MaskSettings:
    """What a localization network must know to predict as it was evaluated.

    Attributes:
        setting: `supervised` or `semi` (the mask is what the network puts out), or `weak` (the box of its heat map).
        classes: the diagnoses that a weak network was trained on.
        architecture: `unet` alone in those of earlier versions, which did not know the channels.
        precision: in which the weights of a pruned one are kept.
    """

    setting: str
    classes: tuple[str, ...]
    image_size: int
    channels_last: bool
    batch_size: int
    architecture: str = "unet"
    precision: str = "fp32"

    def required(self) -> tuple[str, ...]:
        """The packages that it needs."""
        return (*REQUIRED, "monai", "scikit-image")

    def n_outputs(self) -> int:
        """Outputs of the network."""
        return len(self.classes if self.setting == "weak" else REGIONS)

    def signature(self) -> ModelSignature:
        """Images in: (n, height, width, 3) uint8. Masks out: (n, image_size, image_size) uint8."""
        images = TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3), "images")
        masks = TensorSpec(np.dtype("uint8"), (-1, self.image_size, self.image_size))
        return ModelSignature(Schema([images]), Schema([masks]))

    def predictor(self, model: nn.Module, device: str) -> MaskPredictor:
        """What predicts as it was evaluated."""
        return MaskPredictor(model, self, device)


def settings_of(content: dict[str, Any]) -> Settings | MaskSettings:
    """The settings that were kept beside a network's weights.

    Raises:
        TypeError, KeyError: they are none of ours.
    """
    kind = MaskSettings if "setting" in content else Settings
    return kind(**{**content, "classes": tuple(content["classes"])})


class Predictor:
    """The pyfunc side of a classifier: resizes, normalises and batches as the evaluation did, in fp32."""

    def __init__(self, model: nn.Module, settings: Settings, device: str = "auto") -> None:
        self.settings = settings
        self.compute = Compute(resolve_device(device), "fp32", settings.channels_last, settings.batch_size)
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.model = model.to(self.compute.device).to(memory_format=layout)

    # Without type hints: MLflow would take them for a schema of its own, beside the signature.
    def predict(self, images, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Class probabilities of gray images.

        Args:
            images: uint8, shape (n, height, width), any size.
        Returns:
            DataFrame, one float32 column a class, one row an image.
        Raises:
            ValueError: another shape or type.
        """
        images = _pixels(images, 3, "(n, height, width)")
        if not len(images):
            return pd.DataFrame(columns=list(self.settings.classes), dtype=np.float32)
        size, how = self.settings.image_size, self.settings.interpolation
        pixels = np.stack([resize(image, size, how) for image in images])
        logits = predict_logits(self.model, pixels, self.compute)
        return pd.DataFrame(probabilities(logits), columns=list(self.settings.classes))


class MaskPredictor:
    """The pyfunc side of a localization network: resizes and predicts as the evaluation did, in fp32."""

    def __init__(self, model: nn.Module, settings: MaskSettings, device: str = "auto") -> None:
        self.settings = settings
        self.compute = Compute(resolve_device(device), "fp32", settings.channels_last, settings.batch_size)
        self.model = model.to(self.compute.device)

    # Without type hints: MLflow would take them for a schema of its own, beside the signature.
    def predict(self, images, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Lesion masks of RGB images.

        Args:
            images: uint8, shape (n, height, width, 3), any size.
        Returns:
            uint8 0/1, shape (n, image_size, image_size).
        Raises:
            ValueError: another shape or type.
        """
        from prunecxr.evaluation.engines import Evaluator
        from prunecxr.evaluation.regions.masks import masks_of  # who stores classifiers need not load it

        images = _pixels(images, 4, "(n, height, width, 3)")
        size = self.settings.image_size
        pixels = [resize(image, size, "bilinear") for image in images]
        stacked = np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8)
        evaluator = Evaluator(self.model, self.compute, "eager")
        learnt = "classes" if self.settings.setting == "weak" else "masks"
        masks = masks_of(learnt, evaluator, stacked)
        return np.concatenate([np.empty((0, size, size), np.uint8), *masks])


def _pixels(images: Any, dimensions: int, shape: str) -> np.ndarray:
    """The images, which a server hands on by the name in the signature."""
    images = np.asarray(images["images"] if isinstance(images, dict) else images)
    if images.ndim != dimensions or images.dtype != np.uint8 or (dimensions == 4 and images.shape[-1] != 3):
        raise ValueError(f"images must be uint8 of shape {shape}, got {images.dtype} {images.shape}")
    return images
