"""An MLflow model flavor for packed networks: `mlflow.pytorch.load_model` gives the plain network, and
`mlflow.pyfunc.load_model(uri).predict(images)` takes gray images and gives a table of class probabilities.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import mlflow.pytorch
import numpy as np
import pandas as pd
import torch
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from torch import nn

import prunecxr
from prunecxr.compression.packing import PackedModel
from prunecxr.data.images import resize
from prunecxr.evaluation.predict import predict_logits, probabilities
from prunecxr.hardware import Compute, resolve_device

SETTINGS = "prunecxr.json"
REQUIRED = ("mlflow", "torch", "torchvision", "numpy", "pandas", "pillow", "pydantic", "pyyaml", "tqdm")


@dataclass(frozen=True)
class Settings:
    """What a model must know to predict as it was evaluated."""

    architecture: str
    classes: tuple[str, ...]
    image_size: int
    interpolation: str
    channels_last: bool
    batch_size: int
    precision: str = "fp32"  # in which its pruned weights are kept


def save_model(path: str, mlflow_model: Model, model: nn.Module, settings: Settings) -> None:
    """Write the network as an MLflow model (called by `mlflow.models.Model.log`)."""
    logger = logging.getLogger("mlflow.pytorch")
    level = logger.level
    # MLflow recommends its own format over pickle at each save; that one is 7 times larger for a 90%-sparse network.
    logger.setLevel(logging.ERROR)
    try:
        mlflow.pytorch.save_model(
            PackedModel(model, settings.architecture, len(settings.classes), settings.precision),
            path,
            mlflow_model=mlflow_model,
            serialization_format="pickle",
            signature=signature(settings.classes),
            code_paths=[str(Path(prunecxr.__file__).parent)],
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
        )
    finally:
        logger.setLevel(level)
    (Path(path) / "data" / SETTINGS).write_text(json.dumps(asdict(settings)), encoding="utf-8")
    mlflow_model.flavors[pyfunc.FLAVOR_NAME]["loader_module"] = __name__
    mlflow_model.save(str(Path(path) / "MLmodel"))


def signature(classes: tuple[str, ...]) -> ModelSignature:
    """Images in: (n, height, width) uint8. Probabilities out: one float column a class."""
    images = TensorSpec(np.dtype("uint8"), (-1, -1, -1), "images")
    return ModelSignature(Schema([images]), Schema([ColSpec("float", name) for name in classes]))


def _load_pyfunc(path: str, model_config: dict[str, str | None] | None = None) -> Predictor:
    """What MLflow calls with the model's data folder; `model_config={"device": "cpu"}` chooses a device."""
    device = (model_config or {}).get("device") or "auto"
    return Predictor(mlflow.pytorch._load_model(path), read_settings(Path(path) / SETTINGS), device)


def read_settings(path: Path) -> Settings:
    """The settings in a model's data folder."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Settings(**{**content, "classes": tuple(content["classes"])})


class Predictor:
    """The pyfunc side of a model: resizes, normalises and batches as the evaluation did, in fp32."""

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
        images = images["images"] if isinstance(images, dict) else images
        images = np.asarray(images)
        if images.ndim != 3 or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 of shape (n, height, width), got {images.dtype} {images.shape}")
        if not len(images):
            return pd.DataFrame(columns=list(self.settings.classes), dtype=np.float32)
        size, how = self.settings.image_size, self.settings.interpolation
        pixels = np.stack([resize(image, size, how) for image in images])
        logits = predict_logits(self.model, pixels, self.compute)
        return pd.DataFrame(probabilities(logits), columns=list(self.settings.classes))
