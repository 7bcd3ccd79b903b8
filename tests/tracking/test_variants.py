"""Variants of a seed run: found by key, logged whole, their curves complete whatever a kill left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prunecxr.tracking import names, runs, variants
from prunecxr.tracking import run as run_module
from tests.tracking.variants import log_seed

MEAN = "curve_mean_ap"


def tags_of(seed_run, sparsity: float, method: str = "magnitude") -> dict[str, str]:
    return {
        names.KEY: f"{method}-{sparsity}",
        names.SEED: seed_run.tags[names.SEED],
        names.METHOD: method,
        names.SPARSITY: names.sparsity_text(sparsity),
    }


def metrics_of(sparsity: float) -> dict[str, float]:
    return {"ap/Effusion": 0.9 - sparsity, "ap/Hernia": float("nan"), "mean_ap": 0.8 - sparsity, "f1/Effusion": 0.1}


def write_recipe(folder: Path) -> None:
    (folder / "recipe.json").write_text("{}", encoding="utf-8")


@pytest.fixture
def log():
    """Logs a variant with a file."""
    return lambda seed_run, sparsity, unfinished=None, method="magnitude": variants.log_variant(
        seed_run, "variant", unfinished, tags_of(seed_run, sparsity, method), metrics_of(sparsity), write_recipe
    )


def points(run, metric: str) -> list[tuple[int, float]]:
    return run.history(metric)


def find_variants(store, seed_run) -> list:
    return runs.search(store, {names.KIND: "variant", names.PARENT: seed_run.id})


def test_metrics_of_scores_have_a_name_a_class_and_their_means():
    scores = pd.DataFrame(
        {"ap": [0.4, np.nan], "auroc": [0.5, 0.7], "f1": [0.0, 0.2], "support": [3, 0]},
        index=["Effusion", "Mass/Nodule"],
    )
    assert variants.score_metrics(scores) == pytest.approx(
        {"mean_ap": 0.4, "mean_auroc": 0.6, "mean_f1": 0.1, "ap/Effusion": 0.4, "ap/Mass_Nodule": np.nan,
         "auroc/Effusion": 0.5, "auroc/Mass_Nodule": 0.7, "f1/Effusion": 0.0, "f1/Mass_Nodule": 0.2},
        nan_ok=True,
    )  # fmt: skip


def test_a_variant_holds_what_was_logged(store, log):
    seed_run = log_seed(store, 3)
    run = log(seed_run, 0.5)
    (found,) = find_variants(store, seed_run)
    assert (found.id, found.status) == (run.id, "FINISHED")
    assert found.tags[names.RUN_NAME] == "seed-03-magnitude-k50"
    assert found.metrics() == {"ap/Effusion": 0.4, "mean_ap": pytest.approx(0.3), "f1/Effusion": 0.1}
    assert found.params() == {"cfg/seed": "3", "cfg/method": "magnitude", "cfg/sparsity": "0.5"}
    assert found.tags[names.PARENT] == seed_run.id
    assert found.tags[names.STUDY] == "s"
    assert [file.path for file in store._client.list_artifacts(run.id)] == ["recipe.json"]


def test_an_unfinished_variant_is_continued_not_doubled(store, log):
    seed_run = log_seed(store, 0)
    run = log(seed_run, 0.5)
    run.resume()
    (unfinished,) = find_variants(store, seed_run)
    assert not unfinished.finished
    assert log(seed_run, 0.5, unfinished).id == run.id
    assert len(find_variants(store, seed_run)) == 1


def test_curves_gain_just_the_points_that_they_lack(store, log):
    seed_run = log_seed(store, 0)
    for k in (0.0, 0.5):
        log(seed_run, k)
    log(seed_run, 0.7, method="random")
    variants.log_curves(seed_run, "magnitude", "variant")
    expected = [(0, 0.8), (50, pytest.approx(0.3))]
    assert points(seed_run, MEAN) == expected
    assert points(seed_run, "random_curve_mean_ap") == []
    log(seed_run, 0.9)  # then a kill; the next command logs its point, and no other twice
    for _ in range(2):
        variants.log_curves(seed_run, "magnitude", "variant")
        assert points(seed_run, MEAN) == [*expected, (90, pytest.approx(-0.1))]
    assert [step for step, _ in points(seed_run, "curve_ap/Effusion")] == [0, 50, 90]
    assert "curve_f1/Effusion" not in seed_run.metrics()
    variants.log_curves(seed_run, "random", "variant")
    assert points(seed_run, "random_curve_mean_ap") == [(70, pytest.approx(0.1))]


def test_points_between_two_percents_have_steps_of_their_own(store, log):
    seed_run = log_seed(store, 0)
    for k in (0.97, 0.975, 0.98):
        log(seed_run, k)
    variants.log_curves(seed_run, "magnitude", "variant")
    assert [step for step, _ in points(seed_run, MEAN)] == [97, 98, 975_000]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_kill_while_curves_are_logged_doubles_no_point(store, log, monkeypatch, batch):
    seed_run = log_seed(store, 0)
    for k in (0.0, 0.5, 0.9):
        log(seed_run, k)
    monkeypatch.setattr(run_module, "MAX_METRICS", batch)  # so that a step lies in several batches
    send, left = type(store._client).log_batch, [2]

    def killed(*given, **options):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return send(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(store._client), "log_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            variants.log_curves(seed_run, "magnitude", "variant")
    again = runs.get(store, seed_run.id)
    variants.log_curves(again, "magnitude", "variant")
    for metric in (MEAN, "curve_ap/Effusion"):
        assert [step for step, _ in points(seed_run, metric)] == [0, 50, 90]
    calls = []
    monkeypatch.setattr(type(store._client), "log_batch", lambda *given, **_: calls.append(given))
    monkeypatch.setattr(type(store._client), "get_metric_history", lambda *given: calls.append(given))
    variants.log_curves(runs.get(store, seed_run.id), "magnitude", "variant")
    assert not calls  # a command with nothing to log asks for nothing


def test_a_variant_costs_three_calls_of_the_store(store, log, monkeypatch):
    seed_run = log_seed(store, 0)
    kind, calls = type(store._client), []
    for name in ("create_run", "log_batch", "set_terminated", "get_run", "set_tag", "search_runs"):
        call = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, _c=call, _n=name, **o: (calls.append(_n), _c(*given, **o))[1])
    run = log(seed_run, 0.5)
    assert sorted(calls) == ["create_run", "log_batch", "set_terminated"]
    assert set(json.loads(runs.get(store, run.id).tags[names.DIGESTS])) == {"recipe.json"}  # noted without a call
