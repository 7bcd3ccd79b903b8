"""The identity of work: a hash of what determines its result. Finished work of an identity is found, not redone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunecxr.options.sections import TrainingOptions
from prunecxr.work.identity import digest

# Raised when the code starts to compute something else from the same options.
VERSION = 1

# The same for what is computed in bf16 alone; 2: outputs are fp32.
BF16_EVALUATION_VERSION = 2
BF16_VALIDATION_VERSION = 2


def training_key(
    train: str, val: str, options: TrainingOptions, weights: str, precision: str, *, validation: int | None = None
) -> str:
    """What all seeds of a population share.

    Args:
        train, val: content fingerprints of the splits (pixels, ids, labels).
        weights: identity of the initial weights.
        precision: the one that training ran in.
        validation: version of validation in bf16; None: today's. A study that began with version 1 goes on with it.
    """
    version = BF16_VALIDATION_VERSION if validation is None else validation
    chosen = options.model_dump(mode="json", exclude_defaults=True, exclude={"weights"})
    parts = {"version": VERSION, "train": train, "val": val, "training": chosen}
    parts |= {"weights": weights, "precision": precision}
    if precision == "bf16" and options.epochs > 1 and version > 1:  # it decides which epoch's weights are kept
        parts["validation"] = version
    return digest(parts)


def seed_key(training: str, seed: int) -> str:
    """One trained network."""
    return digest({"training": training, "seed": seed})


def population_key(training: str, test: str, precision: str) -> str:
    """All variants that may be compared: trained alike, evaluated alike on one test split."""
    parts: dict[str, Any] = {"training": training, "test": test, "precision": precision}
    if precision == "bf16":
        parts["version"] = BF16_EVALUATION_VERSION
    return digest(parts)


def variant_key(population: str, seed: int, method: str, sparsity: float) -> str:
    """One pruned network and its evaluation."""
    return digest({"population": population, "seed": seed, "method": method, "sparsity": f"{sparsity:.6f}"})


def imported_population_key(test: str, train: str, dataset: str, architecture: str) -> str:
    """All variants that were imported against the same labels.

    Args:
        test: content fingerprint of the test table.
        train: digest of what is known of the training images.
    """
    return digest({"version": VERSION, "imported": test, "train": train, "of": [dataset, architecture]})


def imported_variant_key(population: str, seed: int, method: str, sparsity: float, content: str) -> str:
    """One imported file of predictions; `content` is the digest of its numbers."""
    return digest({"variant": variant_key(population, seed, method, sparsity), "content": content})


def audited_training_key(architecture: str, classes: Sequence[str], train: str, images: str) -> str:
    """What all networks share that were trained elsewhere and are taken for one population.

    Args:
        classes: in the order of the networks' outputs.
        train: digest of what is known of the training images.
        images: how test images are brought to the size of the network's input.
    """
    return digest({"version": VERSION, "audited": [architecture, *classes], "train": train, "images": images})


def audited_seed_key(training: str, seed: int, weights: str) -> str:
    """One network that was trained elsewhere; `weights` is the digest of its tensors."""
    return digest({"seed": seed_key(training, seed), "weights": weights})
