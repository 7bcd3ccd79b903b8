"""Database servers: reached in seconds or not at all, their tables made by one command of several."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from mlflow import MlflowClient
from mlflow.store.db import utils as mlflow_db

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking.faults import shown
from prunecxr.tracking.sqlite import other_version

CONNECT_SECONDS = "8"
LOCK = 7_286_342_371  # an advisory lock of PostgreSQL is a number that all who take it agree on

_TAKE = {"postgresql": f"SELECT pg_advisory_lock({LOCK})", "mysql": f"SELECT GET_LOCK('prunecxr-{LOCK}', 600)"}
_GIVE = {"postgresql": f"SELECT pg_advisory_unlock({LOCK})", "mysql": f"SELECT RELEASE_LOCK('prunecxr-{LOCK}')"}


def is_database_server(uri: str) -> bool:
    """Whether a URI names a database other than SQLite."""
    return uri.partition(":")[0].partition("+")[0] in ("postgresql", "postgres", "mysql", "mssql")


def prepare(uri: str) -> None:
    """Connect once, where MLflow would try for minutes, and make the tables of a new database.

    Raises:
        EnvironmentFault: a database of another version of MLflow.
        sqlalchemy.exc.SQLAlchemyError: it cannot be reached.
    """
    os.environ.setdefault("PGCONNECT_TIMEOUT", CONNECT_SECONDS)
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    if _is_settled(engine):
        _check(engine, uri)
        return
    with _locked(engine):
        if not _is_settled(engine):
            if mlflow_db._is_empty_database(engine) or mlflow_db._get_schema_version(engine) is None:
                mlflow_db._initialize_tables(engine)
            _check(engine, uri)
            MlflowClient(uri).search_experiments(max_results=1)  # makes the first experiment


def _is_settled(engine: sqlalchemy.Engine) -> bool:
    """Whether all is there that MLflow makes by itself: the tables and the first experiment."""
    if not mlflow_db._all_tables_exist(engine):
        return False
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("SELECT 1 FROM experiments")).first() is not None


def _check(engine: sqlalchemy.Engine, uri: str) -> None:
    version = mlflow_db._get_schema_version(engine)
    if version != mlflow_db._get_latest_schema_revision():
        raise EnvironmentFault(f"tracking store {shown(uri)}: {other_version(str(version), shown(uri))}")


@contextmanager
def _locked(engine: sqlalchemy.Engine) -> Iterator[None]:
    """Hold the database's own lock, if it has one; it ends with the connection, however this process ends."""
    name = engine.dialect.name
    if name not in _TAKE:
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text(_TAKE[name]))
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text(_GIVE[name]))
