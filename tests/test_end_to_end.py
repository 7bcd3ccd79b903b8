"""As a user does it: `mlflow run` and the entry points in processes of their own, on the embedded store."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from prunecxr.options.recipe import build_config, to_recipe
from prunecxr.studies.pruning.config import Config
from prunecxr.tracking import names
from tests.commands import ROOT, assert_mistake, assert_one_line, entry_point, environment, mlflow_run, runs_of
from tests.studies.conftest import SMALL

__all__ = ["assert_mistake", "environment"]  # fixtures


def options(tmp_path, **changes) -> dict[str, str]:
    return {**SMALL, "workdir": str(tmp_path / "work"), **changes}


def test_a_study_step_by_step_and_whole(environment, tmp_path):
    """train, prune, analyze and register one seed; then main finds that seed, adds the other, then nothing."""
    chosen = options(tmp_path)
    (tmp_path / "small recipe.yaml").write_text(to_recipe(build_config(Config, {}, chosen)), encoding="utf-8")
    answer = mlflow_run(environment, tmp_path, "train", seed="1", recipe="small recipe.yaml")
    assert answer.returncode == 0, answer.stderr
    (seed_run,) = runs_of(environment, KIND="seed")
    assert seed_run.info.status == "FINISHED"
    answer = mlflow_run(environment, tmp_path, "prune", run=seed_run.info.run_id)
    assert answer.returncode == 0, answer.stderr
    (variant,) = runs_of(environment, KIND="variant", SPARSITY="0.50")
    answer = mlflow_run(environment, tmp_path, "register", run=variant.info.run_id)
    assert answer.returncode == 0, answer.stderr
    assert "models:/prunecxr-small-shufflenet_v2_x0_5@seed-01-k50" in answer.stdout
    answer = mlflow_run(environment, tmp_path, "analyze", study="small")
    assert answer.returncode == 0, answer.stderr
    assert "missing (seed, sparsity): (0, 0), (0, 0.5), (0, 0.9)" in answer.stdout

    answer = mlflow_run(environment, tmp_path, recipe="small recipe.yaml")
    assert answer.returncode == 0, answer.stderr
    assert "1 seed(s) trained (1 found), 3 variant(s) evaluated (3 found)" in answer.stdout
    answer = mlflow_run(environment, tmp_path, recipe="small recipe.yaml")
    assert "0 seed(s) trained (2 found), 0 variant(s) evaluated (6 found)" in answer.stdout
    assert len(runs_of(environment, KIND="seed")) == 2
    assert len(runs_of(environment, KIND="variant")) == 6
    assert len(runs_of(environment, KIND="study")) == 1
    assert {run.info.status for run in runs_of(environment)} == {"FINISHED"}
    report = next(line for line in answer.stdout.splitlines() if line.startswith("report: "))
    assert Path(report.removeprefix("report: ")).is_file()


def test_a_killed_training_continues_with_the_same_result(environment, tmp_path):
    """SIGKILL in the middle of a training; the same command then gives the predictions of an undisturbed one."""
    chosen = options(tmp_path, seeds="1", epochs="4", sparsities="0")
    for folder in ("killed", "whole"):
        (tmp_path / folder).mkdir()
    killed = {
        **environment,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/killed/mlflow.db",
        "MLFLOW_EXPERIMENT_NAME": "mine",
    }
    whole = {
        **environment,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/whole/mlflow.db",
        "MLFLOW_EXPERIMENT_NAME": "mine",
    }
    command = [sys.executable, "-m", "entrypoints.main", *(f"--{name}={value}" for name, value in chosen.items())]
    checkpoints = tmp_path / "work" / "checkpoints"
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=killed, stdout=log, stderr=log)
        while not list(checkpoints.glob("*.pt")):
            assert process.poll() is None, (tmp_path / "log.txt").read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert runs_of(killed, KIND="seed")[0].info.status == "RUNNING"
    for where, work in ((killed, "work"), (whole, "other")):
        answer = entry_point(where, "main", **{**chosen, "workdir": str(tmp_path / work)})
        assert answer.returncode == 0, answer.stderr
        assert "no analysis: the study asks for sparsity 0 alone" in answer.stdout
    tables = []
    for where in (killed, whole):
        (run,) = runs_of(where, KIND="variant")
        tables.append(pd.read_parquet(Path(run.info.artifact_uri.removeprefix("file://")) / "predictions.parquet"))
        history = MlflowClient(where["MLFLOW_TRACKING_URI"]).get_metric_history(
            run.data.tags[names.PARENT], "train_loss"
        )
        assert [metric.step for metric in history] == [0, 1, 2, 3]
    assert tables[0]["id"].equals(tables[1]["id"])
    assert np.array_equal(tables[0].iloc[:, 1:].to_numpy(), tables[1].iloc[:, 1:].to_numpy())
    assert not list(checkpoints.iterdir())


@pytest.mark.parametrize(
    ("entry", "parameters", "code", "message"),
    [
        ("main", {"epohcs": "3"}, 2, "error: unknown option epohcs (did you mean epochs?)"),
        ("main", {"recipe": "nope.yaml"}, 2, "error: recipe nope.yaml: no such file"),
        ("main", {"epochs": "0"}, 2, "error: option epochs: '0' is not valid"),
        ("main", {"dataset": "csv"}, 2, "error: "),
        ("train", {"seed": "x"}, 2, "error: option seed: 'x' is not valid"),
        ("train", {}, 2, "error: option seed"),
        ("prune", {}, 2, "error: give one of the options run"),
        ("prune", {"run": "x", "epochs": "3"}, 2, "error: option epochs: prune does not take it"),
        ("analyze", {"study": "x", "epochs": "3"}, 2, "error: option epochs: analyze does not take it"),
        ("prune", {"run": "nope"}, 2, "error: option run: no run 'nope'"),
        ("prune", {"model": "models:/nope@x"}, 2, "error: option model: models:/nope@x"),
        ("analyze", {}, 2, "error: option study is missing"),
        ("analyze", {"study": "nope"}, 2, "error: option study: no study 'nope' in sqlite"),
        ("register", {}, 2, "error: option run is missing"),
        ("main", {"device": "cuda:99"}, 3, "error: device cuda:99 is not available"),
    ],
)
def test_a_mistake_is_one_line(assert_mistake, entry, parameters, code, message):
    assert_mistake(entry, parameters, code, message)


@pytest.mark.parametrize("entry", ["main", "htl", "tune"])
def test_a_mistake_in_a_process(environment, entry):
    answer = entry_point(environment, entry, epohcs="3")
    assert_one_line(answer.returncode, answer.stderr, 2, "error: unknown option epohcs (did you mean epochs?)")


def test_a_store_that_is_not_there_is_the_environments_fault(environment, tmp_path):
    answer = entry_point(
        {**environment, "MLFLOW_TRACKING_URI": "sqlite:////proc/nowhere/mlflow.db"}, "main", **options(tmp_path)
    )
    assert_one_line(answer.returncode, answer.stderr, 3, "error: tracking store sqlite:////proc/nowhere/mlflow.db")
