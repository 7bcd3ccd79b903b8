"""A network that was trained elsewhere becomes a seed run whose variants the analysis reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from entrypoints import prune as entry
from entrypoints.analyze import DECLARATION as ANALYZE
from prunecxr.errors import UserError
from prunecxr.evaluation.predict import predict_logits, probabilities
from prunecxr.networks.families import build_model
from prunecxr.options.command_line import parse
from prunecxr.studies.commands import analyze, register
from prunecxr.studies.pruning import audit as auditing
from prunecxr.studies.pruning import importing, study
from prunecxr.tracking import names, query, registry, runs
from prunecxr.tracking.artifacts import fetch
from tests.stored import client_of
from tests.studies.conftest import small
from tests.tiny import CPU

SMALLEST = "shufflenet_v2_x0_5"  # of torchvision's networks with a linear head
CLASSES = ("Mass", "Hernia", "No Finding")
GIVEN = parse(ANALYZE, ["--study=audit", "--bootstrap=200"])[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A test table with its images, a training table without any, and the networks of two seeds."""
    rng = np.random.default_rng(5)
    (tmp_path / "images").mkdir()
    for split, n, classes in (("train", 90, CLASSES[::-1]), ("test", 40, CLASSES)):
        table = pd.DataFrame((rng.random((n, 3)) < 0.4).astype(int), columns=classes)
        table.insert(0, "id", [f"{split}{i:03d}.png" for i in range(n)])
        table["subj_id"] = [f"{split}{i // 3}" for i in range(n)]
        table.to_csv(tmp_path / f"{split}.csv", index=False)
    for name in table["id"]:
        Image.fromarray(rng.integers(0, 255, (32, 32)).astype(np.uint8)).save(tmp_path / "images" / name)
    for seed in (0, 1):
        torch.save(build_model(SMALLEST, 3, "none", seed).state_dict(), tmp_path / f"{seed}.pt")
    return tmp_path


def counts(store) -> Counter[str]:
    found = client_of(store).search_runs([store.experiment_id], max_results=1000)
    return Counter(run.data.tags.get(names.KIND, "") for run in found)


def audit(store, folder: Path, source: str, seed: int = 0, train: str | None = "train.csv", **changes: str) -> None:
    given = {
        "images": str(folder / "images"),
        "labels": str(folder / "test.csv"),
        "architecture": SMALLEST,
        "image_size": "32",
        "sparsities": "0,0.5,0.9",
        "precision": "fp32",
        "workdir": str(folder / "work"),
        **changes,
    }
    path = source if source.startswith("models:") else str(folder / source)
    config = auditing.configure_audit(given)
    auditing.audit(store, config, path, seed, folder / train if train else None)


def test_a_state_dict_becomes_a_study(store, folder, capsys):
    audit(store, folder, "0.pt")
    said = capsys.readouterr().out
    assert "data set csv: 40 test images, 3 classes" in said
    assert "the label table's columns: Mass, Hernia, No Finding" in said
    assert "3 variant(s) evaluated, 0 found" in said
    assert "-e analyze -P study=audit" in said
    assert "dense network: mean AUROC" in said
    assert f"model at sparsity 0.9: models:/prunecxr-audit-{SMALLEST}@seed-00-k90" in said
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3}
    (seed_run,) = runs.search(store, {names.KIND: "seed"}, finished=True)
    assert "cfg/architecture" in seed_run.params()
    assert not {"cfg/epochs", "cfg/learning_rate"} & set(seed_run.params())

    # the dense network is the file's, and its predictions are what that computes from the images
    network = build_model(SMALLEST, 3, "none", 0).eval()
    registered = registry.load_network(f"models:/prunecxr-audit-{SMALLEST}@seed-00")
    for name, value in network.state_dict().items():
        assert torch.equal(registered.state_dict()[name], value)
    ids = pd.read_csv(folder / "test.csv")["id"]
    pixels = np.stack([np.asarray(Image.open(folder / "images" / name)) for name in ids])
    (dense,) = runs.search(store, {names.KIND: "variant", names.SPARSITY: "0.00"})
    stored = pd.read_parquet(fetch(dense, names.PREDICTIONS, Path()))
    assert stored["id"].tolist() == ids.tolist()
    np.testing.assert_array_equal(stored[list(CLASSES)], probabilities(predict_logits(network, pixels, CPU)))

    audit(store, folder, "0.pt")
    assert "0 variant(s) evaluated, 3 found" in capsys.readouterr().out
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3}


