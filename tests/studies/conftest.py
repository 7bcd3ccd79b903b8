"""A study small enough to run whole, many times."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from prunecxr.options.recipe import build_config
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.study import run_study
from prunecxr.tracking.store import Store, open_store

SMALL = {
    "study": "small",
    "seeds": "2",
    "architecture": "resnet18",
    "weights": "none",
    "image_size": "32",
    "phantom_train": "80",
    "phantom_val": "50",
    "phantom_test": "60",
    "optimizer": "adamw",
    "learning_rate": "0.002",
    "batch_size": "16",
    "epochs": "2",
    "sparsities": "0,0.5,0.9",
    "precision": "fp32",
    "bootstrap": "200",
}


def small(**changes: str) -> Config:
    """The small study, with other options."""
    return build_config(Config, {}, {**SMALL, **changes})


@pytest.fixture(autouse=True)
def _no_mlflow_variables(monkeypatch):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> Store:
    """An empty store in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return open_store(experiment="tests")


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which the small study was run once, and what it printed."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as said:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # where an earlier test left it
        run_study(open_store(experiment="tests"), small())
    return folder, said.getvalue()


@pytest.fixture
def done(shared_study, monkeypatch) -> tuple[Store, str]:
    """The small study, done, for tests that leave it as it is."""
    folder, said = shared_study
    monkeypatch.chdir(folder)
    return open_store(experiment="tests"), said
