"""A whole study in one process: what it leaves in the store, and that nothing finished is done again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from entrypoints.analyze import DECLARATION as ANALYZE
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.evaluation.metrics import class_scores
from prunecxr.options.command_line import parse
from prunecxr.studies.commands import analyze, register
from prunecxr.studies.pruning import material, study, task
from prunecxr.studies.pruning.check import check_data
from prunecxr.tracking import names, registry, runs
from prunecxr.tracking.artifacts import fetch
from tests.stored import client_of
from tests.studies.conftest import SMALL, small

MODEL = f"prunecxr-small-{SMALL['architecture']}"
# The command line `--study=small` of the analysis.
GIVEN = parse(ANALYZE, ["--study=small"])[1]


def everything(store) -> dict[str, str]:
    """Run id -> kind of every run of the experiment."""
    found = client_of(store).search_runs([store.experiment_id], max_results=1000)
    return {run.info.run_id: run.data.tags.get(names.KIND, "") for run in found}


def counts(store) -> Counter[str]:
    return Counter(everything(store).values())


def of_kind(store, kind, **tags):
    wanted = {names.KIND: kind, **{getattr(names, name): value for name, value in tags.items()}}
    return runs.search(store, wanted)


def pixels(config) -> np.ndarray:
    return np.array(material.prepare(config).cached["test"].pixels)


def test_the_store_holds_the_contract(done):
    store, said = done
    assert counts(store) == {"study": 1, "seed": 2, "variant": 6, "analysis": 1}
    (study_run,) = of_kind(store, "study")
    seeds = {run.tags[names.SEED]: run for run in of_kind(store, "seed")}
    assert set(seeds) == {"0", "1"}
    assert all(run.tags[names.PARENT] == study_run.id for run in seeds.values())
    for run in of_kind(store, "variant"):
        tags, metrics = run.tags, run.metrics()
        assert tags[names.PARENT] == seeds[tags[names.SEED]].id
        assert tags[names.SPARSITY] in ("0.00", "0.50", "0.90")
        assert (tags[names.METHOD], tags[names.DATASET], tags[names.ARCHITECTURE]) == (
            "magnitude",
            "phantom",
            "shufflenet_v2_x0_5",
        )
        assert metrics["realised_sparsity"] == pytest.approx(float(tags[names.SPARSITY]), abs=1e-6)
        assert {
            "mean_ap",
            "mean_auroc",
            "mean_f1",
            "nonzero_weights",
            "ap/Effusion",
            "auroc/Mass",
            "f1/No Finding",
        } <= set(metrics)
        table = pd.read_parquet(fetch(run, "predictions.parquet", Path()))
        assert len(table) == 60
        assert table.columns[0] == "id"
        assert set(table.dtypes.iloc[1:].astype(str)) == {"float32"}
        recipe = json.loads(fetch(run, "recipe.json", Path()).read_text())
        assert recipe["sparsity"] == float(tags[names.SPARSITY])
    for run in seeds.values():
        history = client_of(store).get_metric_history(run.id, "curve_mean_ap")
        assert sorted(metric.step for metric in history) == [0, 50, 90]
        epochs = client_of(store).get_metric_history(run.id, "val_mean_ap")
        assert [metric.step for metric in epochs] == [0, 1]
        assert {"train_loss", "val_loss", "val_mean_auroc", "curve_ap/Effusion"} <= set(run.metrics())
        assert len(client_of(store).get_run(run.id).inputs.dataset_inputs) == 3
        assert run.status == "FINISHED"
        table = pd.read_csv(fetch(run, "weights/histogram.csv", Path()))
        assert run.metrics()["share_below_0.01"] == pytest.approx(
            table["count"][table["high"] <= 0.01].sum() / table["count"].sum()
        )
    assert "report.html" in said
    assert "compareRunsMode=CHART" in said
    assert "recommended: the dense network; of no sparsity is it shown" in said  # two seeds test nothing
    assert f"model: models:/{MODEL}@seed-00" in said
    assert "# small" in study_run.tags[names.NOTE]


def test_the_analysis_run_holds_tables_figures_and_report(done):
    store, _ = done
    (run,) = of_kind(store, "analysis")
    (study_run,) = of_kind(store, "study")
    assert run.tags[names.PARENT] == study_run.id
    for metric in ("median_mean_ap", "forgettability/Effusion"):
        assert [step for step, _ in run.history(metric)] == [0, 50, 90]
    folder = fetch(run, "report.html", Path()).parent
    columns = {
        "overall": "sparsity,median_mean_ap,q25,q75,n,welch_t,welch_p,welch_p_holm,significant_drop",
        "curves": "class,sparsity,relative_change,q25,q75,chance_corrected_relative_change",
        "classes": "class,train_count,test_count,dense_ap,first_drop_20,relative_change_at_max",
        "correlations": "x,y,n,pearson_r,pearson_p,spearman_rho,spearman_p",
        "pairs": "class_a,class_b,fcd_paper,log_freq_diff_paper,iou_paper,iou_fourth_root_paper,fcd_published",
        "ols": "definition,term,coefficient,se,t,p,r2",
        "pies": "id,subject_id,agreement,is_pie,Atelectasis,No Finding",
        "pie_ratios": "group,value,pie_share,non_pie_share,ratio,low,high",
        "pie_overlap": "measure_a,measure_b,jaccard,n",
        "weights": "low,high,share,share_below,n",
    }
    for name, expected in columns.items():
        table = pd.read_csv(folder / "tables" / f"{name}.csv")
        assert set(expected.split(",")) <= set(table.columns), name
    figures = sorted(path.name for path in (folder / "figures").iterdir())
    assert figures
    assert {Path(name).stem for name in figures if name.endswith(".png")} == {
        Path(name).stem for name in figures if name.endswith(".svg")
    }
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "small" in page
    assert 'src="http' not in page


def test_doing_it_again_adds_nothing(done, capsys):
    store, _ = done
    before = everything(store)
    study.run_study(store, small())
    assert everything(store) == before
    assert "0 seed(s) trained (2 found), 0 variant(s) evaluated (6 found)" in capsys.readouterr().out


def test_a_new_sparsity_and_a_new_seed_add_just_that(own):
    store = own
    before = everything(store)
    study.run_study(store, small(sparsities="0,0.5,0.7,0.9"))
    added = Counter(kind for run, kind in everything(store).items() if run not in before)
    assert added == {"variant": 2, "analysis": 1}
    before = everything(store)
    study.run_study(store, small(sparsities="0,0.5,0.7,0.9", seeds="3"))
    added = Counter(kind for run, kind in everything(store).items() if run not in before)
    assert added == {"seed": 1, "variant": 4, "analysis": 1}


def test_registered_models_are_the_variants_that_were_evaluated(done):
    import mlflow

    store, _ = done
    images = pixels(small())
    dense = registry.load_network(f"models:/{MODEL}@seed-01")
    for alias, sparsity in (("seed-01", "0.00"), ("seed-01-k90", "0.90")):
        (run,) = of_kind(store, "variant", SEED="1", SPARSITY=sparsity)
        stored = pd.read_parquet(fetch(run, "predictions.parquet", Path()))
        predicted = mlflow.pyfunc.load_model(f"models:/{MODEL}@{alias}").predict(images)
        assert predicted.columns.tolist() == stored.columns[1:].tolist()
        assert np.array_equal(predicted.to_numpy(), stored.iloc[:, 1:].to_numpy())  # bit for bit, at fp32
        if sparsity == "0.00":
            assert (predicted.std() > 0).all()
        network = registry.load_network(f"models:/{MODEL}@{alias}")
        kept = network.conv1[0].weight != 0
        assert torch.equal(network.conv1[0].weight[kept], dense.conv1[0].weight[kept])
        version = client_of(store).get_model_version_by_alias(MODEL, alias)
        assert {"seed", "sparsity", "method", "study", "mean_ap"} <= set(version.tags)
        assert version.tags["mean_ap"] == f"{run.metrics()['mean_ap']:.6f}"


def test_any_variant_can_be_registered_later(own, capsys):
    import mlflow

    store = own
    (run,) = of_kind(store, "variant", SEED="0", SPARSITY="0.50")
    register(store, run.id)
    assert f"models:/{MODEL}@seed-00-k50" in capsys.readouterr().out
    stored = pd.read_parquet(fetch(run, "predictions.parquet", Path()))
    predicted = mlflow.pyfunc.load_model(f"models:/{MODEL}@seed-00-k50").predict(pixels(small()))
    assert np.array_equal(predicted.to_numpy(), stored.iloc[:, 1:].to_numpy())
    assert (predicted.std() > 0).all()
    versions = len(client_of(store).search_model_versions(f"name = '{MODEL}'"))
    register(store, run.id)
    assert len(client_of(store).search_model_versions(f"name = '{MODEL}'")) == versions


def test_a_model_registered_in_16_bits_tells_what_that_costs(own):
    import mlflow

    study.run_study(
        own, small(sparsities="0,0.5,0.7,0.9", register_sparsities="0.7", register_precision="fp16", seeds="1")
    )
    name, alias = MODEL, "seed-00-k70"
    (run,) = of_kind(own, "variant", SEED="0", SPARSITY="0.70")
    dense = registry.load_network(f"models:/{name}@seed-00").conv1[0].weight
    kept = registry.load_network(f"models:/{name}@{alias}").conv1[0].weight
    assert torch.equal(kept[kept != 0], dense.half().float()[kept != 0])
    # Its tags are what scoring the loaded model gives.
    labels = material.prepare(small()).dataset.test.table.labels
    predicted = mlflow.pyfunc.load_model(f"models:/{name}@{alias}").predict(pixels(small()))
    scores = class_scores(labels, predicted.to_numpy(), list(predicted.columns))["ap"]
    version = client_of(own).get_model_version_by_alias(name, alias)
    assert version.tags["precision"] == "fp16"
    change = scores.mean() - run.metrics()["mean_ap"]
    assert float(version.tags["mean_ap_change"]) == pytest.approx(change, abs=1e-6)
    assert run.metrics()["fp16_mean_ap_change"] == pytest.approx(change, abs=1e-9)
    worst = max(abs(scores[c] - run.metrics().get(names.metric_name("ap", c), np.nan)) for c in scores.dropna().index)
    assert run.metrics()["fp16_largest_ap_change"] == pytest.approx(worst, abs=1e-9)
    stored = pd.read_parquet(fetch(run, "predictions.parquet", Path())).iloc[:, 1:].to_numpy()
    assert 0 < np.abs(predicted.to_numpy() - stored).max() < 0.01  # the variant itself was evaluated as it is


def test_registering_checks_the_weights_against_what_was_evaluated(own):
    store = own
    (run,) = of_kind(store, "variant", SEED="0", SPARSITY="0.50")
    client_of(store).log_metric(run.id, names.NONZERO_WEIGHTS, 17)
    with pytest.raises(EnvironmentFault, match="but 17 were evaluated"):
        register(store, run.id)


def test_the_steps_alone(store, capsys):
    """train, prune twice, analyze: the same study, a step at a time."""
    config = small(seeds="7,")
    study.train(store, config, 7)
    assert counts(store) == {"study": 1, "seed": 1}
    said = capsys.readouterr().out
    (seed_run,) = of_kind(store, "seed")
    assert f"-e prune -P run={seed_run.id}" in said
    for added in (3, 0):
        study.prune(store, config, study.resolve_seed_run(store, seed_run.id))
        assert f"{added} variant(s) evaluated" in capsys.readouterr().out
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3}
    analyze(store, GIVEN, None)
    said = capsys.readouterr().out
    assert counts(store)["analysis"] == 1
    analyze(store, GIVEN, None)
    assert "found: same variants" in capsys.readouterr().out
    assert counts(store)["analysis"] == 1


def test_pruning_wants_the_images_and_study_of_the_training(done):
    store, _ = done
    seed_run = runs.find(store, "seed", {names.SEED: "0"})
    with pytest.raises(UserError, match="the train split is not the one that seed run"):
        study.prune(store, small(image_size="48"), seed_run)
    with pytest.raises(UserError, match="the train split is not the one that seed run"):
        study.prune(store, small(phantom_seed="5"), seed_run)
    with pytest.raises(UserError, match="belongs to study 'small'"):
        study.prune(store, small(study="other"), seed_run)


def test_the_model_that_is_pruned_may_be_named_by_its_uri(store):
    study.train(store, small(), 7)
    (seed_run,) = of_kind(store, "seed")
    for uri in (f"models:/{MODEL}@seed-07", seed_run.tags[names.MODEL]):
        assert registry.run_of_model(store, uri) == seed_run.id
    for uri in ("x", "models:/name", "runs:/abc/model"):
        with pytest.raises(UserError, match="is neither models:/<name>@<alias> nor"):
            registry.run_of_model(store, uri)


def test_random_pruning_stands_beside_magnitude(own):
    store = own
    study.run_study(store, small(method="random", seeds="1"))
    (run,) = of_kind(store, "variant", METHOD="random", SPARSITY="0.50", SEED="0")
    assert run.metrics()["realised_sparsity"] == pytest.approx(0.5, abs=1e-6)
    history = client_of(store).get_metric_history(run.tags[names.PARENT], "random_curve_mean_ap")
    assert [metric.step for metric in history] == [0, 50, 90]
    client_of(store).get_model_version_by_alias(MODEL, "seed-00-random-k90")
    analyses = of_kind(store, "analysis")
    assert len(analyses) == 2
    (newest,) = (run for run in analyses if run.tags[names.METHOD] == "random")
    table = pd.read_csv(fetch(newest, "tables/methods.csv", Path()))
    raw = ["median_mean_ap", "q25", "q75"]
    corrected = [f"chance_corrected_{name}" for name in raw]
    assert table.columns.tolist() == ["method", "sparsity", *raw, "n", *corrected]
    assert table.groupby("method", sort=False)["n"].sum().to_dict() == {"random": 3, "magnitude": 6}
    study.run_study(store, small())  # magnitude again: now beside random
    assert len(of_kind(store, "analysis")) == 3


def test_a_pair_of_classes_can_be_highlighted(done):
    store, _ = done
    with pytest.raises(
        UserError, match=r"option highlight: study 'small' has no class 'Efusion' \(did you mean Effusion"
    ):
        analyze(store, {**GIVEN, "highlight": "Mass,Efusion"}, None)
    assert counts(store)["analysis"] == 1


def test_missing_variants_are_told(own, capsys):
    store = own
    (run,) = of_kind(store, "variant", SEED="1", SPARSITY="0.50")
    client_of(store).delete_run(run.id)
    capsys.readouterr()
    analyze(store, GIVEN, None)
    assert "missing (seed, sparsity): (1, 0.5)" in capsys.readouterr().out
    study.run_study(store, small())  # and made again
    assert len(of_kind(store, "variant")) == 6


def test_a_study_of_another_recipe_under_the_same_name_is_kept_apart(own, capsys):
    store = own
    study.run_study(store, small(epochs="1", seeds="1"))
    assert counts(store)["seed"] == 3
    capsys.readouterr()
    analyze(store, GIVEN, None)
    assert "6 variant(s) of this study have another recipe" in capsys.readouterr().out


def test_what_the_wrong_run_is(done):
    store, _ = done
    (variant, *_) = of_kind(store, "variant")
    (study_run,) = of_kind(store, "study")
    with pytest.raises(UserError, match=f"is a variant; give its seed run, {variant.tags[names.PARENT]}"):
        study.resolve_seed_run(store, variant.id)
    with pytest.raises(UserError, match="no seed run but a study"):
        study.resolve_seed_run(store, study_run.id)
    with pytest.raises(UserError, match="no run 'nope'"):
        study.resolve_seed_run(store, "nope")
    with pytest.raises(UserError, match="no finished variant but a study"):
        register(store, study_run.id)
    with pytest.raises(UserError, match="no run 'nope'"):
        register(store, "nope")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("architecture", "resnet51", "no classifier 'resnet51'"),
        ("weights", "imgnet", "no weight set of shufflenet_v2_x0_5"),
        ("method", "snip", "unknown criterion 'snip'"),
        ("method", "magnitude@row", "unknown scope 'row'"),
        ("dataset", "nih", "nih-cxr-lt"),
        ("architecture", "vit_b_16", "vit_b_16 cannot take images of 32 pixels"),
        ("architecture", "inception_v3", "inception_v3 cannot take images of 32 pixels"),
    ],
)
def test_unknown_names_fail_before_anything_is_made(store, option, value, message):
    with pytest.raises(UserError, match=message):
        study.run_study(store, small(**{option: value}))
    assert counts(store) == {}


def test_a_failed_training_is_marked_and_continued(store, monkeypatch):
    config = small(seeds="1")
    real = task.fit
    monkeypatch.setattr(task, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        study.run_study(store, config)
    assert {run.status for run in (*of_kind(store, "seed"), *of_kind(store, "study"))} == {"KILLED"}
    monkeypatch.setattr(task, "fit", real)
    study.run_study(store, config)
    assert {run.status for run in (*of_kind(store, "seed"), *of_kind(store, "study"))} == {"FINISHED"}
    assert counts(store) == {"study": 1, "seed": 1, "variant": 3, "analysis": 1}


def test_an_interrupted_training_continues_with_other_harmless_options(store, monkeypatch):
    real = task.fit
    monkeypatch.setattr(task, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        study.run_study(store, small(seeds="1"))
    monkeypatch.setattr(task, "fit", real)
    study.run_study(store, small(seeds="1", description="hello", bootstrap="300", eval_batch_size="32", workdir="else"))
    assert counts(store)["seed"] == 1


def test_a_kill_between_the_last_steps_leaves_nothing_open(own):
    """After the model was logged, before the run was finished; after a version was made, before its alias."""
    store = own
    seed_run = runs.find(store, "seed", {names.SEED: "1"})
    seed_run.resume()
    name = MODEL
    for alias in ("seed-01", "seed-01-k90"):
        client_of(store).delete_registered_model_alias(name, alias)
    versions = len(client_of(store).search_model_versions(f"name = '{name}'"))
    study.run_study(store, small())
    assert runs.find(store, "seed", {names.SEED: "1"}).finished
    for alias in ("seed-01", "seed-01-k90"):
        client_of(store).get_model_version_by_alias(name, alias)
    assert len(client_of(store).search_model_versions(f"name = '{name}'")) == versions


def test_a_lost_dense_model_is_the_environments_fault(own):
    store = own
    seed_run = runs.find(store, "seed", {names.SEED: "1"})
    location = client_of(store).get_logged_model(seed_run.tags[names.MODEL].removeprefix("models:/")).artifact_location
    (Path(location.removeprefix("file://")) / "data" / "model.pth").write_bytes(b"torn")
    with pytest.raises(EnvironmentFault, match="gone or damaged"):
        study.prune(store, small(sparsities="0,0.3"), seed_run)


def test_data_is_checked_and_logged_once(store, capsys):
    for _ in range(2):
        check_data(store, small())
    assert counts(store) == {"data": 1}
    assert "train: 80 images" in capsys.readouterr().out


def test_real_radiographs_run_to_their_report(store, test_data, capsys, real_figures):  # noqa: ARG001
    """800 real NIH images; Hernia has no positive anywhere, other classes none in a split."""
    folder = test_data / "nih-cxr-64"
    config = small(dataset="csv", dataset_name="nih", images=str(folder), labels=str(folder), epochs="1", seeds="1")
    study.run_study(store, config)
    said = capsys.readouterr().out
    assert "Hernia" in said
    (run,) = of_kind(store, "analysis")
    table = pd.read_csv(fetch(run, "tables/classes.csv", Path()))
    hernia = table.set_index("class").loc["Hernia"]
    assert hernia["test_count"] == 0
    assert np.isnan(hernia["dense_ap"])
    (variant,) = of_kind(store, "variant", SPARSITY="0.00")
    assert "ap/Hernia" not in variant.metrics()
    assert variant.metrics()["mean_ap"] > 0
    page = fetch(run, "report.html", Path()).read_text(encoding="utf-8")
    assert "Hernia" in page
