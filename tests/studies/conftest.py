"""A study small enough to run whole, many times."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from prunecxr.options.recipe import build_config
from prunecxr.report import style
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.study import run_study
from prunecxr.tracking.store import Store, open_store
from tests.stored import copy_store

SMALL = {
    "study": "small",
    "seeds": "2",
    "architecture": "shufflenet_v2_x0_5",
    "weights": "none",
    "image_size": "32",
    "phantom_train": "80",
    "phantom_val": "50",
    "phantom_test": "60",
    "optimizer": "adamw",
    "learning_rate": "0.01",
    "batch_size": "8",
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


@pytest.fixture(scope="session")
def blank_figures() -> dict[str, bytes]:
    """An empty figure by its format."""
    return {"png": style.as_png(Figure((1, 1))), "svg": style.as_svg(Figure((1, 1)))}


@pytest.fixture(autouse=True)
def _blank_figures(request, monkeypatch, blank_figures):
    """Figures of reports are made, but saved empty: drawing each as PNG and SVG is half of a small study's time.

    How they are drawn is tested with tests/report; `real_figures`, fixtures of a wider scope and commands in processes
    of their own draw them.
    """
    if "real_figures" not in request.fixturenames:
        monkeypatch.setattr(style, "_saved", lambda _, **options: blank_figures[options["format"]])


@pytest.fixture
def real_figures() -> None:
    """Figures are drawn as users get them."""


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


@pytest.fixture
def own(shared_study, tmp_path: Path, monkeypatch) -> Store:
    """The small study, done, for one test to change."""
    copy_store(shared_study[0], tmp_path)
    monkeypatch.chdir(tmp_path)
    return open_store(experiment="tests")
