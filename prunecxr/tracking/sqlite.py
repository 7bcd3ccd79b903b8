"""SQLite stores: the file behind a URI, made whole or not at all, and looked at before it is used.

MLflow makes its tables in the file itself, statement by statement: a kill or a full disk in between leaves a file that
neither it nor anybody else can use. Here a store is made beside, in the same folder, and renamed into its place.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.store.db import utils as mlflow_db
from mlflow.store.db.base_sql_model import Base
from mlflow.store.tracking import sqlalchemy_store as _  # noqa: F401 (declares the tables)
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

from prunecxr.errors import EnvironmentFault

SCHEME = "sqlite:///"
BESIDE = ("", "-journal", "-wal", "-shm")  # what SQLite puts beside a database


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite URI, percent-encoding and `~` resolved; None: no such URI, or one of a store in memory."""
    if not uri.startswith(SCHEME):
        return None
    text = unquote(uri.removeprefix(SCHEME).partition("?")[0])
    return None if text in ("", ":memory:") else Path(os.path.expanduser(text))  # noqa: PTH111 (unknown users stay)


def sqlite_uri(path: Path) -> str:
    """The URI that SQLAlchemy reads as this file. MLflow takes it as it stands, so no more is encoded than must be."""
    return SCHEME + re.sub(r"%(?=[0-9A-Fa-f]{2})|[?#]", lambda found: quote(found.group()), str(path))


def resolved(uri: str) -> str:
    """An SQLite URI without percent-encoding and `~`; any other as it is."""
    path = sqlite_path(uri)
    query = uri.partition("?")[2]
    return uri if path is None else sqlite_uri(path) + (f"?{query}" if query else "")


def prepare(path: Path) -> None:
    """Make the store if there is none, under a lock; else see that it is one.

    Raises:
        EnvironmentFault: the file is something else, or a store of another version, or half made; what to do is said.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise sqlite3.OperationalError("attempt to write a readonly database")
    with FileLock(f"{path}.lock"):
        if _is_empty(path):
            _make(path)
        check(path)
        with closing(sqlite3.connect(path)) as connection:
            # Readers no longer wait for writers; the setting stays in the file.
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL")
            settled = connection.execute("SELECT COUNT(*) FROM experiments").fetchone() != (0,)
        if not settled:
            MlflowClient(sqlite_uri(path)).search_experiments(max_results=1)  # makes the first experiment


def _is_empty(path: Path) -> bool:
    """Whether there is no database yet, or one without tables, as a kill in an earlier version's first steps left."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    return _is_database(path) and not _tables(path)


def _is_database(path: Path) -> bool:
    """Whether SQLite takes the file for a database. SQLite itself is asked: a process that opens and closes the file
    drops all its locks on it (POSIX), and another process then removes the log that its connections write to.
    """
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
                raise
            return False
    return True


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _make(path: Path) -> None:
    """Make a store beside and rename it; the lock is held, so what lies beside is of a killed process."""
    beside = path.with_name(f".{path.name}.new")
    _remove(beside)
    engine = mlflow_db.create_sqlalchemy_engine(sqlite_uri(beside))
    try:
        mlflow_db._initialize_tables(engine)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))
        engine.dispose()  # its last connection writes the log into the file
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        for suffix in BESIDE[1:]:
            Path(f"{path}{suffix}").unlink(missing_ok=True)  # of the empty file that is replaced
        beside.replace(path)
    except BaseException:
        engine.dispose()
        _remove(beside)
        raise


def _remove(path: Path) -> None:
    for suffix in BESIDE:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def check(path: Path) -> None:
    """See that a file is a store of this version of MLflow.

    Raises:
        EnvironmentFault: it is not, with the way out.
    """
    if not _is_database(path):
        raise EnvironmentFault(f"tracking store {SCHEME}{path}: this file is not a database; move it away")
    tables = _tables(path)
    expected = set(Base.metadata.tables)
    ours = expected | set(InitialBase.metadata.tables)
    if not tables & ours:
        listed = ", ".join(sorted(tables)[:3])
        raise EnvironmentFault(
            f"tracking store {SCHEME}{path}: this file is another program's database (its tables: {listed}); give a "
            "file of its own with MLFLOW_TRACKING_URI"
        )
    version, head = _version(path, tables), mlflow_db._get_latest_schema_revision()
    missing, halfway = expected - tables, [table for table in tables if table.startswith("_alembic_tmp_")]
    if version == head and not missing and not halfway:
        return
    if not _holds_runs(path, tables):
        raise EnvironmentFault(
            f"tracking store {SCHEME}{path}: the file was being made when the process was killed or the disk was full, "
            f"and it holds no runs: delete it (rm {path}*) and repeat the command"
        )
    if not version or halfway or version == head:
        raise EnvironmentFault(
            f"tracking store {SCHEME}{path}: a migration of this file was interrupted; restore the copy that was made "
            "before it, and repeat the migration (mlflow db upgrade)"
        )
    raise EnvironmentFault(f"tracking store {SCHEME}{path}: {other_version(version, f'{SCHEME}{path}')}")


def other_version(version: str, uri: str) -> str:
    """What to do about a store whose schema is not that of the MLflow that is installed."""
    scripts = mlflow_db.ScriptDirectory.from_config(mlflow_db._get_alembic_config(""))
    if any(script.revision == version for script in scripts.walk_revisions()):
        return (
            f"an older MLflow made it (schema {version}); make a copy of it, then migrate it: mlflow db upgrade {uri}"
        )
    return f"a newer MLflow made it (schema {version}): install that one, or give another store"


def _version(path: Path, tables: set[str]) -> str:
    if "alembic_version" not in tables:
        return ""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def _holds_runs(path: Path, tables: set[str]) -> bool:
    """Whether anybody has logged anything: MLflow makes its first experiment when all tables are there."""
    with closing(sqlite3.connect(path)) as connection:
        return any(
            connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone() == (1,)
            for table in ("experiments", "runs")
            if table in tables
        )
