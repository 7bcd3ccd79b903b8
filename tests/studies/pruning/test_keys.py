"""The identity of work is frozen: a change of these hashes would make every finished study be redone."""

from __future__ import annotations

import pytest

from prunecxr.options.sections import TrainingOptions
from prunecxr.studies.pruning import keys


def test_golden():
    training = keys.training_key("a" * 64, "b" * 64, TrainingOptions(epochs=5), "none", "bf16")
    population = keys.population_key(training, "c" * 64, "bf16")
    hashes = [
        training,
        keys.seed_key(training, 7),
        population,
        keys.variant_key(population, 7, "magnitude", 0.9),
        keys.variant_key(population, 7, "magnitude@layer", 0.05),
        keys.population_key(training, "c" * 64, "fp32"),
    ]
    assert hashes == GOLDEN


def test_golden_without_a_choice_of_epochs_or_bf16():
    """What validation in bf16 cannot have decided keeps its key."""
    single, exact = TrainingOptions(epochs=1), TrainingOptions(epochs=5)
    assert keys.training_key("a" * 64, "b" * 64, single, "none", "bf16") == "e67f0b532d058f70"
    assert keys.training_key("a" * 64, "b" * 64, exact, "none", "fp32") == "64d6169d18c1fb8f"


# Frozen: never edited to make the test pass, only with a new keys.VERSION (or one of those of bf16).
GOLDEN = [
    "a347c2755303cd86",
    "aa56a64e926d91e8",
    "e7ac64023ed2b2b0",
    "91d88e667ede4ab3",
    "ebaea15426ebda70",
    "b6977fd458c35424",
]
DEFAULTS = {
    "architecture": "resnet50",
    "weights": "imagenet",
    "optimizer": "adam",
    "learning_rate": 0.0001,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "schedule": "constant",
    "loss": "bce",
    "batch_size": 256,
    "epochs": 60,
    "patience": 15,
    "monitor": "val_auc",
    "flip": True,
    "rotation": 15.0,
}


def test_defaults_are_frozen_too():
    """They do not enter the hash, so a changed default would make other work look the same."""
    assert TrainingOptions().model_dump() == DEFAULTS


CHANGES = {
    "train": {"train": "z"},
    "val": {"val": "z"},
    "option": {"options": TrainingOptions(epochs=6)},
    "weights": {"weights": "imagenet"},
    "precision": {"precision": "fp32"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_determines_the_training_changes_its_key(change):
    base = {"train": "a", "val": "b", "options": TrainingOptions(epochs=5), "weights": "none", "precision": "bf16"}
    assert keys.training_key(**base) != keys.training_key(**{**base, **change})


def test_how_the_weights_are_named_does_not_matter_what_they_are_does():
    one = keys.training_key("a", "b", TrainingOptions(weights="x.pt"), "hash", "fp32")
    other = keys.training_key("a", "b", TrainingOptions(weights="copy/x.pt"), "hash", "fp32")
    assert one == other


def test_options_at_their_default_do_not_enter():
    assert keys.training_key("a", "b", TrainingOptions(epochs=60), "n", "fp32") == keys.training_key(
        "a", "b", TrainingOptions(), "n", "fp32"
    )


def test_variants_differ_by_seed_method_and_sparsity():
    hashes = {
        keys.variant_key("p", seed, method, sparsity)
        for seed in (0, 1)
        for method in ("magnitude", "random")
        for sparsity in (0.0, 0.05, 0.050001, 0.5)
    }
    assert len(hashes) == 16


def test_imported_work_keeps_its_keys():
    assert keys.imported_population_key("t", "c", "d", "resnet50") == "515853304ffaa4a4"
    assert keys.imported_variant_key("p", 7, "magnitude", 0.9, "x") == "3f4ac498d7a0fd19"


def test_audited_work_keeps_its_keys():
    training = keys.audited_training_key("resnet50", ("A", "B"), "t", "224 bilinear")
    assert training == "8a2af30bf627d747"
    assert keys.audited_seed_key(training, 7, "w") == "c477efe6f58647a3"


def test_audited_networks_differ_by_content_and_circumstances():
    base = ("resnet50", ("A", "B"), "t", "224 bilinear")
    changes = [
        ("resnet18", *base[1:]),
        (base[0], ("B", "A"), *base[2:]),
        (*base[:2], "u", base[3]),
        (*base[:3], "32 box"),
    ]
    trainings = [keys.audited_training_key(*parts) for parts in (base, *changes)]
    seeds = [keys.audited_seed_key(key, seed, weights) for key in trainings for seed in (0, 1) for weights in "vw"]
    assert len(set(seeds)) == 20


def test_imported_variants_differ_by_content_and_place():
    base = ("p", 7, "magnitude", 0.9, "x")
    changes = [("q", *base[1:]), ("p", 8, *base[2:]), (*base[:2], "random", *base[3:]), (*base[:3], 0.5, "x")]
    assert len({keys.imported_variant_key(*parts) for parts in [base, *changes, (*base[:4], "y")]}) == 6


def test_the_key_that_version_0_1_gave_trainings_in_bf16():
    """Its validation saw images tie; a study that began so goes on so, and is found."""
    options = TrainingOptions(epochs=5)
    key = keys.training_key("a" * 64, "b" * 64, options, "none", "bf16", validation=1)
    assert key == "a3579a964de0776e"
    assert key != keys.training_key("a" * 64, "b" * 64, options, "none", "bf16")
    one = [keys.training_key("a", "b", options, "none", "fp32", validation=version) for version in (1, 2)]
    assert one[0] == one[1]
