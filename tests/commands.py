"""Commands as users give them: in processes of their own, or, where no process is looked at, in this one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from mlflow import MlflowClient

from prunecxr import cli
from prunecxr.tracking import names

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """An environment whose `python` is this one, with a store and a work folder of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    return {
        **clean,
        "PATH": path,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def flags(parameters: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in parameters.items()]


def mlflow_run(environment, tmp_path, entry="main", **parameters) -> subprocess.CompletedProcess[str]:
    """`mlflow run . -e ENTRY -P ...`, started in a folder that is not the project's."""
    command = [sys.executable, "-m", "mlflow", "run", str(ROOT), "--env-manager", "local", "--experiment-name", "mine"]
    command += ["-e", entry]
    for name, value in parameters.items():
        command += ["-P", f"{name}={value}"]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def entry_point(environment, entry, **parameters) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"entrypoints.{entry}", *flags(parameters)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)


def assert_one_line(code: int, stderr: str, expected: int, message: str) -> None:
    """See that a command ended with an exit code and a message in one line, without a traceback."""
    assert code == expected, stderr
    said = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert said[0].startswith(message)
    assert "Traceback" not in stderr


@pytest.fixture
def assert_mistake(environment, capsys, monkeypatch):
    """Gives a command here, as it would run in a process: called with its entry point, parameters, the exit code and
    the beginning of the message that are expected. The exit of processes is tested with tests/options/test_cli.py."""

    def look(entry: str, parameters: dict[str, object], code: int, message: str) -> None:
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr("sys.argv", [entry, *flags(parameters)])
        command = importlib.import_module(f"entrypoints.{entry}").command
        capsys.readouterr()
        with mock.patch.dict(os.environ, environment, clear=True):
            ended = cli._code_of(command)
        assert_one_line(ended, capsys.readouterr().err, code, message)

    return look


def runs_of(environment, **tags):
    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("mine").experiment_id
    found = client.search_runs([experiment], max_results=1000)
    wanted = {getattr(names, name): value for name, value in tags.items()}
    return [run for run in found if wanted.items() <= run.data.tags.items()]
