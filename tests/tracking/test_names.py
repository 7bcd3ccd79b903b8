"""Names that users may rely on: frozen here, changed only with a note in the changelog."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils import validation

from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.registration import alias_of


def test_golden():
    public = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    contract = {
        "KIND": "prunecxr.kind",
        "STUDY": "prunecxr.study",
        "KEY": "prunecxr.key",
        "DATASET": "prunecxr.dataset",
        "ARCHITECTURE": "prunecxr.architecture",
        "SEED": "prunecxr.seed",
        "METHOD": "prunecxr.method",
        "SPARSITY": "prunecxr.sparsity",
        "PARENT": "mlflow.parentRunId",
        "REALISED_SPARSITY": "realised_sparsity",
        "NONZERO_WEIGHTS": "nonzero_weights",
        "PREDICTIONS": "predictions.parquet",
        "VARIANT_RECIPE": "recipe.json",
        "SHARE_BELOW": "share_below_0.01",
        "WEIGHT_HISTOGRAM": "weights/histogram.csv",
        "REPORT": "report.html",
        "TRIAL": "prunecxr.trial",
        "TRIAL_STATE": "prunecxr.trial_state",
        "ERROR": "prunecxr.error",
        "BEST_RECIPE": "best.yaml",
        "BEST_VAL_MEAN_AP": "best_val_mean_ap",
        "READER_KEY": "key.csv",
        "READER_REPORT": "reader_report.html",
    }
    assert {name: public[name] for name in contract} == contract
    assert names.MEAN_METRICS == {"ap": "mean_ap", "auroc": "mean_auroc", "f1": "mean_f1"}


@pytest.mark.parametrize(
    ("sparsity", "text", "suffix"),
    [
        (0.0, "0.00", "k00"),
        (0.05, "0.05", "k05"),
        (0.9, "0.90", "k90"),
        (0.95, "0.95", "k95"),
        (0.975, "0.975", "k97_5"),
    ],
)
def test_sparsities(sparsity, text, suffix):
    assert names.sparsity_text(sparsity) == text
    assert names.sparsity_suffix(sparsity) == suffix


@pytest.mark.parametrize(
    ("arguments", "alias"),
    [
        ((7, "magnitude", 0.0), "seed-07"),
        ((7, "magnitude", 0.9), "seed-07-k90"),
        ((7, "random", 0.9), "seed-07-random-k90"),
        ((123, "magnitude@layer", 0.5), "seed-123-magnitude-layer-k50"),
        ((7, "magnitude@channel", 0.7), "seed-07-magnitude-channel-k70"),
    ],
)
def test_aliases(arguments, alias):
    seed, method, sparsity = arguments
    tags = {names.SEED: str(seed), names.METHOD: method, names.SPARSITY: names.sparsity_text(sparsity)}
    assert alias_of(TrackedRun(None, "id", tags)) == alias
    assert re.fullmatch(r"[\w-]+", alias)


def test_registered_model():
    assert names.model_name("nih-cxr-lt", "resnet50") == "prunecxr-nih-cxr-lt-resnet50"


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_metric_names_are_admitted_and_distinct(classes):
    found = names.metric_names("ap", tuple(classes))
    assert list(found) == classes
    assert len({name.casefold() for name in found.values()}) == len(classes)
    for name in found.values():
        assert name.startswith("ap/")
        validation._validate_metric(name, 0.5, 0, 0)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("Pleural Thickening", "Mass/Nodule", "No Finding"), ("Pleural Thickening", "Mass_Nodule", "No Finding")),
        (("a#b", "a$b", "a_b"), ("a_b", "a_b_", "a_b__")),
        (("Mass", "mass", "MASS_"), ("Mass", "mass_", "MASS__")),
        (("Épanchement", "Epanchement"), ("Épanchement", "Epanchement_")),
        (("E\u0301panchement",), ("\u00c9panchement",)),  # an accent of its own
        (("肺不张", "Πνευμονία", "気胸"), ("肺不张", "Πνευμονία", "気胸")),
        ((".", ".."), ("_", "__")),
        (("x" * 300, "x" * 301), ("x" * 230, "x" * 230 + "_")),
    ],
)
def test_metric_names_of_classes(classes, expected):
    assert tuple(names.metric_names("ap", classes).values()) == tuple(f"ap/{name}" for name in expected)


def test_no_two_sparsities_share_a_step():
    whole = [names.curve_step(k / 100) for k in range(101)]
    assert whole == list(range(101))
    fine = [k / 1000 for k in range(1001)] + [0.9755, 0.96875]
    assert len({names.curve_step(k) for k in fine}) == len(fine)
    assert names.curve_step(0.975) == 975_000
