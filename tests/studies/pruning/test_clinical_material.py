"""What an analysis by patients needs lies with the study: metadata of test images, validation predictions."""

from __future__ import annotations

import numpy as np
import pytest

from prunecxr.data.phantom import phantom_tables
from prunecxr.errors import EnvironmentFault
from prunecxr.studies.pruning.study import run_study
from prunecxr.tracking import names, query, runs
from prunecxr.tracking.artifacts import read_table
from tests.studies.conftest import small


def test_metadata_of_the_test_images_lie_with_the_study(done) -> None:
    store, _ = done
    population = query.read_population(store, "small", "magnitude")
    metadata = query.read_metadata(store, population)
    test = phantom_tables(80, 50, 60)["test"]
    assert metadata["id"].tolist() == test.ids.tolist() == population.labels["id"].tolist()
    for name, column in test.metadata.items():
        assert metadata[name].tolist() == column.tolist()
    assert metadata.columns.tolist() == ["id", "age", "sex", "view"]


def test_dense_variants_keep_their_predictions_of_the_validation_images(done) -> None:
    store, _ = done
    population = query.read_population(store, "small", "magnitude")
    predictions, labels = query.read_validation(store, population)
    val = phantom_tables(80, 50, 60)["val"]
    assert predictions.sizes == {"seed": 2, "image": 50, "class": 20}
    assert labels["id"].tolist() == val.ids.tolist()
    assert np.array_equal(labels[list(val.classes)].to_numpy(), val.labels)
    assert np.isfinite(predictions).all()
    # Those that training ended with: the same network, the same images.
    seed_run = runs.get_existing(store, population.variants["seed_run"].iloc[0])
    best = max(value for _, value in seed_run.history("val_mean_auroc"))
    from prunecxr.evaluation.metrics import class_scores, mean_scores

    scores = class_scores(val.labels, predictions.sel(seed=0).to_numpy(), val.classes)
    assert mean_scores(scores)["auroc"] == pytest.approx(best, abs=2e-4)
    for run_id, sparsity in population.variants[["run_id", "sparsity"]].itertuples(index=False):
        if sparsity > 0:
            with pytest.raises(EnvironmentFault):
                read_table(runs.get_existing(store, run_id), names.VAL_PREDICTIONS)


def test_a_study_without_either_is_read_all_the_same(store, monkeypatch) -> None:
    """As earlier versions left it: nothing is redone, and nothing is missed."""
    from prunecxr.tracking import artifacts, variants

    with monkeypatch.context() as earlier:
        earlier.setattr(artifacts, "write_metadata", lambda *_: None)
        earlier.setattr(variants, "write_validation", lambda *_: None)
        run_study(store, small(seeds="1", sparsities="0,0.5"))
    before = query.read_population(store, "small", "magnitude")
    assert query.read_metadata(store, before) is None
    assert query.read_validation(store, before) is None
    run_study(store, small(seeds="1", sparsities="0,0.5"))
    after = query.read_population(store, "small", "magnitude")
    assert after.variants["run_id"].tolist() == before.variants["run_id"].tolist()
    run_study(store, small(seeds="1", sparsities="0,0.5,0.9"))  # what is evaluated anew brings its metadata
    assert query.read_metadata(store, query.read_population(store, "small", "magnitude")) is not None
