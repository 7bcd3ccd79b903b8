"""The contract of tracking, over every kind of store: SQLite, a server, PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.families import build_model
from prunecxr.tracking import artifacts, names, query, registry, runs
from prunecxr.tracking.registry import Settings
from tests.tracking.variants import CLASSES, IDS, log_seed, log_variant, probabilities_of, scores_of

SPARSITIES = (0.0, 0.5, 0.9)


@pytest.fixture
def study(store):
    """Two seeds at three sparsities, one variant missing."""
    for seed in (3, 7):
        seed_run = log_seed(store, seed)
        for sparsity in SPARSITIES:
            if (seed, sparsity) != (7, 0.5):
                log_variant(store, seed_run, sparsity)
    return store


def new_run(store, kind: str = "seed", key: str = "k", **tags: str):
    return runs.create(store, kind, {names.KEY: key, names.STUDY: "s", **tags}, name="n")


def test_a_run_is_found_by_kind_and_tags(store):
    identity = {names.KEY: "k", names.STUDY: 'a "study"'}
    one = runs.create(store, "seed", identity, name="n")
    found = runs.find(store, "seed", identity)
    assert (found.id, found.finished, found.status, found.experiment_id) == (
        one.id,
        False,
        "RUNNING",
        store.experiment_id,
    )
    assert abs(found.start_time / 1000 - time.time()) < 600
    one.finish()
    assert runs.find(store, "seed", identity).finished
    assert runs.find(store, "variant", identity) is None
    one.delete()
    assert runs.find(store, "seed", identity) is None
    assert runs.get(store, one.id) is None
    with pytest.raises(EnvironmentFault, match=f"{one.id} is gone"):
        runs.get_existing(store, one.id)


def test_a_finished_run_is_preferred_to_an_unfinished_one(store):
    done = new_run(store)
    done.finish()
    new_run(store)
    assert runs.find(store, "seed", {names.KEY: "k"}).id == done.id


def test_more_than_mlflows_limits_and_no_nan(store):
    run = new_run(store)
    metrics = {f"ap/class {i}": i / 2000 for i in range(1900)} | {"undefined": float("nan")}
    run.log(metrics=metrics, params={f"p{i}": str(i) for i in range(230)}, tags={f"t{i}": str(i) for i in range(150)})
    assert run.metrics() == {name: value for name, value in metrics.items() if name != "undefined"}
    assert len(run.params()) == 230
    run.refresh()
    assert sum(name[0] == "t" for name in run.tags) >= 150


def test_after_a_search_metrics_and_params_cost_no_call(store, monkeypatch):
    run = new_run(store)
    run.log(metrics={"m": 0.5}, params={"p": "x"})
    (found,) = runs.search(store, {names.KEY: "k"})
    run.log(metrics={"m": 0.75})
    assert (found.metrics(), found.params()) == ({"m": 0.5}, {"p": "x"})
    run.log(tags={"t": "1"})
    run.finish("FAILED")
    found.refresh()
    assert (found.metrics(), found.tags["t"], found.status) == ({"m": 0.75}, "1", "FAILED")
    (again,) = runs.search(store, {names.KEY: "k"})
    monkeypatch.setattr(type(store._client), "get_run", None)
    assert again.metrics() == {"m": 0.75}
    assert runs.get_all(store, [run.id])[run.id].params() == {"p": "x"}


def test_the_history_of_a_metric(store):
    run = new_run(store)
    run.log_points([(2, {"m": 0.25, "n": 1.0}), (0, {"m": 0.5})])
    assert run.history("m") == [(0, 0.5), (2, 0.25)]
    assert run.history("nothing") == []
    run.log_new_points([(0, {"m": 0.5, "n": 2.0}), (1, {"m": 0.125, "o": float("nan")})])
    assert run.history("m") == [(0, 0.5), (1, 0.125), (2, 0.25)]
    assert run.history("n") == [(0, 2.0), (2, 1.0)]


def test_a_param_is_written_once_by_many_threads(store):
    for number in range(3):
        run = new_run(store)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i, run=run: run.write_once("claim", f"{i}"), range(8)))
        assert len(set(answers)) == 1, number
        assert run.params() == {"claim": answers[0]}
        assert run.write_once("claim", "late") == answers[0]
        assert run.write_once("claim", answers[0]) == answers[0]


WRITER = """
import sys
from prunecxr.tracking import runs
from prunecxr.tracking.store import open_store
uri, run_id, mine = sys.argv[1:]
run = runs.get_existing(open_store(uri), run_id)
print(len(run.metrics()), flush=True)
sys.stdin.readline()
print([run.write_once(f"claim/{i}", mine) for i in range(20)])
"""


def test_a_param_is_written_once_by_two_processes(store):
    run = new_run(store)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    commands = [[sys.executable, "-c", WRITER, store.uri, run.id, mine] for mine in ("a", "b")]
    writers = [subprocess.Popen(command, **pipes) for command in commands]
    for writer in writers:
        assert writer.stdout.readline() == "0\n"  # it is ready
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    one, other = (writer.communicate(timeout=120)[0] for writer in writers)
    assert one == other
    assert one.count("'") == 40


def test_a_long_param_is_cut_where_one_sees_it(store, caplog):
    caplog.set_level("WARNING")  # libraries that another test loaded may have raised that of all logs
    run = new_run(store)
    run.log(params={"long": "x" * 6001, "fits": "y" * 6000}, tags={"t": "z" * 9000})
    params = run.params()
    assert len(params["long"]) == 6000
    assert params["long"].endswith("x ... [cut: 6,001 characters]")
    assert params["fits"] == "y" * 6000
    run.refresh()
    assert run.tags["t"].endswith("z ... [cut: 9,000 characters]")
    assert "long has 6001 characters; the store keeps 6000" in caplog.text
    with pytest.raises(ValueError, match="6,001 characters"):
        run.write_once("claim", "x" * 6001)


def test_the_invocation_becomes_the_work_or_points_to_it(store):
    invocations = [store._client.create_run(store.experiment_id).info.run_id for _ in range(3)]
    first, second, third = (replace(store, invocation=invocation) for invocation in invocations)
    run = runs.adopt(runs.unclaimed_invocation(first), "study", {names.STUDY: "s"}, name="s")
    assert run.id == invocations[0]
    runs.claim_invocation(first, "main", "s", run.id, run.id)  # it is the study: nothing changes
    assert runs.get(store, run.id).tags[names.KIND] == "study"
    runs.claim_invocation(second, "main", "s", run.id, "held")
    tags = runs.get(store, invocations[1]).tags
    assert (tags[names.KIND], tags[names.PARENT], tags[names.FOUND]) == ("main", run.id, "held")
    assert runs.unclaimed_invocation(second) is None
    runs.discard(runs.adopt(runs.unclaimed_invocation(third), "study", {names.STUDY: "s"}, name="s"))
    assert runs.unclaimed_invocation(third).id == invocations[2]


def test_scores_labels_and_gaps_come_back(study):
    population = query.read_population(study, "s", "magnitude", seeds=(3, 7), sparsities=(0.95,))
    scores = population.scores
    assert scores["seed"].to_numpy().tolist() == [3, 7]
    assert scores["sparsity"].to_numpy().tolist() == [0, 0.5, 0.9, 0.95]
    assert scores["class"].to_numpy().tolist() == list(CLASSES)
    for seed in (3, 7):
        for sparsity in SPARSITIES:
            found = scores["ap"].sel(seed=seed, sparsity=sparsity).to_numpy()
            there = (seed, sparsity) != (7, 0.5)
            expected = list(scores_of(seed, sparsity).values()) if there else [np.nan] * 3
            assert found == pytest.approx(expected, nan_ok=True)
    assert population.missing == ((3, 0.95), (7, 0.5), (7, 0.95))
    assert population.labels["id"].tolist() == IDS.tolist()
    assert scores["train_count"].to_numpy().tolist() == [50, 5, 100]
    assert scores.attrs == {"n_train": 200, "n_val": 20, "n_test": 9}
    assert population.warnings == ("noticed",)


def test_predictions_of_every_variant(study):
    """Missing variants are NaN, the others as they were logged."""
    population = query.read_population(study, "s", "magnitude")
    stack = query.read_predictions(study, population)
    assert stack.dims == ("seed", "sparsity", "image", "class")
    assert stack["class"].to_numpy().tolist() == population.scores["class"].to_numpy().tolist()
    for seed in (3, 7):
        assert np.array_equal(stack.sel(seed=seed, sparsity=0.9).to_numpy(), probabilities_of(seed, 0.9))
    assert np.array_equal(stack.sel(seed=3, sparsity=0.5).to_numpy(), probabilities_of(3, 0.5))
    assert np.isnan(stack.sel(seed=7, sparsity=0.5)).all()


def test_other_methods_of_the_population_stand_beside(study):
    log_variant(study, runs.find(study, "seed", {names.SEED: "3"}), 0.5, method="random")
    log_variant(study, runs.find(study, "seed", {names.SEED: "7"}), 0.5, method="snip", population="q")
    (other,) = query.read_population(study, "s", "magnitude", key="p").others
    assert other.method == "random"
    assert other.variants[["seed", "sparsity"]].to_numpy().tolist() == [[3, 0.5]]
    found = other.scores["ap"].sel(seed=3, sparsity=0.5).to_numpy()
    assert found == pytest.approx(list(scores_of(3, 0.5).values()))


def test_weight_histograms_of_the_seeds_that_have_one(study):
    population = query.read_population(study, "s", "magnitude")
    assert query.read_weights(study, population).empty
    run = runs.find(study, "seed", {names.SEED: "7"})
    table = pd.DataFrame({"low": [0.0, 0.01], "high": [0.01, np.inf], "count": [3, 5]})
    with run.files() as folder:
        (folder / names.WEIGHT_HISTOGRAM).parent.mkdir()
        table.to_csv(folder / names.WEIGHT_HISTOGRAM, index=False)
    run.log(metrics={names.SHARE_BELOW: 3 / 8})
    pd.testing.assert_frame_equal(query.read_weights(study, population), table.assign(seed=7))


def test_predictions_of_other_images_are_refused(study):
    log_variant(study, runs.find(study, "seed", {names.SEED: "7"}), 0.5, ids=IDS[::-1])
    population = query.read_population(study, "s", "magnitude")
    with pytest.raises(EnvironmentFault, match="does not hold the images"):
        query.read_predictions(study, population)


def test_unfinished_variants_do_not_count(study):
    log_variant(study, runs.find(study, "seed", {names.SEED: "7"}), 0.5, finish=False)
    assert (7, 0.5) in query.read_population(study, "s", "magnitude").missing


def test_populations_and_methods_are_not_mixed(study):
    seed_run = runs.find(study, "seed", {names.SEED: "3"})
    log_variant(study, seed_run, 0.0, population="q")
    log_variant(study, seed_run, 0.5, method="random")
    newest = query.read_population(study, "s", "magnitude")
    assert (newest.key, len(newest.variants)) == ("q", 1)
    assert "5 variant(s) of this study have another recipe" in newest.warnings[-1]
    assert len(query.read_population(study, "s", "magnitude", key="p").variants) == 5
    assert len(query.read_population(study, "s", "random").variants) == 1
    with pytest.raises(UserError, match="no variants of population z; there are q, p"):
        query.read_population(study, "s", "magnitude", key="z")
    with pytest.raises(UserError, match="no variants pruned by 'snip'; there are variants of magnitude, random"):
        query.read_population(study, "s", "snip")


def test_a_variant_evaluated_twice_counts_once_and_is_told(study):
    log_variant(study, runs.find(study, "seed", {names.SEED: "3"}), 0.5, key="again")
    population = query.read_population(study, "s", "magnitude")
    assert len(population.variants) == 5
    assert "evaluated more than once" in population.warnings[-1]


def test_a_study_is_located_in_another_experiment(study):
    elsewhere = study.in_experiment(study._client.create_experiment(f"other of {study.experiment_name}"))
    with pytest.raises(UserError, match="no study 'nope'"):
        query.locate_study(elsewhere, "nope")
    assert query.locate_study(study, "s").experiment_id == study.experiment_id


def test_models_come_back_bit_for_bit(store):
    run = new_run(store)
    model = build_model("resnet18", 3, "none", seed=0).eval()
    settings = Settings("resnet18", CLASSES, 32, "bilinear", True, 16)
    uri = registry.log_model(run, model, settings, "dense")
    assert registry.log_model(run, model, settings, "dense") == uri
    name = names.model_name(f"d-{store.experiment_id}", "resnet18")
    first = registry.register(run, uri, name, "seed-07", {"seed": "7"})
    assert registry.register(run, uri, name, "seed-07", {"seed": "7", "mean_ap": "0.5"}) == first
    assert registry.model_link(store, name, "seed-07", run.id) == f"models:/{name}@seed-07"
    assert registry.run_of_model(store, f"models:/{name}@seed-07") == run.id
    assert registry.run_of_model(store, first) == run.id
    loaded = registry.load_network(f"models:/{name}@seed-07")
    assert not loaded.training
    for one, other in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert registry.load_settings(store, uri) == settings
    assert store._client.get_model_version_by_alias(name, "seed-07").tags == {
        "seed": "7",
        "mean_ap": "0.5",
        "precision": "fp32",
    }
    with pytest.raises(UserError, match="option model: models:/nope@x"):
        registry.run_of_model(store, "models:/nope@x")


def test_pyfunc_takes_images_of_any_size(store):
    import mlflow

    run = new_run(store)
    model = build_model("resnet18", 3, "none", seed=0)
    uri = registry.log_model(run, model, Settings("resnet18", CLASSES, 32, "bilinear", True, 16), "dense")
    predictor = mlflow.pyfunc.load_model(uri)
    for shape in ((5, 32, 32), (2, 50, 70), (1, 16, 16)):
        images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        table = predictor.predict(images)
        assert table.columns.tolist() == list(CLASSES)
        assert len(table) == shape[0]
        assert ((table > 0) & (table < 1)).all(axis=None)
    with pytest.raises(Exception, match="(?i)uint8|type"):
        predictor.predict(np.zeros((2, 32, 32)))


def test_predictions_are_stored_lossless(tmp_path):
    values = np.random.default_rng(0).random((500, 3)).astype(np.float32)
    ids = np.array([f"{i}.png" for i in range(500)], dtype=object)
    artifacts.write_predictions(tmp_path / "p.parquet", ids, CLASSES, values)
    table = pq.read_table(tmp_path / "p.parquet")
    assert table["id"].to_pylist() == ids.tolist()
    assert all(np.array_equal(table[name].to_numpy(), values[:, i]) for i, name in enumerate(CLASSES))
    assert all(str(table.schema.field(name).type) == "float" for name in CLASSES)
