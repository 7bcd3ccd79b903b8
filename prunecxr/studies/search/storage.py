"""Where the trials of a search are kept: a journal file on one host, or a database for several."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import sqlalchemy.exc
import sqlalchemy.pool
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from prunecxr.errors import EnvironmentFault, UserError

FAULTS = (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError, sqlite3.Error)
HEARTBEAT, GRACE = 15, 90  # seconds between signs of life of a trial, and without any after which it counts as dead

# Every command says itself what becomes of its trials.
optuna.logging.set_verbosity(optuna.logging.ERROR)


class _JournalLock(BaseJournalFileLock):
    """Whose turn it is to append. The kernel releases it when its holder is killed, and the next one mends the end.

    Optuna's own locks are files that a killed process leaves behind, for 30 seconds; and a line that a kill cut off
    would run into the next one and make the journal unreadable.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(f"{journal}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        if self._journal.exists():
            mend(self._journal)
        return True

    def release(self) -> None:
        self._lock.release()


def mend(journal: Path) -> None:
    """Cut off a last line that was not written to its end."""
    with journal.open("rb+") as file:
        size = file.seek(0, 2)
        if size == 0:
            return
        file.seek(-1, 2)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def open_journal(path: Path) -> BaseStorage:
    """The journal file of a search, made if it is not there; for the processes of one host.

    Raises:
        EnvironmentFault: it cannot be read or written.
    """
    with _opening(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))


def check_database(url: str | None) -> None:
    """Open the database that a search is to share, if one is named, to see whether that can be done.

    Raises:
        UserError, EnvironmentFault: see :func:`open_database`.
    """
    if url:
        open_database(url)


def open_database(url: str) -> BaseStorage:
    """The database of that SQLAlchemy URL; running trials give it signs of life.

    Raises:
        UserError: it is no such URL, or the database is MLflow's.
        EnvironmentFault: the database cannot be reached.
    """
    try:
        shown = sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # its text is kept back, there may be a password in it
        raise UserError(
            "option storage: this is no database URL like postgresql://user@host/database or sqlite:////path/file"
        ) from None
    with _opening(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        _refuse_tracking_store(url, shown)
        try:
            return _database(url)
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            return _database(url)  # another host made the tables at the same moment; they are there now


def _refuse_tracking_store(url: str, shown: str) -> None:
    """Optuna and MLflow both note the version of their tables in `alembic_version`: in one database, either breaks."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    if "experiments" in sqlalchemy.inspect(engine).get_table_names():
        raise UserError(f"option storage: {shown} is an MLflow tracking store; give the search a database of its own")


def _database(url: str) -> BaseStorage:
    # A connection for each use: between two epochs, servers drop those that idle.
    idle = {"poolclass": sqlalchemy.pool.NullPool}
    return RDBStorage(url, engine_kwargs=idle, heartbeat_interval=HEARTBEAT, grace_period=GRACE)


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn what a database raises while the search runs into one line."""
    try:
        yield
    except FAULTS as error:
        raise _fault("its database", error) from None


@contextmanager
def _opening(where: str) -> Iterator[None]:
    """The same for a storage that is opened, which also fails for want of a driver, or over a file of another kind."""
    try:
        yield
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise EnvironmentFault(
            f"option storage: {where} needs a driver that is not installed ({error.__cause__ or error}); "
            "for PostgreSQL: pip install -e '.[postgres]'"
        ) from None
    except (*FAULTS, OSError, ValueError, RuntimeError) as error:
        raise _fault(where, error) from None


def _fault(where: str, error: Exception) -> EnvironmentFault:
    cause = error.__cause__ or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return EnvironmentFault(f"option storage: {where} cannot be used ({lines[0][:300]})")