def test_several_files_make_a_population_that_is_analysed(store, folder, capsys):
    for seed in (0, 1):
        audit(store, folder, f"{seed}.pt", seed)
    population = query.read_population(store, "audit", "magnitude")
    assert population.scores["seed"].to_numpy().tolist() == [0, 1]
    assert population.missing == ()
    train = pd.read_csv(folder / "train.csv")
    assert population.scores["train_count"].to_numpy().tolist() == train[list(CLASSES)].sum().tolist()
    capsys.readouterr()
    analyze(store, GIVEN, None)
    said = capsys.readouterr().out
    assert "warning: The networks were trained elsewhere" in said
    assert "missing" not in said
    (run,) = runs.search(store, {names.KIND: "analysis"})
    page = fetch(run, names.REPORT, folder).read_text(encoding="utf-8")
    assert "Images are not shown" not in page
    table = pd.read_csv(fetch(run, "tables/weights.csv", folder))
    assert set(table["n"]) == {2}


def test_without_training_labels_frequencies_are_unknown(store, folder, capsys):
    audit(store, folder, "0.pt", train=None)
    assert "warning: Training frequencies are unknown" in capsys.readouterr().out
    assert "train_count" not in query.read_population(store, "audit", "magnitude").scores.coords


def test_the_same_network_and_the_same_seed_are_no_second_seed(store, folder):
    audit(store, folder, "0.pt", 4)
    with pytest.raises(UserError, match="option seed: study 'audit' holds another network as seed 4"):
        audit(store, folder, "1.pt", 4)
    state = torch.load(folder / "0.pt")
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, folder / "copy.pt")
    with pytest.raises(UserError, match=r"copy.pt is seed 4 of study 'audit' already"):
        audit(store, folder, "copy.pt", 5)
    audit(store, folder, "copy.pt", 4)  # the same network in another file: found
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3}


def small_seed(store) -> None:
    """Seed 1 of the study `small`, trained and pruned here."""
    config = small(architecture=SMALLEST, epochs="1", seeds="1,")
    study.train(store, config, 1)
    study.prune(store, config, runs.find(store, "seed", {names.STUDY: "small"}))


def test_a_network_trained_here_comes_back_with_its_own_predictions(store, folder):
    """Exported as a state dict, the test split of its study as data: every variant is bit for bit the one there is."""
    small_seed(store)
    network = registry.load_network(f"models:/prunecxr-small-{SMALLEST}@seed-01")
    torch.save(network.state_dict(), folder / "own.pt")
    chosen = small().data
    phantom = {name: str(getattr(chosen, name)) for name in ("phantom_train", "phantom_val", "phantom_test")}
    audit(store, folder, "own.pt", 1, None, study="back", dataset="phantom", labels="", images="", **phantom)
    for sparsity in ("0.00", "0.50", "0.90"):
        tags = {names.KIND: "variant", names.SEED: "1", names.SPARSITY: sparsity, names.METHOD: "magnitude"}
        tables = []
        for name in ("small", "back"):
            (run,) = runs.search(store, {**tags, names.STUDY: name})
            tables.append(pd.read_parquet(fetch(run, names.PREDICTIONS, folder)))
        pd.testing.assert_frame_equal(*tables, check_exact=True)
    counts_there = query.read_population(store, "small", "magnitude").scores["train_count"]
    np.testing.assert_array_equal(query.read_population(store, "back", "magnitude").scores["train_count"], counts_there)


