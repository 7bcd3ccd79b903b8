"""Predictions made elsewhere become a study that the analysis cannot tell from one trained here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from entrypoints import import_predictions as entry
from entrypoints.analyze import DECLARATION as ANALYZE
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.studies.commands import analyze
from prunecxr.studies.pruning import importing, material
from prunecxr.tracking import names, query, runs
from prunecxr.tracking.artifacts import fetch
from tests.stored import client_of
from tests.studies.conftest import small

GIVEN = parse(ANALYZE, ["--study=brought", "--bootstrap=200"])[1]


def counts(store) -> Counter[str]:
    found = client_of(store).search_runs([store.experiment_id], max_results=1000)
    return Counter(run.data.tags.get(names.KIND, "") for run in found)


def bring(store, folder: Path, train: Path | None = None, **options: str) -> None:
    given = {"study": "brought", "workdir": str(folder / "work"), **options}
    importing.import_predictions(
        store, importing.configure_import(given), folder / "p", folder / "test.csv", train or folder / "train.csv"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labels, and two seeds at three sparsities in paper A's layout."""
    rng = np.random.default_rng(5)
    classes = ["Mass", "Hernia", "No Finding"]
    for split, n in (("train", 90), ("test", 60)):
        table = pd.DataFrame((rng.random((n, 3)) < (0.5, 0.2, 0.4)).astype(int), columns=classes)
        table.insert(0, "id", [f"{split}{i:03d}.png" for i in range(n)])
        table["subj_id"] = [f"{split}{i // 3}" for i in range(n)]
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    truth = table[classes].to_numpy()
    (tmp_path / "p").mkdir()
    for seed in (0, 3):
        for k in ("0", "0.5", "0.9"):
            logits = 3 * (1 - float(k) / 2) * truth + rng.normal(size=truth.shape)
            frame = pd.DataFrame((1 / (1 + np.exp(-logits))).astype(np.float32), columns=classes)
            frame["label"] = ["|".join(np.array(classes)[row == 1]) for row in truth]
            frame.to_pickle(tmp_path / "p" / f"x_resnet50_seed-{seed}_prune-{k}.pkl")
    return tmp_path


def as_tables(folder: Path, ending: str) -> None:
    """The same numbers in files with ids, in another order."""
    ids = pd.read_csv(folder / "test.csv")["id"]
    for path in (folder / "p").glob("*.pkl"):
        table = pd.read_pickle(path).drop(columns="label").assign(id=ids).sample(frac=1, random_state=0)
        getattr(table, f"to_{ending}")(path.with_suffix(f".{ending}"), index=False)
        path.unlink()


def test_the_store_holds_the_contract(store, folder, capsys):
    bring(store, folder, dataset_name="ours", architecture="densenet121")
    said = capsys.readouterr().out
    assert "2 seed(s) x 3 sparsities; 60 images, 3 classes" in said
    assert "study brought: 6 variant(s) imported, 0 found" in said
    assert "-e analyze -P study=brought" in said
    assert counts(store) == {"study": 1, "seed": 2, "variant": 6}
    (study,) = runs.search(store, {names.KIND: "study"}, finished=True)
    for seed_run in runs.search(store, {names.KIND: "seed"}, finished=True):
        assert seed_run.tags[names.PARENT] == study.id
        history = client_of(store).get_metric_history(seed_run.id, "curve_ap/Mass")
        assert sorted(metric.step for metric in history) == [0, 50, 90]
    for run in runs.search(store, {names.KIND: "variant", names.DATASET: "ours", names.ARCHITECTURE: "densenet121"}):
        assert run.status == "FINISHED"
        assert run.metrics()["realised_sparsity"] == float(run.tags[names.SPARSITY])
        assert "nonzero_weights" not in run.metrics()
        assert {"mean_ap", "mean_auroc", "mean_f1", "ap/Hernia", "auroc/No Finding", "f1/Mass"} <= set(run.metrics())
        stored = pd.read_parquet(fetch(run, names.PREDICTIONS, Path()))
        seed, k = run.tags[names.SEED], float(run.tags[names.SPARSITY])
        given = pd.read_pickle(folder / "p" / f"x_resnet50_seed-{seed}_prune-{k:g}.pkl")
        assert stored["id"].tolist() == pd.read_csv(folder / "test.csv")["id"].tolist()
        np.testing.assert_array_equal(stored[["Mass", "Hernia", "No Finding"]], given.drop(columns="label"))


