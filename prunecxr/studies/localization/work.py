"""What all steps of one seed of a localization study share: finding finished work, evaluating a network, logging it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from prunecxr.hardware import Compute
from prunecxr.learning.loop import EpochRecord
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.material import LesionMaterial
from prunecxr.studies.localization.predict import score_against
from prunecxr.studies.localization.scores import split_scores
from prunecxr.studies.localization.settings import Localizer
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

BOX = ("y0", "x0", "y1", "x1")


@dataclass
class Work:
    """One seed's work.

    Attributes:
        localizer: what the setting trains, and how its networks localize.
        made, found: how many runs were made now, and how many before.
    """

    store: Store
    config: HtlConfig
    material: LesionMaterial
    compute: Compute
    localizer: Localizer
    seed: int
    made: int = 0
    found: int = 0
    _there: dict[str, dict[str, TrackedRun]] = field(default_factory=dict)

    @property
    def checkpoints(self) -> Path:
        return self.config.execution.workdir / "checkpoints"

    def evaluated(self, test_alone: bool = False) -> dict[str, str]:
        """Fingerprints of the splits that networks are evaluated on: all of them, or the test images alone."""
        prints = self.material.fingerprints
        return {name: prints[name] for name in ({"test"} if test_alone else {"test", "train", self.material.pool})}

    def once(
        self,
        kind: str,
        key: str,
        parent: TrackedRun,
        name: str,
        tags: Mapping[str, str],
        make: Callable[[TrackedRun], None],
    ) -> TrackedRun:
        """The finished child run of that key; made if there is none.

        Args:
            make: does the work and logs it; called at most once.
        """
        there = self._finished(kind, parent)
        if key in there:
            self.found += 1
            return there[key]
        config = self.config
        run = runs.find_or_create(
            self.store,
            kind,
            {names.KEY: key, names.STUDY: config.study, names.PARENT: parent.id},
            name=name,
            tags={**self.tags(), **tags},
        )
        with runs.ending(run):
            run.resume()
            make(run)
        self.made += 1
        return run

    def has(self, kind: str, key: str, parent: TrackedRun) -> bool:
        """Whether there is a finished child run of that key."""
        return key in self._finished(kind, parent)

    def tags(self) -> dict[str, str]:
        """Tags of every run of the seed."""
        return {
            names.DATASET: self.material.dataset.name,
            names.ARCHITECTURE: "unet",
            names.SEED: str(self.seed),
            names.SETTING: self.config.mining.setting,
        }

    def _finished(self, kind: str, parent: TrackedRun) -> dict[str, TrackedRun]:
        """The finished runs of a kind below a seed run by key; asked of the store once."""
        if kind not in self._there:
            tags = {names.KIND: kind, names.STUDY: self.config.study, names.PARENT: parent.id}
            found = [runs.wrap(self.store, run) for run in runs.search(self.store, tags, finished=True)]
            self._there[kind] = {run.tags[names.KEY]: run for run in found}
        return self._there[kind]


def scored(work: Work, model: nn.Module, split: str) -> pd.DataFrame:
    """Scores of every image of a split that has masks: id, background, foreground, mean, dice."""
    pixels = work.material.pixels[split]
    assert pixels.masks is not None
    scores = score_against(work.localizer.masks(model, pixels.images, work.compute), pixels.masks)
    scores.insert(0, "id", work.material.table(split)["id"].to_numpy())
    return scores


def boxed(work: Work, model: nn.Module) -> pd.DataFrame:
    """The box that a network puts around the lesion of every image of the pool: id, y0, x0, y1, x1 (pixels)."""
    pool = work.material.pool
    boxes = work.localizer.boxes(model, work.material.pixels[pool].images, work.compute)
    return pd.DataFrame({"id": work.material.table(pool)["id"], **dict(zip(BOX, boxes.T, strict=True))})


def write_tables(run: TrackedRun, tables: Mapping[str, pd.DataFrame]) -> None:
    """Log tables as Parquet or CSV, by the ends of their names."""
    with run.files() as folder:
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


def epoch_logger(run: TrackedRun) -> Callable[[EpochRecord], None]:
    """Log each epoch once, also where a continued training goes through its first epochs again."""
    logged = {metric.step for metric in run.store.client.get_metric_history(run.id, "train_loss")}

    def log(epoch: EpochRecord) -> None:
        if epoch.epoch not in logged:
            run.log(metrics={n: v for n, v in asdict(epoch).items() if n != "epoch"}, step=epoch.epoch)

    return log


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's weights, to return to."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def target_of(work: Work, split: str) -> np.ndarray:
    """What a network learns of a split: its masks, or its diagnoses."""
    if work.localizer.task == "classes":
        return work.material.diagnoses(split)
    masks = work.material.pixels[split].masks
    assert masks is not None
    return masks
