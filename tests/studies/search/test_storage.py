"""Storages that are torn, of another kind, or cannot be reached."""

from __future__ import annotations

import sqlite3

import optuna
import pytest
import sqlalchemy.exc
from hypothesis import given
from hypothesis import strategies as st

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.studies.search.storage import mend, open_database, open_journal, storage_faults


def test_a_line_that_a_kill_cut_off_is_forgotten_by_whoever_writes_next(tmp_path):
    path = tmp_path / "j.journal"
    study = optuna.create_study(storage=open_journal(path), study_name="s")
    study.ask()
    whole = path.read_bytes()
    study.ask()
    line = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + line[: len(line) // 2])
    other = optuna.load_study(storage=open_journal(path), study_name="s")
    assert len(other.trials) == 1
    other.ask()
    assert len(other.trials) == 2
    assert len(optuna.load_study(storage=open_journal(path), study_name="s").trials) == 2


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.binary(max_size=20))
def test_mending_keeps_whole_lines_and_nothing_else(tmp_path_factory, lines, torn):
    path = tmp_path_factory.mktemp("mend") / "j"
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + torn.replace(b"\n", b""))
    mend(path)
    assert path.read_bytes() == whole


def test_a_journal_that_is_something_else_is_named(tmp_path):
    path = tmp_path / "j.journal"
    path.write_text("no journal\nat all\n", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="j.journal cannot be used"):
        open_journal(path)


def test_a_journal_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        open_journal(tmp_path / "file" / "j.journal")


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("nonsense", UserError, "option storage: this is no database URL like postgresql://"),
        (
            "postgresql://u:secret@127.0.0.1:1/x",
            EnvironmentFault,
            "option storage: postgresql://u:***@127.0.0.1:1/x cannot",
        ),
        (
            "sqlite:////proc/nowhere/x.db",
            EnvironmentFault,
            "option storage: sqlite:////proc/nowhere/x.db cannot be used",
        ),
        ("oracle+nope://x/y", EnvironmentFault, "needs a driver that is not installed"),
        ("redis://localhost/0", EnvironmentFault, "needs a driver that is not installed"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(url, kind, message):
    with pytest.raises(kind) as caught:
        open_database(url)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_goes_away_is_the_environments_fault():
    def lose_it():
        raise optuna.exceptions.StorageInternalError("commit") from sqlalchemy.exc.OperationalError(
            "x", {}, OSError("gone")
        )

    with (
        pytest.raises(EnvironmentFault, match="option storage: its database cannot be used .*gone"),
        storage_faults(),
    ):
        lose_it()


def test_the_tracking_store_is_no_place_for_a_search(tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("create table experiments (experiment_id integer)")
    database.close()
    with pytest.raises(
        UserError, match=r"mlflow.db is an MLflow tracking store; give the search a database of its own"
    ):
        open_database(f"sqlite:///{tmp_path}/mlflow.db")
