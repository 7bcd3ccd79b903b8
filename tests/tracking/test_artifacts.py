"""What was logged is read back unchanged, or the damage is said: run, file, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import artifacts, digests, names, query, runs
from tests.tracking.variants import CLASSES, IDS, SPLIT, log_seed, log_variant


def file_of(run, artifact: str) -> Path:
    return Path(run.artifact_uri.removeprefix("file://")) / artifact


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_tables_and_texts_come_back(store):
    run = runs.create(store, "seed", {}, name="n")
    table = pd.DataFrame({"id": ["007", ""], "value": [0.25, np.nan], "text": ["", "NA"]})
    with run.files() as folder:
        (folder / "tables").mkdir()
        table.to_csv(folder / "tables/a.csv", index=False)
        table.to_parquet(folder / "b.parquet", index=False)
        (folder / "warnings.txt").write_text("é\n", encoding="utf-8")
    found = runs.get(store, run.id)
    pd.testing.assert_frame_equal(artifacts.read_table(found, "tables/a.csv", ("id", "text")), table)
    pd.testing.assert_frame_equal(artifacts.read_table(found, "b.parquet"), table)
    assert artifacts.read_arrow(found, "b.parquet", ["id"])["id"].to_pylist() == ["007", ""]
    assert artifacts.read_text(found, "warnings.txt") == "é\n"
    assert set(json.loads(found.tags[names.DIGESTS])) == {"tables/a.csv", "b.parquet", "warnings.txt"}
    with pytest.raises(EnvironmentFault, match=f"run {run.id}: its artifact c.csv"):
        artifacts.read_table(found, "c.csv")


@pytest.mark.parametrize("damage", [flip, truncate, empty])
@pytest.mark.parametrize(
    "artifact", [names.PREDICTIONS, names.test_labels(SPLIT), names.class_counts(SPLIT), names.data_warnings(SPLIT)]
)
def test_a_damaged_file_is_named(sqlite_store, artifact, damage):
    seed_run = log_seed(sqlite_store, 3)
    run = log_variant(sqlite_store, seed_run, 0.5)
    damage(file_of(run if artifact == names.PREDICTIONS else seed_run, artifact))
    with pytest.raises(EnvironmentFault, match="is damaged .*restore it, or delete the run") as caught:
        query.read_predictions(sqlite_store, query.read_population(sqlite_store, "s", "magnitude"))
    assert artifact in str(caught.value)
    assert (run.id if artifact == names.PREDICTIONS else seed_run.id) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_earlier_versions_logged_is_read_without_digests(sqlite_store):
    run = log_variant(sqlite_store, log_seed(sqlite_store, 3), 0.5)
    run.put_tag(names.DIGESTS, "")
    population = query.read_population(sqlite_store, "s", "magnitude")
    assert query.read_predictions(sqlite_store, population).shape == (1, 1, len(IDS), len(CLASSES))
    truncate(file_of(run, names.PREDICTIONS))
    with pytest.raises(EnvironmentFault, match=f"run {run.id}: its artifact predictions.parquet is damaged"):
        query.read_predictions(sqlite_store, population)


def test_files_that_are_logged_again(sqlite_store):
    run = runs.create(sqlite_store, "study", {}, name="n")

    def log(text: str, name: str = "recipe.yaml") -> None:
        with run.files() as folder:
            (folder / name).write_text(text, encoding="utf-8")

    log("one")
    early = runs.get(sqlite_store, run.id)
    log("other", "other.csv")
    log("two")
    assert artifacts.read_text(run, "recipe.yaml") == "two"
    assert artifacts.read_text(early, "recipe.yaml") == "two"  # it looks again before it complains
    assert artifacts.read_text(run, "other.csv") == "other"
    file_of(run, "recipe.yaml").write_text("one")  # a kill between the tag and the file leaves this
    assert artifacts.read_text(run, "recipe.yaml") == "one"
    file_of(run, "recipe.yaml").write_text("three")
    with pytest.raises(EnvironmentFault, match="damaged"):
        artifacts.read_text(run, "recipe.yaml")


def test_many_digests_fit_into_a_tag(tmp_path):
    many = {f"tables/{'x' * 20}{i}.csv": f"{i:032x}" for i in range(120)}
    noted = digests.merged("", many)
    assert len(noted) <= digests.MOST_CHARACTERS
    (tmp_path / "a.csv").write_text("a")
    noted = digests.merged(noted, {"a.csv": digests.file_digest(tmp_path / "a.csv")})
    assert digests.is_intact(noted, "a.csv", tmp_path / "a.csv")
    assert not digests.is_intact(noted, f"tables/{'x' * 20}7.csv", tmp_path / "a.csv")
    assert digests.is_intact("{not json", "a.csv", tmp_path / "a.csv")
