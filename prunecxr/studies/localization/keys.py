"""The identity of localization work: hashes of what determines its result; see `prunecxr.identity`.

A golden test freezes them. Options that keep their default do not enter, so new options leave old studies found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunecxr.studies.localization.config import FinetuningOptions, HtlTrainingOptions
from prunecxr.work.identity import digest

# Raised when the code starts to compute something else from the same options.
VERSION = 1
FINETUNING_VERSION = 2  # the same for fine-tuning alone; 2: classes are weighted alike for every approach
# Of fine-tuning, as the first studies had them: what equals these does not enter a key, whatever the defaults are now.
FIRST_DEFAULTS: dict[str, Any] = {
    "finetune_epochs": 20,
    "finetune_learning_rate": 0.01,
    "finetune_milestones": [15],
    "class_weighted": True,
    "threshold": "argmax",
}
CONSEQUENCES = {"focal_gamma"}  # of the training options: those that the plain network does not depend on


def training_key(splits: Mapping[str, str], task: str, options: HtlTrainingOptions, precision: str) -> str:
    """What the plain networks of all seeds share.

    Args:
        splits: content fingerprints of the train and val splits.
        task: `masks` or `classes`: what the network is trained on.
        precision: the one that training ran in.
    """
    chosen = options.model_dump(mode="json", exclude_defaults=True, exclude=CONSEQUENCES)
    parts = {"version": VERSION, "htl": task, "splits": dict(splits), "training": chosen, "precision": precision}
    return digest(parts)


def seed_key(training: str, seed: int) -> str:
    """One plain network."""
    return digest({"htl_training": training, "seed": seed})


def pruned_key(seed: str, evaluated: Mapping[str, str], setting: str, method: str, fraction: float) -> str:
    """One pruned network and what it does on the images.

    Args:
        seed: key of the plain network.
        evaluated: content fingerprints of the splits that it is evaluated on.
    """
    parts: dict[str, Any] = {"seed": seed, "evaluated": dict(evaluated), "setting": setting}
    return digest({**parts, "method": method, "fraction": f"{fraction:.6f}"})


def mining_key(pruned: str, rule: str, tau: float) -> str:
    """The HTLs that a pruned network finds."""
    return digest({"pruned": pruned, "rule": rule, "tau": f"{tau:.6f}"})


def network_key(mining: str, approach: str, options: FinetuningOptions, partner: str = "") -> str:
    """One network that was fine-tuned on as many images as there are HTLs (or on these).

    Args:
        partner: key of the other plain network that the images depend on, for the arms that need one.
    """
    given = options.model_dump(mode="json", exclude={"baselines", "htl_repeats"})
    chosen = {name: value for name, value in given.items() if value != FIRST_DEFAULTS[name]}
    parts: dict[str, Any] = {"mining": mining, "approach": approach, "finetuning": chosen}
    parts |= {"htl_repeats": options.htl_repeats} if approach == "all_htl" else {}
    parts |= {"partner": partner} if partner else {}
    return digest({"version": FINETUNING_VERSION, **parts})


def plain_key(seed: str, evaluated: Mapping[str, str], setting: str, threshold: str) -> str:
    """The plain network, evaluated at another threshold than one half."""
    parts: dict[str, Any] = {"seed": seed, "evaluated": dict(evaluated), "setting": setting}
    return digest({**parts, "approach": "plain", "threshold": threshold})


def focal_key(seed: str, evaluated: Mapping[str, str], setting: str, gamma: float, threshold: str = "argmax") -> str:
    """One network trained like the plain one, but with the focal loss (baseline 3)."""
    parts: dict[str, Any] = {"seed": seed, "evaluated": dict(evaluated), "setting": setting}
    parts |= {"threshold": threshold} if threshold != "argmax" else {}
    return digest({**parts, "approach": "focal", "gamma": f"{gamma:.6f}"})