def test_a_killed_audit_continues(store, folder, monkeypatch, capsys):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(auditing, "log_network", killed)
    with pytest.raises(KeyboardInterrupt):
        audit(store, folder, "0.pt")
    assert [run.status for run in runs.search(store, {names.KIND: "seed"})] == ["KILLED"]
    monkeypatch.undo()
    audit(store, folder, "0.pt")
    assert "3 variant(s) evaluated" in capsys.readouterr().out
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3}
    assert {run.status for run in runs.search(store, {})} == {"FINISHED"}


def test_its_seed_run_can_be_pruned_further(store, folder, monkeypatch, capsys):
    audit(store, folder, "0.pt")
    (seed_run,) = runs.search(store, {names.KIND: "seed"})
    uri = f"models:/prunecxr-audit-{SMALLEST}@seed-00"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    for i, option in enumerate((f"--run={seed_run.id}", f"--model={uri}")):
        monkeypatch.setattr("sys.argv", ["prune", option, f"--sparsities=0,0.{i + 3}"])
        entry.command()
        assert "1 variant(s) evaluated, 1 found" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["prune", f"--model={uri}", "--seed=3"])
    with pytest.raises(UserError, match="option seed: seed run .* knows it already"):
        entry.command()


def test_a_module_that_another_program_logged(store, folder, capsys):
    network = build_model(SMALLEST, 3, "none", 0).eval()
    network.fc = nn.Sequential(nn.Dropout(0.5), network.fc, nn.Sigmoid())
    with mlflow.start_run(experiment_id=store.experiment_id):
        info = mlflow.pytorch.log_model(
            network,
            name="net",
            serialization_format="pickle",
            pip_requirements=["torch"],
            registered_model_name="theirs",
        )
    for uri in ("models:/theirs/1", info.model_uri):
        audit(store, folder, uri)
    said = capsys.readouterr().out
    assert "3 variant(s) evaluated, 0 found" in said
    assert "0 variant(s) evaluated, 3 found" in said  # by the other URI
    audit(store, folder, "0.pt")  # it is this one
    assert "0 variant(s) evaluated, 3 found" in capsys.readouterr().out
    assert auditing.own_seed_run(store, "models:/theirs/1") is None
    network.fc[2] = nn.Softmax(dim=1)
    with mlflow.start_run(experiment_id=store.experiment_id):
        info = mlflow.pytorch.log_model(network, name="net", serialization_format="pickle", pip_requirements=["torch"])
    with pytest.raises(UserError, match="computes something else than a shufflenet_v2_x0_5 of torchvision"):
        audit(store, folder, info.model_uri)


MISTAKES = [
    ({"labels": "{}/none.csv"}, "labels: there is no folder"),
    ({"labels": ""}, "labels: dataset csv needs the label table of the test images"),
    ({"images": ""}, "images: dataset csv needs the folder"),
    ({"architecture": "resnet34"}, "does not fit resnet34: lacks .*; it is a shufflenet"),
    ({"ignore_columns": "Mass"}, r"has 3 outputs, but the label table has 2 classes \(Hernia, No Finding\)"),
    ({"method": "snip"}, "unknown criterion 'snip'"),
]


def test_mistakes_are_named_before_anything_is_made(store, folder, monkeypatch):
    monkeypatch.setattr("prunecxr.networks.foreign.architectures", lambda: [SMALLEST, "resnet34"])  # for speed
    for change, message in MISTAKES:
        with pytest.raises(UserError, match=message):
            audit(store, folder, "0.pt", **{name: text.format(folder) for name, text in change.items()})
    with pytest.raises(UserError, match="nope.pt is not there"):
        audit(store, folder, "nope.pt")
    assert not counts(store)


