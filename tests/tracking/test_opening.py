"""Stores that are new, broken, foreign or out of reach: made whole or not at all; what is wrong is said in one line."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import event

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import faults, runs, sqlite
from prunecxr.tracking.store import open_store

OPEN = "import sys; from prunecxr.tracking.store import open_store; print(open_store(*sys.argv[1:]).experiment_id)"


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    """A store, closed, to be copied."""
    path = tmp_path_factory.mktemp("whole") / "mlflow.db"
    sqlite.prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it is in the one file
    return path


def open_at_once(count: int, *arguments: str) -> list[str]:
    """What several processes print that open the same store at the same moment."""
    command = [sys.executable, "-c", OPEN, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(count)]
    answers = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * count, "\n".join(error for _, error in answers)
    return [answer for answer, _ in answers]


@pytest.mark.usefixtures("stores_from_nothing")
def test_a_kill_at_any_statement_leaves_no_store_or_a_whole_one(tmp_path):
    path, seen = tmp_path / "mlflow.db", []

    def look(*_: object) -> None:  # what a kill before this statement would leave
        if path.exists() and path.stat().st_size:
            with closing(sqlite3.connect(path)) as connection:
                version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
                seen.append((version, connection.execute("SELECT COUNT(*) FROM experiments").fetchone()))
        else:
            seen.append(None)

    event.listen(sqlalchemy.Engine, "before_cursor_execute", look)
    try:
        sqlite.prepare(path)
    finally:
        event.remove(sqlalchemy.Engine, "before_cursor_execute", look)
    assert seen.count(None) > 100  # all statements of the migrations
    assert {str(version) for version, _ in filter(None, seen)} == {str(seen[-1][0])}
    sqlite.check(path)
    assert not list(tmp_path.glob(".mlflow.db*"))


KILL = """
import os, sys
from sqlalchemy import Engine, event
left = int(sys.argv[2])
@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left == 0:
        os._exit(9)
