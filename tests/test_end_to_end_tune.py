"""A search as a user runs it: `mlflow run -e tune`, killed, continued, with two workers; then its best recipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from prunecxr.tracking import names
from tests.commands import ROOT, assert_mistake, environment, mlflow_run, runs_of

__all__ = ["assert_mistake", "environment"]  # fixtures

RECIPE = {
    "study": "small",
    "seeds": 1,
    "data": {"dataset": "phantom", "image_size": 32, "phantom_train": 50, "phantom_val": 50, "phantom_test": 50},
    "training": {
        "architecture": "shufflenet_v2_x0_5", "weights": "none", "optimizer": "adamw", "learning_rate": 0.002,
        "batch_size": 25, "epochs": 2,
    },
    "search": {"learning_rate": {"low": 0.0005, "high": 0.02, "log": True}, "loss": ["bce", "focal"]},
    "compression": {"sparsities": [0, 0.5], "register_sparsities": [0.5]},
    "analysis": {"bootstrap": 100, "pie_sparsity": 0.5},
    "execution": {"precision": "fp32"},
}  # fmt: skip


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "search.yaml"
    content = {**RECIPE, "execution": {"precision": "fp32", "workdir": str(tmp_path / "work")}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def table_of(run) -> pd.DataFrame:
    return pd.read_csv(f"{run.info.artifact_uri.removeprefix('file://')}/tables/trials.csv")


def test_a_search_is_killed_continued_by_two_workers_and_its_recipe_runs(environment, tmp_path, recipe):
    chosen = {**environment, "MLFLOW_EXPERIMENT_NAME": "mine", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "entrypoints.tune", f"--recipe={recipe}", "--trials=5"]
    log = tmp_path / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=tmp_path, env=chosen, stdout=file, stderr=file, start_new_session=True)
        while "trial 0: validation mean AP" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = [run for run in runs_of(environment, KIND="trial") if run.info.status == "FINISHED"]
    assert before

    answer = mlflow_run(environment, tmp_path, "tune", recipe=recipe, trials="5", workers="2")
    assert answer.returncode == 0, answer.stderr
    assert "2 workers" in answer.stdout
    (run,) = [found for found in runs_of(environment, KIND="tune") if names.FOUND not in found.data.tags]
    table = table_of(run)
    assert table["trial"].tolist() == [0, 1, 2, 3, 4]
    assert table["state"].isin(["complete", "pruned"]).all()
    children = runs_of(environment, KIND="trial")
    assert sorted(int(child.data.tags[names.TRIAL]) for child in children) == [0, 1, 2, 3, 4]
    assert {child.info.status for child in children} == {"FINISHED"}
    for child in before:  # what was finished is as it was
        (after,) = [other for other in children if other.info.run_id == child.info.run_id]
        assert after.info.end_time == child.info.end_time
        assert table["attempts"][int(child.data.tags[names.TRIAL])] == 1

    best = next(line for line in answer.stdout.splitlines() if line.startswith("recipe: ")).removeprefix("recipe: ")
    answer = mlflow_run(environment, tmp_path, "main", recipe=best)
    assert answer.returncode == 0, answer.stderr
    assert "study small-tuned: 1 seed(s) trained (0 found), 2 variant(s) evaluated (0 found)" in answer.stdout


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"trials": "x"}, 2, "error: option trials: 'x' is not valid"),
        ({"learning_rate": "0.1"}, 2, "error: option learning_rate: the search varies it; leave it out"),
        ({"storage": "postgresql://127.0.0.1:1/x"}, 3, "error: option storage: postgresql://127.0.0.1:1/x cannot be"),
    ],
)
def test_a_mistake_is_one_line(assert_mistake, recipe, parameters, code, message):
    assert_mistake("tune", {"recipe": recipe, **parameters}, code, message)
