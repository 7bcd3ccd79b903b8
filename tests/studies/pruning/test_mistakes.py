"""Mistakes in options show before a run is opened: none is left FAILED, none is found after hours of training."""

from __future__ import annotations

import importlib

import pytest
from mlflow import MlflowClient

from prunecxr.errors import EnvironmentFault, UserError
from tests.studies.conftest import SMALL

HTL = {
    "image_size": "32", "phantom_train": "20", "phantom_val": "10", "phantom_test": "10", "epochs": "1",
    "features": "8,8,8,8,8,8", "seeds": "10",
}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "options", "kind", "message"),
    [
        ("main", {**SMALL, "highlight": "Mass,Efusion"}, UserError, "option highlight: study 'small' has no class"),
        ("main", {**SMALL, "device": "cuda:99"}, EnvironmentFault, "device cuda:99 is not available"),
        ("main", {**SMALL, "device": "cpu", "engine": "graph"}, EnvironmentFault, "option engine: graph needs a CUDA"),
        ("main", {**SMALL, "method": "luck"}, UserError, "option method: unknown criterion 'luck'"),
        ("main", {**SMALL, "momentum": "0.5"}, UserError, "option momentum: has no effect"),
        ("htl", {**HTL, "device": "cuda:99"}, EnvironmentFault, "device cuda:99 is not available"),
        ("htl", {**HTL, "milestones": "3"}, UserError, "option milestones: has no effect"),
        ("tune", {"trials": "1", "storage": "nonsense:secret@host"}, UserError, "option storage: this is no"),
        ("tune", {"trials": "1", "storage": "postgresql://u:secret@h:port/d"}, UserError, "option storage: this is no"),
        ("tune", {"trials": "1", "storage": "sqlite:////proc/x/y"}, EnvironmentFault, "option storage: sqlite:////proc"),
    ],
)  # fmt: skip
def test_a_mistake_leaves_no_run(entry, options, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {**options, "workdir": str(tmp_path / "work")}
    monkeypatch.setattr("sys.argv", [entry, *(f"--{name}={text}" for name, text in given.items())])
    with pytest.raises(kind) as caught:
        importlib.import_module(f"entrypoints.{entry}").command()
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    if (tmp_path / "mlflow.db").exists():
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
        assert not client.search_runs([one.experiment_id for one in client.search_experiments()])
    if entry == "tune":
        assert not (tmp_path / "mlflow.db").exists()
