"""What a localization study trains, prunes and evaluates (paper B)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import Variant
from prunecxr.errors import UserError
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.masks import score_against
from prunecxr.evaluation.regions.scores import split_scores
from prunecxr.learning.loop import EpochRecord, Session, run_epochs
from prunecxr.networks.unet import unet_name
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.studies.localization import keys
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.material import LesionMaterial
from prunecxr.studies.localization.settings import localizer, recipe_of
from prunecxr.studies.localization.training import Examples
from prunecxr.studies.localization.variants import Choice
from prunecxr.tracking import names
from prunecxr.tracking.artifacts import write_recipe
from prunecxr.tracking.mask_flavor import MaskSettings
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.task import Circumstances, Scored, Task, compute_of

PACKAGES = (
    "torch", "torchvision", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "pillow", "monai", "scikit-image",
)  # fmt: skip
BOX = ("y0", "x0", "y1", "x1")
LEVELS = 4  # times that a U-Net halves its image
Tables = dict[str, pd.DataFrame]


class LocalizationTask(Task):
    """U-Nets that mark lesions, or tell their diagnoses."""

    seed_kind, variant_kind = "htl_seed", "htl_pruned"

    def __init__(self, config: HtlConfig, material: LesionMaterial) -> None:
        super().__init__(config.study, material.dataset.name, "unet", material.fingerprints, config.execution)
        self.config, self.material = config, material
        self.localizer = localizer(config.mining.setting, len(material.classes))
        self.choice = Choice(config, material.fingerprints)

    def tags(self) -> dict[str, str]:
        return {**super().tags(), names.SETTING: self.config.mining.setting}

    # Training

    def training_key(self) -> str:
        return self.choice.training_key(self.compute.precision)

    def seed_key(self, seed: int) -> str:
        return keys.seed_key(self.training_key(), seed)

    def build(self, seed: int) -> nn.Module:
        return self.localizer.build(self.config.training, seed)

    def fit(self, model: nn.Module, session: Session[Any]) -> Sequence[EpochRecord]:
        options = self.config.training
        learning = self.localizer.learning(self.examples("train"), self.examples("val"), options, self.compute)
        return run_epochs(model, learning, recipe_of(options), self.compute, session)

    def examples(self, split: str) -> Examples:
        """The images of a split with what is learnt of them: their masks, or their diagnoses."""
        if self.localizer.task == "classes":
            return Examples(self.material.pixels[split].images, self.material.diagnoses(split))
        return Examples(self.material.pixels[split].images, self.masks(split))

    def masks(self, split: str) -> np.ndarray:
        """The masks of a split that has them, shape (n, size, size), 0/1."""
        masks = self.material.pixels[split].masks
        assert masks is not None
        return masks

    def circumstances(self) -> Circumstances:
        data, name = self.config.data, self.material.dataset.name
        source = {"dataset": data.dataset, "images": str(data.images or "")}
        contexts = {"train": "training", "val": "validation", "test": "testing"}
        inputs = []
        for split, pixels in self.material.pixels.items():
            profile = {"images": len(pixels), "masks": pixels.masks is not None}
            inputs.append((f"{name}-{split}", self.prints[split], contexts.get(split, split), source, profile))
        params = {f"cfg/{option}": text for option, text in flatten(self.config).items() if option != "seeds"}
        prints = {names.fingerprint_param(split): value for split, value in self.prints.items()}
        return Circumstances({**params, **prints}, inputs, self._write_data, PACKAGES)

    def _write_data(self, folder: Path) -> None:
        """The recipe, and all that an analysis must know of the images."""
        (folder / names.RECIPE).write_text(to_recipe(self.config), encoding="utf-8")
        for split in {"test", "train", self.material.pool}:
            path = folder / names.lesion_table(split)
            path.parent.mkdir(exist_ok=True)
            self.material.table(split).to_parquet(path, index=False)
        (folder / names.LESION_WARNINGS).write_text("\n".join(self.material.dataset.warnings), encoding="utf-8")

    def settings(self) -> MaskSettings:
        config = self.config
        return MaskSettings(
            architecture=unet_name(config.training.features, head=self.localizer.task == "classes"),
            setting=config.mining.setting,
            classes=self.material.classes,
            image_size=config.data.image_size,
            channels_last=config.execution.channels_last,
            batch_size=config.execution.eval_batch_size,
        )

    # Pruning and evaluation

    def variant_keys(self, seed_run: TrackedRun, method: Method, level: float) -> tuple[str, ...]:
        return self.choice.variant_keys(seed_run.tags[names.KEY], str(method), level)

    def n_evaluated(self, method: Method, level: float) -> int:
        return sum(len(self.material.pixels[split]) for split in self._evaluated(method, level))

    def _evaluated(self, method: Method, level: float) -> list[str]:
        """The splits whose images a variant marks; one that boxes are drawn in stands twice."""
        splits = ["test"]
        if self.choice.looks_into(str(method), level):
            if self.material.pixels["train"].masks is not None:
                splits.append("train")
            if self.config.mining.setting != "supervised":
                splits.append(self.material.pool)
        return splits

    def predict(self, evaluator: Evaluator, method: Method, level: float, advance: Callable[[int], object]) -> Tables:
        """Tables of a variant: scores of test and, where it is looked into, training images; boxes of the pool."""
        tables = {names.TEST_SCORES: self.scored(evaluator, "test", advance)}
        if self.choice.looks_into(str(method), level):
            if self.material.pixels["train"].masks is not None:
                tables[names.POOL_SCORES] = self.scored(evaluator, "train", advance)
            if self.config.mining.setting != "supervised":
                tables[names.BOXES] = self.boxed(evaluator, advance)
        return tables

    def score(self, predicted: Tables, variant: Variant) -> Scored:
        recipe = dict(variant.recipe)
        return Scored(
            test_metrics(predicted[names.TEST_SCORES]), partial(write_variant, tables=predicted, recipe=recipe)
        )

    def scored(self, evaluator: Evaluator, split: str, advance: Callable[[int], object] | None = None) -> pd.DataFrame:
        """Scores of every image of a split that has masks: id, background, foreground, mean, dice."""
        scores = score_against(
            self.localizer.masks(evaluator, self.material.pixels[split].images, advance), self.masks(split)
        )
        scores.insert(0, "id", self.material.table(split)["id"].to_numpy())
        return scores

    def boxed(self, evaluator: Evaluator, advance: Callable[[int], object] | None = None) -> pd.DataFrame:
        """The box that a network puts around the lesion of every image of the pool: id, y0, x0, y1, x1 (pixels)."""
        pool = self.material.pool
        boxes = self.localizer.boxes(evaluator, self.material.pixels[pool].images, advance)
        return pd.DataFrame({"id": self.material.table(pool)["id"], **dict(zip(BOX, boxes.T, strict=True))})


def write_variant(folder: Path, tables: Mapping[str, pd.DataFrame], recipe: Mapping[str, Any]) -> None:
    """The artifacts of a variant."""
    write_tables(folder, tables)
    write_recipe(folder, recipe)


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Tables as Parquet or CSV, by the ends of their names."""
    for name, table in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False)


def test_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Means over the test images, by the names of their metrics."""
    return {names.LOCALIZATION_METRICS[name]: value for name, value in split_scores(scores).items()}


def check(config: HtlConfig) -> None:
    """Check methods, device and size before any work is done.

    Raises:
        UserError: a pruning method that does not exist, or a size that no U-Net takes.
        EnvironmentFault: a device that this machine does not have.
    """
    for method in (config.mining.method, *config.analysis.ablation_methods):
        Method.parse(method)
    compute_of(config.execution)
    size, least = config.data.image_size, 2**LEVELS
    if size % least:
        raise UserError(f"option image_size: a U-Net halves its image {LEVELS} times; {size} is no multiple of {least}")


def say_data(material: LesionMaterial) -> None:
    """The images of each split that was made ready, and what was noticed."""
    counts = ", ".join(
        f"{len(pixels):,} {name}{'' if pixels.masks is not None else ' (no masks)'}"
        for name, pixels in material.pixels.items()
    )
    print(f"data set {material.dataset.name}: {counts} images", flush=True)
    for warning in material.dataset.warnings:
        print(f"warning: {warning}", flush=True)