def test_again_adds_nothing_whatever_the_kind_of_file(store, folder, capsys):
    bring(store, folder)
    before = counts(store)
    for ending in (None, "parquet"):
        if ending:
            as_tables(folder, ending)
        bring(store, folder)
        assert "0 variant(s) imported, 6 found" in capsys.readouterr().out
        assert counts(store) == before


def test_parquet_and_csv_score_alike(store, folder):
    bring(store, folder)
    as_tables(folder, "csv")
    bring(store, folder, study="tables")
    one, other = (query.read_population(store, study, "magnitude").scores for study in ("brought", "tables"))
    assert one.identical(other)


def test_a_killed_import_continues(store, folder, capsys, monkeypatch):
    finish, left = runs.TrackedRun.finish, [5]

    def killed(run, status="FINISHED"):
        if run.tags.get(names.KIND) == "variant":
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
        finish(run, status)

    monkeypatch.setattr(runs.TrackedRun, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        bring(store, folder)
    monkeypatch.undo()
    assert [run.status for run in runs.search(store, {names.KIND: "study"})] == ["KILLED"]
    done = len(runs.search(store, {names.KIND: "variant"}, finished=True))
    assert done == 4
    bring(store, folder)
    assert "2 variant(s) imported, 4 found" in capsys.readouterr().out
    assert counts(store) == {"study": 1, "seed": 2, "variant": 6}
    assert not [run for run in runs.search(store, {}) if run.status != "FINISHED"]


def test_the_analysis_cannot_tell(done, tmp_path):
    """The small study, trained here, and its own predictions brought back as files."""
    store, _ = done
    trained = query.read_population(store, "small", "magnitude")
    (tmp_path / "p").mkdir()
    for seed, k, run_id in trained.variants[["seed", "sparsity", "run_id"]].itertuples(index=False):
        path = fetch(runs.get_existing(store, run_id), names.PREDICTIONS, tmp_path)
        (tmp_path / "p" / f"seed-{seed}_prune-{k:g}.parquet").write_bytes(path.read_bytes())
    dataset = material.open_dataset(small().data)
    for split in ("train", "test"):
        table = getattr(dataset, split).table
        frame = pd.DataFrame(table.labels, columns=list(table.classes)).assign(id=table.ids, subject_id=table.subjects)
        frame.to_csv(tmp_path / f"{split}.csv", index=False)
    bring(store, tmp_path, dataset_name="phantom", architecture="resnet18")
    brought = query.read_population(store, "brought", "magnitude")
    known = trained.scores.drop_vars("val_count").copy()
    assert known.attrs.pop("n_val") == len(dataset.val.table)  # an import knows of no validation split
    assert brought.scores.identical(known)
    assert brought.labels.equals(trained.labels)
    assert brought.missing == ()
    (own,) = runs.search(store, {names.KIND: "analysis", names.STUDY: "small"})
    analyze(store, GIVEN, None)
    (new,) = runs.search(store, {names.KIND: "analysis", names.STUDY: "brought"})
    assert new.metrics() == own.metrics()
    for table in ("overall", "curves", "classes", "correlations", "pairs", "ols", "pies", "pie_ratios"):
        texts = [fetch(run, f"tables/{table}.csv", tmp_path).read_text() for run in (own, new)]
        assert texts[0] == texts[1], table


def test_unknown_training_frequencies_are_said(store, folder, capsys):
    config = importing.configure_import({"study": "brought", "workdir": str(folder / "work")})
    importing.import_predictions(store, config, folder / "p", folder / "test.csv", None)
    analyze(store, GIVEN, None)
    assert "warning: Training frequencies are unknown" in capsys.readouterr().out
    (run,) = runs.search(store, {names.KIND: "analysis"})
    table = pd.read_csv(fetch(run, "tables/classes.csv", folder))
    assert table["train_count"].isna().all()
    page = fetch(run, names.REPORT, folder).read_text(encoding="utf-8")
    assert "Training frequencies are unknown" in page


def test_another_method_joins_the_study(store, folder):
    bring(store, folder)
    bring(store, folder, method="random")
    assert counts(store) == {"study": 1, "seed": 2, "variant": 12}
    population = {query.read_population(store, "brought", method).key for method in ("magnitude", "random")}
    assert len(population) == 1


def test_a_corrected_file_replaces_its_variant(store, folder, capsys):
    bring(store, folder)
    path = folder / "p" / "x_resnet50_seed-3_prune-0.9.pkl"
    frame = pd.read_pickle(path)
    frame["Mass"] = frame["Mass"].to_numpy()[::-1]
    frame.to_pickle(path)
    bring(store, folder)
    assert "1 variant(s) imported, 5 found" in capsys.readouterr().out
    scores = query.read_population(store, "brought", "magnitude").scores
    newest = runs.search(store, {names.KIND: "variant"})[0]
    assert float(scores["ap"].sel({"seed": 3, "sparsity": 0.9, "class": "Mass"})) == newest.metrics()["ap/Mass"]


@pytest.mark.parametrize("fault", ["value", "missing", "rows", "malicious"])
def test_nothing_is_written_where_a_file_is_wrong(store, folder, fault):
    path = folder / "p" / "x_resnet50_seed-3_prune-0.9.pkl"
    frame = pd.read_pickle(path)
    if fault == "value":
        frame.loc[7, "Mass"] = 2
        frame.to_pickle(path)
    elif fault == "rows":
        frame[1:].to_pickle(path)
    elif fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"cposix\nsystem\n(Vtrue\ntR.")
    with pytest.raises(UserError, match=r"seed-3_prune-0.9.pkl|\(seed 3, sparsity 0.9\)"):
        bring(store, folder)
    assert not counts(store)


