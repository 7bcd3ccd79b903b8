"""A localization study as a user runs it: `mlflow run -e htl`, killed and continued, and its mistakes in one line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import ROOT, assert_mistake, entry_point, environment, mlflow_run, runs_of
from tests.studies.localization.test_whole_study import ONE_SEED, SMALL_HTL

__all__ = ["assert_mistake", "environment"]  # fixtures

TINY = {**SMALL_HTL, **ONE_SEED, "study": "tiny-htl"}


def scores_of(where) -> dict[str, pd.DataFrame]:
    """Test scores of every finished run by its name."""
    found = {}
    for kind in ("htl_pruned", "htl_network"):
        for run in runs_of(where, KIND=kind):
            folder = Path(run.info.artifact_uri.removeprefix("file://"))
            found[run.info.run_name] = pd.read_parquet(folder / "test_scores.parquet")
    return found


def test_a_study_killed_in_its_training_continues_to_the_same_scores(environment, tmp_path):
    """SIGKILL while the plain network trains; `mlflow run` then ends with the scores of an undisturbed study."""
    for folder in ("killed", "whole"):
        (tmp_path / folder).mkdir()
    killed, whole = (
        {
            **environment,
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/{name}/mlflow.db",
            "MLFLOW_EXPERIMENT_NAME": "mine",
        }
        for name in ("killed", "whole")
    )
    chosen = {**TINY, "epochs": "6", "workdir": str(tmp_path / "work")}
    command = [sys.executable, "-m", "entrypoints.htl", *(f"--{name}={value}" for name, value in chosen.items())]
    checkpoints = tmp_path / "work" / "checkpoints"
    with (tmp_path / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=killed, stdout=log, stderr=log)
        while not list(checkpoints.glob("*.pt")):
            assert process.poll() is None, (tmp_path / "log.txt").read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert runs_of(killed, KIND="htl_seed")[0].info.status == "RUNNING"

    named = {
        name: value for name, value in killed.items() if name != "MLFLOW_EXPERIMENT_NAME"
    }  # mlflow run has its own
    answer = mlflow_run(named, tmp_path, "htl", **chosen)
    assert answer.returncode == 0, answer.stderr
    other = entry_point(whole, "htl", **{**chosen, "workdir": str(tmp_path / "other")})
    assert other.returncode == 0, other.stderr
    continued, undisturbed = scores_of(killed), scores_of(whole)
    assert set(continued) == set(undisturbed)
    assert len(continued) == 7
    for name, table in continued.items():
        assert table.equals(undisturbed[name]), name
    report = next(line for line in answer.stdout.splitlines() if line.startswith("report: "))
    assert Path(report.removeprefix("report: ")).is_file()
    assert not list(checkpoints.iterdir())

    again = entry_point(killed, "htl", **chosen)
    assert "study tiny-htl: 0 network(s) and searches made, 9 found" in again.stdout
    assert {run.info.status for run in runs_of(killed)} == {"FINISHED"}


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"taus": "3"}, 2, "error: unknown option taus (did you mean tau?)"),
        ({"recipe": "nope.yaml"}, 2, "error: recipe nope.yaml: no such file"),
        ({"setting": "none"}, 2, "error: option setting: 'none' is not valid"),
        ({"baselines": "luck"}, 2, "error: option baselines: 'luck' is not valid"),
        ({"dataset": "isic2017"}, 2, "error: "),
        ({"dataset": "isic2017", "images": "/nowhere"}, 2, "error: "),
        ({"method": "luck"}, 2, "error: option method: unknown criterion 'luck'"),
        ({"device": "cuda:99"}, 3, "error: device cuda:99 is not available"),
    ],
)
def test_a_mistake_is_one_line(assert_mistake, tmp_path, parameters, code, message):
    assert_mistake("htl", {"workdir": tmp_path / "work", **TINY, **parameters}, code, message)
