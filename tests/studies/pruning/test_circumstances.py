"""What the report says of the training, and which readers' answers it shows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from prunecxr.options.recipe import flatten
from prunecxr.studies.pruning.circumstances import reader_answers, training_table
from prunecxr.studies.readers.analysis import summary
from prunecxr.tracking import names, runs
from tests.studies.conftest import small


def population(*seed_runs: str) -> SimpleNamespace:
    """As much of a population as is looked at."""
    variants = pd.DataFrame({"seed_run": [run for run in seed_runs for _ in range(2)]})
    return SimpleNamespace(study="small", key="p1", method="magnitude", architecture="resnet18", variants=variants)


def seed_run(store, seed: int, seconds: float | None) -> str:
    run = runs.create(store, "seed", {names.KEY: f"s{seed}", names.STUDY: "small"}, name=f"seed-{seed}")
    if seconds is not None:
        params = {f"cfg/{name}": text for name, text in flatten(small()).items()}
        run.log(metrics={"train_seconds": seconds, "best_epoch": 4}, params={**params, "used/device": "cpu"})
    run.finish()
    return run.id


def test_training_is_told_in_the_words_of_the_paper(store) -> None:
    found = population(seed_run(store, 0, 100), seed_run(store, 1, 140))
    told = training_table(store, found).set_index("item")["value"]
    assert told["Model"] == "shufflenet_v2_x0_5 (weights: none)"
    assert told["Optimizer (LR)"] == "adamw (0.01)"
    assert told["Preprocessing"] == "ImageNet normalization, resize to 32×32"
    assert told["Early stopping"] == "15 epochs with no improvement of val_auc, at most 2 epochs"
    assert told["Training time"] == "120 s (median; 100 to 140)"
    assert told["Best epoch"] == "5"
    assert told["Networks"] == "2"


def test_networks_from_elsewhere(store) -> None:
    elsewhere = seed_run(store, 0, None)
    told = training_table(store, population(elsewhere)).set_index("item")["value"]
    assert told.to_dict() == {"Model": "resnet18", "Networks": "1, trained elsewhere; how is not known here"}
    both = training_table(store, population(elsewhere, seed_run(store, 1, 100))).set_index("item")["value"]
    assert both["Networks"] == "1 of 2, others trained elsewhere; how is not known here"


def answers() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"reader": np.repeat([1, 2], 8), "is_pie": np.tile([True, False], 8)})
    return summary(table.assign(agree=rng.integers(0, 2, 16), quality=rng.integers(1, 6, 16), difficulty=3.0))


def read(store, key: str, population_key: str) -> str:
    """Answers about an analysis of that population; the id of the run that holds them."""
    tags = {names.STUDY: "small", names.POPULATION: population_key, names.METHOD: "magnitude"}
    analysis = runs.create(store, "analysis", {names.KEY: f"a{key}", **tags}, name="analysis")
    export = runs.create(store, "reader_export", {names.KEY: f"e{key}", names.STUDY: "small"}, name="forms")
    export.log(params={"cfg/analysis": analysis.id})
    run = runs.create(store, "reader_import", {names.KEY: f"i{key}", names.STUDY: "small"}, name="answers")
    run.log(params={"cfg/export_run": export.id})
    with run.files() as folder:
        (folder / "tables").mkdir()
        answers().to_csv(folder / "tables" / "reader_summary.csv", index=False)
    for one in (analysis, export, run):
        one.finish()
    return run.id


def test_only_answers_about_this_population_count(store) -> None:
    assert reader_answers(store, population()) is None
    read(store, "other", "p2")
    assert reader_answers(store, population()) is None
    run_id = read(store, "own", "p1")
    read(store, "later", "p2")
    found = reader_answers(store, population())
    assert found is not None
    assert found[0] == run_id
    pd.testing.assert_frame_equal(found[1], answers(), check_dtype=False)


@pytest.mark.parametrize("missing", ["cfg/analysis", "cfg/export_run"])
def test_answers_without_a_trace_are_left_out(store, missing: str) -> None:
    run = runs.create(store, "reader_import", {names.KEY: "x", names.STUDY: "small"}, name="answers")
    export = runs.create(store, "reader_export", {names.KEY: "e", names.STUDY: "small"}, name="forms")
    run.log(params={} if missing == "cfg/export_run" else {"cfg/export_run": export.id})
    run.finish()
    assert reader_answers(store, population()) is None