def test_a_file_that_changes_meanwhile_is_an_error(store, folder, monkeypatch):
    opened = importing.open_study

    def meddle(*arguments, **options):
        frame = pd.read_pickle(folder / "p" / "x_resnet50_seed-0_prune-0.pkl")
        frame[::-1].drop(columns="label").to_pickle(folder / "p" / "x_resnet50_seed-0_prune-0.pkl")
        return opened(*arguments, **options)

    monkeypatch.setattr(importing, "open_study", meddle)
    with pytest.raises(UserError, match="prune-0.pkl: changed while it was imported"):
        bring(store, folder)
    (study,) = runs.search(store, {names.KIND: "study"})
    assert study.status == "FAILED"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "option predictions is missing"),
        (["--predictions=p"], "option labels is missing"),
        (["--predictions=p", "--labels=t.csv", "--method=a b"], "option method: 'a b' is not valid"),
        (["--predictions=p", "--labels=t.csv", "--study=a/b"], "option study"),
        (["--predictions=none", "--labels=t.csv"], "there is no folder none"),
    ],
)
def test_mistakes_on_the_command_line(store, monkeypatch, argv, message):
    monkeypatch.setattr("sys.argv", ["import_predictions", *argv])
    with pytest.raises(UserError) as caught:
        entry.command()
    assert message in str(caught.value)
    assert not counts(store)


def test_the_command_line(store, folder, monkeypatch, capsys):
    argv = [f"--predictions={folder}/p", f"--labels={folder}/test.csv", f"--train_labels={folder}/train.csv"]
    monkeypatch.setattr("sys.argv", ["import_predictions", *argv, "--study=brought"])
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    entry.command()
    assert "6 variant(s) imported" in capsys.readouterr().out
    assert counts(store)["variant"] == 6