def test_training_labels_are_given_once(store, folder):
    tables = f"{folder}/train.csv,{folder}/val.csv,{folder}/test.csv"
    pd.read_csv(folder / "train.csv").assign(id=range(90), subj_id=range(90)).to_csv(folder / "val.csv", index=False)
    with pytest.raises(UserError, match="option train_labels: the option labels names a train table already"):
        audit(store, folder, "0.pt", labels=tables)
    audit(store, folder, "0.pt", train=None, labels=tables)
    # with all tables the classes are in the order of the first, as where networks are trained
    assert query.read_population(store, "audit", "magnitude").labels.columns[2:].tolist() == list(CLASSES[::-1])


def test_studies_do_not_mix(store, folder, tmp_path, monkeypatch):
    """Networks from here, networks from elsewhere and imported predictions each want a study of their own."""
    small_seed(store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    (tmp_path / "p").mkdir()
    test = pd.read_csv(folder / "test.csv")
    for k in ("0", "0.9"):
        (test[["id", *CLASSES]] * 1).assign(**dict.fromkeys(CLASSES, 0.5)).to_csv(
            tmp_path / "p" / f"seed-0_prune-{k}.csv", index=False
        )

    def bring(name: str) -> None:
        config = importing.configure_import({"study": name, "workdir": str(tmp_path / "work")})
        importing.import_predictions(store, config, tmp_path / "p", folder / "test.csv", None)

    own = runs.find(store, "study", {names.STUDY: "small"})
    before = fetch(own, names.RECIPE, tmp_path).read_text()
    total = counts(store)
    with pytest.raises(UserError, match="'small' holds networks that were trained here; give imported predictions a"):
        bring("small")
    with pytest.raises(UserError, match="'small' holds networks that were trained here; give networks that were train"):
        audit(store, folder, "0.pt", study="small")
    assert counts(store) == total
    assert fetch(own, names.RECIPE, tmp_path).read_text() == before

    bring("brought")
    bring("brought")  # again: found
    audit(store, folder, "0.pt", study="audited")
    for name, holds in (("brought", "imported predictions"), ("audited", "networks that were trained elsewhere")):
        with pytest.raises(UserError, match=f"'{name}' holds {holds}; give networks that were trained here a study of"):
            study.run_study(store, small(study=name))
        with pytest.raises(UserError, match=f"'{name}' holds {holds}"):
            study.train(store, small(study=name), 9)
    with pytest.raises(UserError, match="'audited' holds networks that were trained elsewhere"):
        bring("audited")
    seed_run = runs.find(store, "seed", {names.STUDY: "brought"})
    (variant, *_) = runs.search(store, {names.KIND: "variant", names.STUDY: "brought"})
    with pytest.raises(UserError, match=f"seed run {seed_run.id} holds imported predictions; there is no network to"):
        study.resolve_seed_run(store, seed_run.id)
    for run_id in (seed_run.id, variant.id):
        with pytest.raises(UserError, match=f"{run_id} holds imported predictions; there is no network to register"):
            register(store, run_id)


def test_the_command_line(store, folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    argv = [f"--model={folder}/1.pt", "--seed=7", f"--images={folder}/images", f"--labels={folder}/test.csv"]
    argv += [f"--architecture={SMALLEST}", "--image_size=32", "--sparsities=0,0.5", "--study=mine", "--precision=fp32"]
    monkeypatch.setattr("sys.argv", ["prune", *argv, f"--workdir={folder}/work"])
    entry.command()
    assert "2 variant(s) evaluated" in capsys.readouterr().out
    (seed_run,) = runs.search(store, {names.KIND: "seed", names.SEED: "7", names.STUDY: "mine"}, finished=True)
    assert seed_run.params()["used/model"] == f"{folder}/1.pt"
    monkeypatch.setattr("sys.argv", ["prune", *argv, "--epochs=3"])
    with pytest.raises(UserError, match="option epochs: prune does not take it"):
        entry.command()
    monkeypatch.setattr("sys.argv", ["prune", f"--model={folder}/1.pt", "--seed=x"])
    with pytest.raises(UserError, match="option seed: 'x' is not valid"):
        entry.command()
