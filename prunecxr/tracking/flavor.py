"""An MLflow model flavor for networks of ours: `mlflow.pytorch.load_model` gives the plain network, and
`mlflow.pyfunc.load_model(uri).predict(images)` takes images and gives what the network was evaluated for.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import mlflow.pytorch
from mlflow import pyfunc
from mlflow.models import Model
from torch import nn

import prunecxr
from prunecxr.compression.packing import PackedModel
from prunecxr.tracking.predictors import MaskPredictor, MaskSettings, Predictor, Settings, settings_of

SETTINGS = "prunecxr.json"


def save_model(path: str, mlflow_model: Model, model: nn.Module, settings: Settings | MaskSettings) -> None:
    """Write the network as an MLflow model (called by `mlflow.models.Model.log`)."""
    logger = logging.getLogger("mlflow.pytorch")
    level = logger.level
    # MLflow recommends its own format over pickle at each save; that one is 7 times larger for a 90%-sparse network.
    logger.setLevel(logging.ERROR)
    try:
        mlflow.pytorch.save_model(
            packed(model, settings),
            path,
            mlflow_model=mlflow_model,
            serialization_format="pickle",
            signature=settings.signature(),
            code_paths=[str(Path(prunecxr.__file__).parent)],
            pip_requirements=[f"{name}=={version(name)}" for name in settings.required()],
        )
    finally:
        logger.setLevel(level)
    (Path(path) / "data" / SETTINGS).write_text(settings_text(settings), encoding="utf-8")
    mlflow_model.flavors[pyfunc.FLAVOR_NAME]["loader_module"] = __name__
    mlflow_model.save(str(Path(path) / "MLmodel"))


def packed(model: nn.Module, settings: Settings | MaskSettings) -> nn.Module:
    """The network as it is pickled: in few bytes, unless its architecture is not known by name."""
    if settings.architecture == "unet":  # of a study that an earlier version made
        return model.eval()
    return PackedModel(model, settings.architecture, settings.n_outputs(), settings.precision)


def settings_text(settings: Settings | MaskSettings) -> str:
    """What is written of the settings."""
    return json.dumps(asdict(settings))


def read_settings(path: Path) -> Settings | MaskSettings:
    """The settings in a model's data folder."""
    return settings_of(json.loads(path.read_text(encoding="utf-8")))


def _load_pyfunc(path: str, model_config: dict[str, str | None] | None = None) -> Predictor | MaskPredictor:
    """What MLflow calls with the model's data folder; `model_config={"device": "cpu"}` chooses a device."""
    device = (model_config or {}).get("device") or "auto"
    return read_settings(Path(path) / SETTINGS).predictor(mlflow.pytorch._load_model(path), device)
