"""One storage of each kind that a search may have: a journal file, SQLite, PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
import sqlalchemy

from prunecxr.options.space import Choices, Range
from prunecxr.studies.search.sampling import distributions, guide
from prunecxr.studies.search.storage import open_database, open_journal
from prunecxr.studies.search.turns import Turns

SPACE = {"learning_rate": Range(0.001, 1.0, log=True), "batch_size": Choices((16, 32, 64))}


@dataclass(frozen=True)
class Place:
    """Where a search is kept: everything that another process needs to join it."""

    folder: Path
    url: str | None
    name: str

    def study(self) -> optuna.Study:
        """The study, opened anew as a process that joins would."""
        storage = open_database(self.url) if self.url else open_journal(self.folder / "search.journal")
        study = optuna.create_study(storage=storage, study_name=self.name, direction="maximize", load_if_exists=True)
        guide(study, 0, 9)
        return study

    def turns(self, total: int, first: int | None = None, host: str = "here") -> Turns:
        """A worker; `host` names the folder of its locks, which workers of one host share."""
        study = self.study()
        first = len(study.get_trials()) if first is None else first
        return Turns(study, self.folder / host, one_host=self.url is None, first=first, total=total)


def value_of(trial: optuna.Trial) -> float:
    """Suggests every option; the larger the learning rate, the better."""
    for name, distribution in distributions(SPACE).items():
        trial._suggest(name, distribution)
    return float(trial.params["learning_rate"])


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A schema of one's own, since MLflow's tables may be in the database that PRUNECXR_TEST_POSTGRES names."""
    url = os.environ.get("PRUNECXR_TEST_POSTGRES")
    if not url:
        pytest.skip("no PostgreSQL (environment variable PRUNECXR_TEST_POSTGRES)")
    schema = f"search_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"create schema {schema}"))
    yield f"{url}?options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"drop schema {schema} cascade"))


@pytest.fixture(params=["journal", "sqlite", "postgres"])
def place(request, tmp_path: Path) -> Place:
    url = None
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/search.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    return Place(tmp_path, url, f"search-{uuid.uuid4().hex}")


@pytest.fixture
def shared(place: Place) -> Place:
    """A storage that several hosts may share."""
    if place.url is None:
        pytest.skip("a journal is for one host")
    return place


@pytest.fixture
def deadline() -> float:
    return float("inf")


Objective = Callable[[optuna.Trial, int], float]
