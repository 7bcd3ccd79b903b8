"""What a pruning study of classifiers trains, prunes and evaluates (paper A)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from prunecxr import __version__
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import Variant
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.metrics import class_scores
from prunecxr.evaluation.predict import probabilities
from prunecxr.learning.classification import Epoch, Images, fit, monitored
from prunecxr.learning.loop import EpochRecord, Session
from prunecxr.networks.families import build_model, build_skeleton, check_architecture, weights_identity
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.studies.pruning import keys
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.material import Evaluable, Material
from prunecxr.studies.pruning.rounding import rounding_effect
from prunecxr.tracking import artifacts, names, registry, runs, variants
from prunecxr.tracking.registry import Settings
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.task import Circumstances, Scored, Task, compute_of

PACKAGES = ("torch", "torchvision", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "pillow")


class PruningTask(Task):
    """Classifiers of the images of a data set.

    Args of the constructor:
        without: options that do not bear on the networks, and are not logged with them.
    """

    seed_kind, variant_kind = "seed", "variant"

    def __init__(self, config: Config, material: Evaluable, without: Collection[str] = ("seeds",)) -> None:
        architecture = config.training.architecture
        super().__init__(config.study, material.dataset.name, architecture, material.fingerprints, config.execution)
        self.config, self.material, self._without = config, material, without
        self._validation = keys.BF16_VALIDATION_VERSION

    # Training

    def training_key(self) -> str:
        return self._training_key(self._validation)

    def _training_key(self, validation: int) -> str:
        options = self.config.training
        weights = weights_identity(self.architecture, options.weights)
        train, val = (self.prints[split] for split in ("train", "val"))
        return keys.training_key(train, val, options, weights, self.compute.precision, validation=validation)

    def go_on_with(self, store: Store) -> None:
        """Validate as the study's seeds that are there were validated, so that all of them can be compared."""
        earlier = self._training_key(1)
        if earlier != self.training_key():
            tags = {names.KIND: self.seed_kind, names.STUDY: self.study, names.TRAINING: earlier}
            self._validation = 1 if runs.search(store, tags, most=1) else self._validation

    def seed_key(self, seed: int) -> str:
        return keys.seed_key(self.training_key(), seed)

    def population_key(self) -> str:
        """Key of the population that this configuration trains and evaluates."""
        return keys.population_key(self.training_key(), self.prints["test"], self.compute.precision)

    def build(self, seed: int) -> nn.Module:
        return build_model(self.architecture, len(self.material.dataset.classes), self.config.training.weights, seed)

    def fit(self, model: nn.Module, session: Session[Any]) -> Sequence[EpochRecord]:
        train, val = (images_of(self.material, split) for split in ("train", "val"))
        in_fp32 = self._validation > 1
        return fit(model, train, val, self.config.training, self.compute, session, validated_in_fp32=in_fp32)

    def best_epoch(self, epochs: Sequence[EpochRecord]) -> EpochRecord:
        return best_epoch(epochs, self.config.training.monitor)

    def circumstances(self) -> Circumstances:
        data, dataset = self.config.data, self.material.dataset
        source = {"dataset": data.dataset, "images": str(data.images or ""), "labels": data.labels}
        contexts = {"train": "training", "val": "validation", "test": "testing"}
        inputs = []
        for split, fingerprint in self.prints.items():
            table = getattr(dataset, split).table
            profile = {"images": len(table), "patients": len(set(table.subjects)), "positives": table.counts()}
            inputs.append((f"{dataset.name}-{split}", fingerprint, contexts[split], source, profile))
        params = {f"cfg/{name}": text for name, text in flatten(self.config).items() if name not in self._without}
        prints = {names.fingerprint_param(split): value for split, value in self.prints.items()}
        return Circumstances({**params, **prints}, inputs, self._write_recipe, PACKAGES)

    def _write_recipe(self, folder: Path) -> None:
        (folder / names.RECIPE).write_text(to_recipe(self.config), encoding="utf-8")

    def settings(self) -> Settings:
        return Settings(
            architecture=self.architecture,
            classes=self.material.dataset.classes,
            image_size=self.config.data.image_size,
            interpolation=self.config.data.interpolation,
            channels_last=self.config.execution.channels_last,
            batch_size=self.config.execution.eval_batch_size,
        )

    # Pruning and evaluation

    def variant_keys(self, seed_run: TrackedRun, method: Method, level: float) -> tuple[str, ...]:
        seed = int(seed_run.tags[names.SEED])
        return (keys.variant_key(self._population_of(seed_run), seed, str(method), level),)

    def variant_tags(self, seed_run: TrackedRun, method: Method, level: float) -> dict[str, str]:
        return {
            **super().variant_tags(seed_run, method, level),
            names.POPULATION: self._population_of(seed_run),
            names.TEST_SPLIT: self.prints["test"][:16],
        }

    def _population_of(self, seed_run: TrackedRun) -> str:
        return keys.population_key(seed_run.tags[names.TRAINING], self.prints["test"], self.compute.precision)

    def check_network(self, seed_run: TrackedRun) -> None:
        settings = registry.load_settings(seed_run.store, seed_run.tags[names.MODEL])
        assert isinstance(settings, Settings)  # a classifier's
        classes, data = self.material.dataset.classes, self.config.data
        if settings.classes != classes:
            differing = sorted(set(settings.classes) ^ set(classes))
            what = f"{', '.join(differing[:5])} in one of them alone" if differing else "another order"
            raise UserError(f"option labels: the classes are not those the network was trained on ({what})")
        if (settings.image_size, settings.interpolation) != (data.image_size, data.interpolation):
            trained = f"image_size={settings.image_size}, interpolation={settings.interpolation}"
            raise UserError(f"option image_size: the network was trained with {trained}; evaluate it with the same")

    def log_evaluated_data(self, seed_run: TrackedRun) -> None:
        """Test labels, class counts and warnings, once per test split; metadata whenever anything is evaluated."""
        split, dataset = self.prints["test"][:16], self.material.dataset
        is_new = seed_run.tags.get(names.TEST_SPLIT) != split
        if not is_new and not dataset.test.table.metadata:
            return
        with seed_run.files() as folder:
            artifacts.write_metadata(folder, split, dataset.test.table)
            if is_new:
                counts = self.material.counts()
                artifacts.write_test_split(folder, split, dataset.test.table, counts, dataset.warnings)
        if is_new:
            seed_run.log(tags={names.TEST_SPLIT: split})

    def n_evaluated(self, method: Method, level: float) -> int:  # noqa: ARG002 (it is asked of every task)
        return sum(len(self.material.cached[split].pixels) for split in self._evaluated(level))

    def predict(
        self,
        evaluator: Evaluator,
        method: Method,  # noqa: ARG002 (it is asked of every task)
        level: float,
        advance: Callable[[int], object],
    ) -> dict[str, np.ndarray]:
        """Probabilities of the images of each split that is evaluated, shape (n, n_classes), float32."""
        predicted = {}
        for split in self._evaluated(level):
            logits = evaluator.logits(self.material.cached[split].pixels, advance)
            if not torch.isfinite(logits).all():
                raise UserError(f"the network's outputs are not finite at sparsity {level:g}: it cannot be evaluated")
            predicted[split] = probabilities(logits)
        return predicted

    def _evaluated(self, level: float) -> tuple[str, ...]:
        """The splits that a variant predicts: thresholds are set on validation images, by the dense network."""
        return ("test", "val") if level == 0 and "val" in self.material.cached else ("test",)

    def score(self, predicted: Mapping[str, np.ndarray], variant: Variant) -> Scored:
        table = self.material.dataset.test.table
        scores = class_scores(table.labels, predicted["test"], table.classes)
        write = partial(
            self._write_variant, predicted=predicted, scores=scores, recipe={**variant.recipe, "prunecxr": __version__}
        )
        return Scored(variants.score_metrics(scores), write)

    def _write_variant(
        self, folder: Path, predicted: Mapping[str, np.ndarray], scores: pd.DataFrame, recipe: Mapping[str, Any]
    ) -> None:
        table = self.material.dataset.test.table
        variants.write_variant(folder, table.ids, table.classes, predicted["test"], scores, recipe)
        if "val" in predicted and isinstance(self.material, Material):
            variants.write_validation(folder, self.material.dataset.val.table, predicted["val"])

    def registers(self, method: Method, level: float) -> bool:  # noqa: ARG002 (it is asked of every task)
        return level > 0 and level in self.config.compression.register_sparsities

    def register_precision(self) -> str:
        return self.config.compression.register_precision

    def rounding(self, run: TrackedRun, evaluator: Evaluator) -> Mapping[str, str]:
        images = images_of(self.material, "test")
        return rounding_effect(run, evaluator, images, self.material.dataset.classes, self.register_precision())


