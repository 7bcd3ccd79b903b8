"""Studies of version 0.1.0 (fef1d74) are found: nothing is trained, evaluated or imported again.

`store.tar.xz` is a store that its code wrote: a pruning study by two methods, a localization study, an import. Left out
are figures, reports, copies of the code and the large weights; the database is an SQL dump, `@STORE@` is its folder.
"""

from __future__ import annotations

import io
import sqlite3
import tarfile
from contextlib import redirect_stdout
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from prunecxr.options.recipe import build_config
from prunecxr.studies import commands
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.study import run_htl
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.importing import configure_import, import_predictions
from prunecxr.studies.pruning.study import prune, run_study
from prunecxr.tracking import names, runs
from prunecxr.tracking.store import Store, open_store

ARCHIVE = Path(__file__).with_name("store.tar.xz")
PRUNING = {
    "study": "old",
    "seeds": "2",
    "architecture": "shufflenet_v2_x0_5",
    "weights": "none",
    "image_size": "32",
    "phantom_train": "60",
    "phantom_val": "50",
    "phantom_test": "50",
    "optimizer": "adamw",
    "learning_rate": "0.002",
    "batch_size": "16",
    "epochs": "2",
    "sparsities": "0,0.5,0.9",
    "register_sparsities": "0.9",
    "precision": "fp32",
    "bootstrap": "200",
}
LOCALIZATION = {
    "study": "old-htl",
    "seeds": "10,",
    "features": "4,4,4,4,4,4",
    "image_size": "32",
    "phantom_train": "40",
    "phantom_val": "10",
    "phantom_test": "12",
    "epochs": "10",
    "milestones": "8",
    "learning_rate": "0.2",
    "batch_size": "16",
    "finetune_epochs": "1",
    "finetune_milestones": "1",
    "class_weighted": "true",  # the default of their time
    "htl_rule": "top",
    "tau": "0.2",
    "baselines": "random,focal",
    "ablation_fractions": "0.7",
    "ablation_methods": "random,magnitude",
    "ablation_finetuning": "false",
    "effect_fractions": "0.5",
    "precision": "fp32",
    "bootstrap": "100",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of the unpacked store."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for path in [folder / "mlflow.sql", *folder.rglob("MLmodel")]:
        path.write_text(path.read_text(encoding="utf-8").replace("@STORE@", str(folder)), encoding="utf-8")
    connection = sqlite3.connect(folder / "mlflow.db")
    connection.executescript((folder / "mlflow.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


@pytest.fixture
def store(folder, monkeypatch) -> Store:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)  # where an earlier test left it
    monkeypatch.chdir(folder)
    return open_store(experiment="old")


def said(work, *arguments) -> str:
    with redirect_stdout(io.StringIO()) as out:
        work(*arguments)
    return out.getvalue()


def keys_of(store: Store, kind: str) -> list[str]:
    return sorted(run.tags.get(names.KEY, run.id) for run in runs.search(store, {names.KIND: kind}))


def test_a_pruning_study_is_found(store):
    before = {kind: keys_of(store, kind) for kind in ("study", "seed", "variant")}
    out = said(run_study, store, build_config(Config, {}, PRUNING))
    assert "0 seed(s) trained (2 found), 0 variant(s) evaluated (6 found)" in out
    assert {kind: keys_of(store, kind) for kind in before} == before


def test_variants_of_another_method_are_found(store):
    seed_run = runs.search(store, {names.KIND: "seed", names.STUDY: "old"})[0]
    changes = {"method": "random@layer", "sparsities": "0,0.5", "register_sparsities": "0.5"}
    out = said(prune, store, build_config(Config, {}, {**PRUNING, **changes}), seed_run)
    assert "0 variant(s) evaluated, 2 found" in out


def test_a_localization_study_is_found(store):
    kinds = ("htl_seed", "htl_pruned", "htl_mining", "htl_network")
    before = {kind: keys_of(store, kind) for kind in kinds}
    out = said(run_htl, store, build_config(HtlConfig, {}, LOCALIZATION))
    assert f"0 network(s) and searches made, {sum(map(len, before.values()))} found" in out
    assert {kind: keys_of(store, kind) for kind in kinds} == before


def test_an_import_is_found(store, tmp_path):
    rng, classes = np.random.default_rng(0), ["A", "B", "C"]
    table = pd.DataFrame((rng.random((40, 3)) < 0.4).astype(int), columns=classes)
    table.insert(0, "subject_id", [f"p{i // 2}" for i in range(40)])
    table.insert(0, "id", [f"i{i:02d}.png" for i in range(40)])
    table.to_csv(tmp_path / "test.csv", index=False)
    (tmp_path / "preds").mkdir()
    for seed in (0, 1):
        for sparsity in ("0", "0.5"):
            predicted = pd.DataFrame(rng.random((40, 3)).astype(np.float32), columns=classes)
            predicted.insert(0, "id", table["id"])
            predicted.to_csv(tmp_path / "preds" / f"seed-{seed}_prune-{sparsity}.csv", index=False)
    config = configure_import({"study": "old-import"})
    out = said(import_predictions, store, config, tmp_path / "preds", tmp_path / "test.csv", None)
    assert "0 variant(s) imported, 4 found" in out


@pytest.mark.usefixtures("store")
def test_registered_models_of_both_kinds_load():
    gray = np.zeros((2, 40, 40), np.uint8)
    model = mlflow.pyfunc.load_model("models:/prunecxr-phantom-shufflenet_v2_x0_5@seed-00-k90")
    assert model.predict(gray).shape == (2, 20)
    unet = mlflow.pyfunc.load_model("models:/prunecxr-phantom-unet@seed-10")
    assert unet.predict(np.zeros((2, 40, 40, 3), np.uint8)).shape == (2, 32, 32)


def test_a_variant_of_a_localization_study_is_rebuilt_and_registered(store):
    tags = {names.KIND: "htl_pruned", names.METHOD: "magnitude", names.SPARSITY: "0.50"}
    (run,) = runs.search(store, tags)
    out = said(commands.register, store, run.id)
    assert "model: models:/" in out


def test_a_localization_study_is_analysed_from_the_server_alone(store):
    given = {"study": "old-htl", "recipe": ""}
    out = said(commands.analyze, store, given, None)
    assert "report: " in out
