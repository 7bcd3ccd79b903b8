"""One store of each kind that users have: SQLite, a tracking server, PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from prunecxr.tracking.store import Store, open_store


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory) -> Iterator[str]:
    """A tracking server over its own SQLite store, serving artifacts, too."""
    folder = tmp_path_factory.mktemp("server")
    port = _free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "-w", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # seven processes that no test needs
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=quiet)
    try:
        for _ in range(300):
            time.sleep(0.2)
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log.txt").read_text()
        else:
            pytest.fail("the tracking server did not start: " + (folder / "log.txt").read_text())
        yield uri
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def postgres_uri() -> str:
    """A database of one's own on the server that PRUNECXR_TEST_POSTGRES names (postgresql://user:password@host/db)."""
    uri = os.environ.get("PRUNECXR_TEST_POSTGRES")
    if not uri:
        pytest.skip("no PostgreSQL (environment variable PRUNECXR_TEST_POSTGRES)")
    return uri


@pytest.fixture(scope="session")
def sqlite_uri(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/mlflow.db"


@pytest.fixture(params=["sqlite", "server", "postgres"])
def store(request, tmp_path: Path, monkeypatch) -> Store:
    """An empty experiment in each kind of store."""
    return _open(request.getfixturevalue(f"{request.param}_uri"), tmp_path, monkeypatch)


@pytest.fixture
def sqlite_store(sqlite_uri: str, tmp_path: Path, monkeypatch) -> Store:
    """An empty experiment in a store whose files lie open."""
    return _open(sqlite_uri, tmp_path, monkeypatch)


def _open(uri: str, tmp_path: Path, monkeypatch) -> Store:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return open_store(uri, f"test-{uuid.uuid4().hex}")
