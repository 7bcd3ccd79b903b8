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


def network_key(mining: str, approach: str, options: FinetuningOptions) -> str:
    """One network that was fine-tuned on as many images as there are HTLs (or on these)."""
    chosen = options.model_dump(mode="json", exclude_defaults=True, exclude={"baselines"})
    parts = {"mining": mining, "approach": approach, "finetuning": chosen}
    return digest({"version": FINETUNING_VERSION, **parts})


def focal_key(seed: str, evaluated: Mapping[str, str], setting: str, gamma: float) -> str:
    """One network trained like the plain one, but with the focal loss (baseline 3)."""
    parts: dict[str, Any] = {"seed": seed, "evaluated": dict(evaluated), "setting": setting}
    return digest({**parts, "approach": "focal", "gamma": f"{gamma:.6f}"})
