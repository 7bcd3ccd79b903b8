"""An MLflow model flavor for localization networks: `mlflow.pytorch.load_model` gives the plain network, and
`mlflow.pyfunc.load_model(uri).predict(images)` takes RGB images and gives masks.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import mlflow.pytorch
import numpy as np
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import nn

import prunecxr
from prunecxr.data.images import resize
from prunecxr.evaluation.engines import Evaluator
from prunecxr.hardware import Compute, resolve_device
from prunecxr.studies.localization.settings import localizer

SETTINGS = "prunecxr.json"
REQUIRED = (
    "mlflow", "torch", "torchvision", "monai", "scikit-image", "numpy", "pandas", "pillow", "pydantic", "pyyaml",
    "tqdm",
)  # fmt: skip


@dataclass(frozen=True)
class MaskSettings:
    """What a localization network must know to predict as it was evaluated.

    Attributes:
        setting: `supervised` or `semi` (the mask is what the network puts out), or `weak` (the box of its heat map).
        classes: the diagnoses that a weak network was trained on.
    """

    setting: str
    classes: tuple[str, ...]
    image_size: int
    channels_last: bool
    batch_size: int
    architecture: str = "unet"
    precision: str = "fp32"


def save_model(path: str, mlflow_model: Model, model: nn.Module, settings: MaskSettings) -> None:
    """Write the network as an MLflow model (called by `mlflow.models.Model.log`)."""
    logger = logging.getLogger("mlflow.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)  # MLflow recommends its own format over pickle at each save
    images = TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3), "images")
    masks = TensorSpec(np.dtype("uint8"), (-1, settings.image_size, settings.image_size))
    try:
        mlflow.pytorch.save_model(
            model.eval(),
            path,
            mlflow_model=mlflow_model,
            serialization_format="pickle",
            signature=ModelSignature(Schema([images]), Schema([masks])),
            code_paths=[str(Path(prunecxr.__file__).parent)],
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
        )
    finally:
        logger.setLevel(level)
    (Path(path) / "data" / SETTINGS).write_text(json.dumps(asdict(settings)), encoding="utf-8")
    mlflow_model.flavors[pyfunc.FLAVOR_NAME]["loader_module"] = __name__
    mlflow_model.save(str(Path(path) / "MLmodel"))


def _load_pyfunc(path: str, model_config: dict[str, str | None] | None = None) -> MaskPredictor:
    """What MLflow calls with the model's data folder; `model_config={"device": "cpu"}` chooses a device."""
    device = (model_config or {}).get("device") or "auto"
    content = json.loads((Path(path) / SETTINGS).read_text(encoding="utf-8"))
    settings = MaskSettings(**{**content, "classes": tuple(content["classes"])})
    return MaskPredictor(mlflow.pytorch._load_model(path), settings, device)


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
        images = images["images"] if isinstance(images, dict) else images
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 of shape (n, height, width, 3), got {images.dtype} {images.shape}")
        size = self.settings.image_size
        pixels = [resize(image, size, "bilinear") for image in images]
        stacked = np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8)
        evaluator = Evaluator(self.model, self.compute, "eager")
        masks = localizer(self.settings.setting, len(self.settings.classes)).masks(evaluator, stacked)
        return np.concatenate([np.empty((0, size, size), np.uint8), *masks])