def images_of(material: Evaluable, split: str) -> Images:
    """Pixels and labels of a split that was made ready."""
    return Images(material.cached[split].pixels, getattr(material.dataset, split).table.labels)


def best_epoch(epochs: Sequence[Any], monitor: str) -> Epoch:
    """The epoch whose weights a training keeps."""
    best: Epoch = max(epochs, key=lambda epoch: monitored(epoch, monitor))
    return best


def check_names(config: Config) -> None:
    """Check what the options name before any work is done.

    Raises:
        UserError: an unknown architecture, weight set, criterion or scope, or images of a size that cannot be taken.
        EnvironmentFault: a device that this machine does not have, or an engine that the device has not.
    """
    check_architecture(config.training.architecture)
    check_image_size(config)
    weights_identity(config.training.architecture, config.training.weights)
    Method.parse(config.compression.method)
    device = compute_of(config.execution).device.type
    if config.execution.engine == "graph" and device != "cuda":
        raise EnvironmentFault(f"option engine: graph needs a CUDA device, not {device}; engine=auto takes what pays")


def check_image_size(config: Config) -> None:
    """Raise a UserError if the architecture cannot take images of this size; tried without computing anything."""
    name, size = config.training.architecture, config.data.image_size
    try:
        with torch.device("meta"), torch.no_grad():
            build_skeleton(name, 2).eval()(torch.zeros(2, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"option image_size: {name} cannot take images of {size} pixels ({first})") from None


def check_same_training_data(seed_run: TrackedRun, prints: Mapping[str, str]) -> None:
    """Raise a UserError if a seed was trained on other data: patients of the test split may be among those."""
    logged = seed_run.params()
    for split in ("train", "val"):
        if logged.get(names.fingerprint_param(split)) != prints[split]:
            raise UserError(
                f"options of the data: the {split} split is not the one that seed run {seed_run.id} was trained with; "
                "leave the data options out, or train on the new data"
            )
