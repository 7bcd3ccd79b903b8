"""What fails in a store, said in one line that names the store and the cause, without passwords."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy.exc
from mlflow.exceptions import MlflowException

from prunecxr.errors import EnvironmentFault

_PASSWORD = re.compile(r"(\w://[^\s/:@]*:)[^\s]*(?=@)")


def shown(uri: str) -> str:
    """A URI as messages show it: `***` stands for its password."""
    return _PASSWORD.sub(r"\1***", uri)


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type where there is none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]


@contextmanager
def store_faults(uri: str) -> Iterator[None]:
    """Turn what MLflow raises when its store fails into one line that names the store."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"tracking store {shown(uri)}: needs the package {error.name}, pip install it"
        ) from error
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise EnvironmentFault(f"tracking store {shown(uri)}: {first_line(error)}") from error