from prunecxr.tracking.store import open_store
open_store(sys.argv[1])
"""


@pytest.mark.usefixtures("stores_from_nothing")
@pytest.mark.parametrize("statement", [1, 40, 150])
def test_the_next_command_makes_what_a_killed_one_did_not(tmp_path, statement):
    command = [sys.executable, "-c", KILL, "sqlite:///mlflow.db", str(statement)]
    assert subprocess.run(command, check=False, cwd=tmp_path).returncode == 9
    assert open_store().experiment_name == "Default"
    assert not list(tmp_path.glob(".mlflow.db*"))


@pytest.mark.usefixtures("stores_from_nothing")
def test_a_full_disk_leaves_no_store(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(sqlite.mlflow_db, "_upgrade_db", fail)
    with pytest.raises(EnvironmentFault, match="database or disk is full; make room on the disk"):
        open_store()
    assert not [file for file in tmp_path.iterdir() if "lock" not in file.name]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP TABLE alembic_version; DELETE FROM experiments", "was being made when the process was killed"),
        ("DELETE FROM alembic_version; DELETE FROM experiments", "was being made when the process was killed"),
        ("DROP TABLE metrics; DELETE FROM experiments", "was being made when the process was killed"),
        ("CREATE TABLE _alembic_tmp_runs (x); DELETE FROM experiments", "was being made when the process was killed"),
        ("UPDATE alembic_version SET version_num = '451aebb31d03'; DELETE FROM experiments", "being made when"),
        ("UPDATE alembic_version SET version_num = '451aebb31d03'", "an older MLflow made it .* mlflow db upgrade"),
        ("UPDATE alembic_version SET version_num = 'ffffffffffff'", "a newer MLflow made it"),
        ("DELETE FROM alembic_version", "a migration of this file was interrupted"),
        ("CREATE TABLE _alembic_tmp_runs (x)", "a migration of this file was interrupted"),
    ],
)
def test_what_is_wrong_with_a_store_and_the_way_out(tmp_path, whole, damage, said):
    path = tmp_path / "mlflow.db"
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(damage)
    with pytest.raises(EnvironmentFault, match=said) as caught:
        open_store()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_programs_database_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE recipes (x)")
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(EnvironmentFault, match="another program's database .*recipes"):
        open_store()
    assert (tmp_path / "mlflow.db").read_bytes() == before


@pytest.mark.usefixtures("stores_from_nothing")
@pytest.mark.parametrize("content", [b"", "tables"])
def test_a_file_without_tables_is_no_obstacle(tmp_path, content):
    if content:
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    else:
        (tmp_path / "mlflow.db").write_bytes(content)
    assert open_store().experiment_name == "Default"


@pytest.mark.parametrize("folder", ["a b", "Männer", "100%", "x%20y", "50%ü z"])
def test_odd_paths_are_one_store_however_they_are_written(tmp_path, whole, monkeypatch, folder):
    path = tmp_path / folder / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(whole, path)
    encoded = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    store = open_store(encoded, "mine")
    monkeypatch.chdir(path.parent)
    assert open_store(None, "mine").experiment_id == store.experiment_id  # the default: in this folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", encoded)
    assert open_store(None, "mine").experiment_id == store.experiment_id
    if "%" not in folder:
        assert open_store(f"sqlite:///{path}", "mine").experiment_id == store.experiment_id
    assert path.with_name("mlflow.db.lock").exists()
    if folder != "x%20y":  # where MLflow makes the folder that it reads in the URI, empty
        assert [file.name for file in tmp_path.iterdir()] == [folder]


def test_the_home_folder(tmp_path, whole, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    shutil.copy(whole, tmp_path / "home/mlflow.db")
    store = open_store("sqlite:///~/mlflow.db")
    assert store.uri == f"sqlite:///{tmp_path}/home/mlflow.db"
    assert not (tmp_path / "~").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_as_a_user(tmp_path, whole):
    shutil.copy(whole, tmp_path / "mlflow.db")
    (tmp_path / "mlflow.db").chmod(0o400)
    with pytest.raises(EnvironmentFault, match="readonly database; make file and folder writable"):
        open_store()


def test_a_store_that_may_not_be_written(tmp_path, whole, monkeypatch):
    shutil.copy(whole, tmp_path / "mlflow.db")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(EnvironmentFault, match="readonly database; make file and folder writable"):
        open_store()


def test_an_old_folder_of_runs(tmp_path):
    (tmp_path / "mlruns/0").mkdir(parents=True)
    for uri in ("mlruns", "./mlruns", f"file://{tmp_path}/mlruns", str(tmp_path / "mlruns")):
        with pytest.raises(EnvironmentFault, match="mlflow migrate-filestore --source .*mlruns --target sqlite"):
            open_store(uri)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/db", "postgresql://me:***@127.0.0.1:1/db: .*refused"),
        ("postgresql://me:hidden@127.0.0.1:port/db", "postgresql://me:***@127.0.0.1:port/db: "),
        ("postgresql://me:hid/hidden@127.0.0.1/db", r"postgresql://***: "),
        ("postgresql://127.0.0.1:1/db?user=me&password=hidden", r"password=***: .*refused"),
        ("http://me:hidden@127.0.0.1:1", "http://me:***@127.0.0.1:1: .*refused"),
        ("http://me:hidden@127.0.0.1:port", "http://me:***@127.0.0.1:port: "),
    ],
)
def test_who_cannot_be_reached_is_named_without_passwords(uri, said, monkeypatch, capfd, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(EnvironmentFault, match=said.replace("***", r"\*\*\*").replace("?", r"\?")) as caught:
        open_store(uri)
    printed = capfd.readouterr()
    assert "hidden" not in str(caught.value) + printed.out + printed.err + caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "\n" not in str(caught.value)


def test_a_store_shows_no_password():
    assert faults.shown("postgresql://me:hid@den@host/db") == "postgresql://me:***@host/db"
    assert faults.shown("postgresql://me:hid/d@en@host/db") == "postgresql://***"
    assert faults.shown("postgresql://me@host:5432/db") == "postgresql://me@host:5432/db"
    assert faults.shown("sqlite:////home/a@b:c/x.db") == "sqlite:////home/a@b:c/x.db"
    assert faults.shown("http://[::1]:5000/x") == "http://[::1]:5000/x"
    assert faults.shown("mysql+pymysql://me:hidden@host/db?ssl_key=k&charset=u") == (
        "mysql+pymysql://me:***@host/db?ssl_key=***&charset=u"
    )


def test_the_cause_of_a_fault():
    lines = "first line:\nsomething\n[SQL: SELECT 1]\n(Background on this error at: https://sqlalche.me/e/20/e3q8)"
    assert faults.cause_of(ValueError(lines)) == "first line: something"
    assert faults.cause_of(ValueError("x" * 1000 + "the end")).endswith("xthe end")
    assert len(faults.cause_of(ValueError("x" * 1000))) <= faults.LONGEST + 5
    assert faults.cause_of(ValueError("")) == "ValueError"


@pytest.fixture
def new_postgres(postgres_uri):
    """A database without tables."""
    name = f"new_{uuid.uuid4().hex[:12]}"
    engine = sqlalchemy.create_engine(postgres_uri, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    yield sqlalchemy.make_url(postgres_uri).set(database=name).render_as_string(hide_password=False)
    for left in reversed(range(50)):  # the server's own vacuum, which only its owner may end, soon ends by itself
        try:
            with engine.connect() as connection:
                connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
            return
        except sqlalchemy.exc.SQLAlchemyError:
            if not left:
                raise
            time.sleep(0.2)


def test_several_commands_at_once_on_a_new_postgresql_database(new_postgres):
    assert len(set(open_at_once(3, new_postgres, "new"))) == 1


def test_an_experiment_that_another_command_makes_at_the_same_moment(store, monkeypatch):
    kind, look, answers = type(store._client), type(store._client).get_experiment_by_name, [None]
    monkeypatch.setattr(
        kind, "get_experiment_by_name", lambda *given: answers.pop() if answers else look(*given)
    )  # it is not there at the first look
    assert open_store(store.uri, store.experiment_name).experiment_id == store.experiment_id


def test_a_database_of_another_version(new_postgres):
    open_store(new_postgres)
    engine = sqlalchemy.create_engine(new_postgres, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(EnvironmentFault, match=r":\*\*\*@.*: a newer MLflow made it \(schema ffffffffffff\)"):
        open_store(new_postgres)


def test_a_killed_command_gives_the_lock_of_a_database_back(new_postgres):
    code = (
        "import sys, time, mlflow.store.db.utils as u; u._initialize_tables = lambda _: (print('x', flush=True), "
        "time.sleep(60)); from prunecxr.tracking.store import open_store; open_store(sys.argv[1])"
    )
    with subprocess.Popen([sys.executable, "-c", code, new_postgres], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"x\n"
        process.send_signal(signal.SIGKILL)
    assert open_store(new_postgres, "x").experiment_name == "x"


def test_a_store_opened_again_keeps_its_locks(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = open_store(uri, "x")
    runs.create(store, "kind", {"number": "1"}, name="first")
    open_store(uri, "y")
    other = "import sys; from prunecxr.tracking.store import open_store; open_store(sys.argv[1], 'x')"
    subprocess.run([sys.executable, "-c", other, uri], check=True)
    run = runs.create(store, "kind", {"number": "2"}, name="second")
    read = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT run_uuid FROM runs').fetchall())"
    answer = subprocess.run(
        [sys.executable, "-c", read, str(tmp_path / "mlflow.db")], check=True, capture_output=True, text=True
    )
    assert run.id in answer.stdout  # not lost with a log that the other process took for its own and removed
