"""What fails in a store, said in one line that names the store and the cause, without passwords."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import sqlalchemy.exc
from mlflow.exceptions import MlflowException

from prunecxr.errors import EnvironmentFault

LONGEST = 300  # characters of a cause

# Loggers of libraries: what they say, the error line says better, or it is no news to the user of this tool.
QUIET = {
    "mlflow.store.db.utils": logging.CRITICAL,
    "mlflow.tracking._model_registry": logging.WARNING,
    "mlflow.store.model_registry": logging.WARNING,
    "alembic": logging.WARNING,
    "urllib3.connectionpool": logging.ERROR,
    "urllib3.util.retry": logging.ERROR,
}

_AUTHORITY = re.compile(r"^(\w[\w+.-]*://)([^/?#]*@)?(.*)$", re.DOTALL)
_SECRET_FIELD = re.compile(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&#]*")
_NOISE = re.compile(r"^(\[SQL|\[parameters|\(Background on this error|The cause of this error is typically|-{3,}|To )")
_CAUSED_BY = re.compile(r"\(Caused by (.*)\)\s*$", re.DOTALL)
_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>:? ?")
_REMEDIES = {
    "readonly database": "make file and folder writable, or give another store with MLFLOW_TRACKING_URI",
    "unable to open database file": "the folder must be there, and writable",
    "database or disk is full": "make room on the disk",
    "No space left on device": "make room on the disk",
    "database is locked": "another program holds it; end that, or use a server or PostgreSQL",
    "disk image is malformed": "the file is damaged; restore it from a copy",
}


def quiet_libraries() -> None:
    """Let libraries keep to themselves what the user of this tool need not read."""
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


def shown(uri: str) -> str:
    """A URI as messages show it: `***` stands for passwords; of one that cannot be taken apart, little is shown."""
    matched = _AUTHORITY.match(uri)
    if matched is None:
        return uri if "@" not in uri else "***"
    scheme, user, rest = matched.groups(default="")
    if not rest.startswith("/") and ("@" in rest.partition("?")[0] or (not user and ":" in rest and _odd_port(rest))):
        return f"{scheme}***"
    if user and ":" in user:
        user = f"{user.partition(':')[0]}:***@"
    return scheme + user + _SECRET_FIELD.sub(r"\1***", rest)


def _odd_port(rest: str) -> bool:
    """Whether what stands in a port's place is no number: a password may, where its `@` was forgotten."""
    port = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition(":")[2]
    return not port.isdigit() and "]" not in port


def _secrets(uri: str) -> list[str]:
    """The passwords in a URI, as they stand there and as they are sent."""
    matched = _AUTHORITY.match(uri)
    raw = [matched.group(2).rstrip("@").partition(":")[2]] if matched and matched.group(2) else []
    raw += [part.partition("=")[2] for part in re.split(r"[?&]", uri) if _SECRET_FIELD.match(f"?{part}")]
    return [text for secret in raw if secret for text in (secret, unquote(secret))]


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type where there is none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:LONGEST]


def cause_of(error: BaseException) -> str:
    """What an error comes down to, in one line: the driver's own words, the last cause of a failed request, or else
    its first and its last line that say something; remedies come last.
    """
    text = str(_original(error)).strip()
    caused = _CAUSED_BY.search(text)
    text = _OBJECT.sub("", caused.group(1)) if caused else text
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    if not lines:
        return type(error).__name__
    first, last = lines[0], lines[-1]
    if len(lines) > 1 and len(first) + len(last) < LONGEST:
        first = f"{first.rstrip(' .:')}: {last}"
    if len(first) > LONGEST:
        first = f"{first[: LONGEST // 2 - 3]} ... {first[-(LONGEST // 2 - 3) :]}"
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in first), "")
    return f"{first}; {remedy}" if remedy else first


def _original(error: BaseException) -> BaseException:
    """The database driver's error, where one lies below; else the error itself."""
    below: BaseException | None = error
    for _ in range(10):
        if isinstance(below, sqlalchemy.exc.DBAPIError) and below.orig is not None:
            return below.orig
        if below is None:
            break
        below = below.__cause__ or below.__context__
    return error


@contextmanager
def store_faults(uri: str) -> Iterator[None]:
    """Turn what fails in a store into one line that names the store and the cause.

    Raises:
        EnvironmentFault: in place of whatever MLflow, the database or the network raised.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise EnvironmentFault(f"tracking store {shown(uri)}: needs the package {error.name}, pip install it") from None
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        text = cause_of(error)
        for secret in _secrets(uri):
            text = text.replace(secret, "***")
        raise EnvironmentFault(f"tracking store {shown(uri)}: {text}") from None
