"""The identity of localization work is frozen: a change of these hashes would make finished studies be redone."""

from __future__ import annotations

import pytest

from prunecxr.studies.localization import keys
from prunecxr.studies.localization.config import FinetuningOptions, HtlTrainingOptions

SPLITS = {"train": "a" * 64, "val": "b" * 64}
EVALUATED = {"test": "c" * 64, "train": "a" * 64}


def test_golden():
    training = keys.training_key(SPLITS, "masks", HtlTrainingOptions(epochs=5), "bf16")
    seed = keys.seed_key(training, 10)
    pruned = keys.pruned_key(seed, EVALUATED, "supervised", "magnitude", 0.7)
    mining = keys.mining_key(pruned, "relative", 0.4)
    network = keys.network_key(
        mining, "htl", FinetuningOptions(class_weighted=True)
    )  # the default of the first studies
    focal = keys.focal_key(seed, EVALUATED, "supervised", 2.0)
    assert [training, seed, pruned, mining, network, focal] == GOLDEN


# Frozen: never edited to make the test pass, only with a new keys.VERSION (or FINETUNING_VERSION).
GOLDEN = [
    "c9363bd41c993270",
    "a24acce7af24a4f5",
    "884debd76c2becb6",
    "77cf2391642d7e3d",
    "d50a2410f1468978",
    "109066ff22597660",
]
DEFAULTS = {
    "features": (32, 32, 64, 128, 256, 32),
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "weight_decay": 2e-4,
    "momentum": 0.9,
    "schedule": "step",
    "milestones": (20, 50, 80),
    "batch_size": 64,
    "epochs": 100,
    "focal_gamma": 2.0,
    "flip": True,
    "rotation": 180.0,
}


def test_defaults_are_frozen_too():
    """They do not enter the hash, so a changed default would make other work look the same."""
    assert HtlTrainingOptions().model_dump() == DEFAULTS
    assert keys.FIRST_DEFAULTS == {
        "finetune_epochs": 20,
        "finetune_learning_rate": 0.01,
        "finetune_milestones": [15],
        "class_weighted": True,
        "threshold": "argmax",
    }
    assert set(FinetuningOptions.model_fields) - {"baselines", "htl_repeats"} == set(keys.FIRST_DEFAULTS)


def test_golden_without_class_weights():
    """The default of later studies; and what only some arms depend on."""
    options = FinetuningOptions(class_weighted=False, threshold="validation")
    assert keys.network_key("m", "random", options) == "8d5d11faf19ff36f"
    assert keys.network_key("m", "all_htl", options) == "230e0137f3e9ad14"
    assert keys.network_key("m", "disagreement", options, "p") == "7ff5913881fa71c8"
    assert keys.plain_key("s", EVALUATED, "supervised", "validation") == "4434859a396d0f79"


@pytest.mark.parametrize("change", [{"class_weighted": True}, {"threshold": "validation"}, {"finetune_epochs": 3}])
def test_whatever_determines_fine_tuning_changes_its_key(change):
    assert keys.network_key("m", "all", FinetuningOptions()) != keys.network_key(
        "m", "all", FinetuningOptions(**change)
    )


def test_an_option_enters_the_key_of_the_arm_that_depends_on_it_alone():
    often = FinetuningOptions(htl_repeats=3)
    assert keys.network_key("m", "all", often) == keys.network_key("m", "all", FinetuningOptions())
    assert keys.network_key("m", "all_htl", often) != keys.network_key("m", "all_htl", FinetuningOptions())
    assert keys.network_key("m", "disagreement", often, "p") != keys.network_key("m", "disagreement", often, "q")
    focal = [keys.focal_key("s", EVALUATED, "supervised", 2.0, threshold) for threshold in ("argmax", "validation")]
    assert focal[0] == keys.focal_key("s", EVALUATED, "supervised", 2.0) != focal[1]


@pytest.mark.parametrize(
    "change",
    [{"splits": {"train": "z", "val": "b"}}, {"task": "classes"}, {"options": HtlTrainingOptions(epochs=6)},
     {"precision": "fp32"}],
)  # fmt: skip
def test_whatever_determines_the_training_changes_its_key(change):
    base = {"splits": SPLITS, "task": "masks", "options": HtlTrainingOptions(epochs=5), "precision": "bf16"}
    assert keys.training_key(**base) != keys.training_key(**{**base, **change})


def test_what_the_plain_network_does_not_depend_on_leaves_its_key():
    one = keys.training_key(SPLITS, "masks", HtlTrainingOptions(), "bf16")
    assert one == keys.training_key(SPLITS, "masks", HtlTrainingOptions(focal_gamma=3), "bf16")
    tuned = keys.network_key("m", "htl", FinetuningOptions())
    assert tuned == keys.network_key("m", "htl", FinetuningOptions(baselines=("random",)))


def test_networks_differ_by_what_chose_their_images():
    found = {
        keys.network_key(mining, approach, FinetuningOptions(finetune_epochs=epochs))
        for mining in ("m", "n")
        for approach in ("htl", "random", "class", "sex", "htl:random")
        for epochs in (1, 20)
    }
    assert len(found) == 20


def test_mining_differs_by_rule_and_threshold():
    found = {keys.mining_key("p", rule, tau) for rule in ("relative", "absolute", "top") for tau in (0.4, 0.400001)}
    assert len(found) == 6
