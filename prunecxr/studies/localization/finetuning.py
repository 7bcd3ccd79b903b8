"""The further networks of one seed: fine-tuned on HTLs or on images drawn otherwise, and with the focal loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.evaluation.engines import Evaluator
from prunecxr.learning.loop import Learning, Session, run_epochs
from prunecxr.learning.optimizers import Recipe
from prunecxr.learning.seeds import derive_seed
from prunecxr.options.recipe import flatten
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.losses import focal
from prunecxr.studies.localization.sampling import DRAWN_BY, by_class, by_share, drawable, random_images
from prunecxr.studies.localization.settings import recipe_of
from prunecxr.studies.localization.task import LocalizationTask, test_metrics, write_tables
from prunecxr.studies.localization.training import Examples
from prunecxr.studies.localization.variants import HTL
from prunecxr.tracking import names, registry
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.once import Children
from prunecxr.work.registration import register_network
from prunecxr.work.sweep import state_of
from prunecxr.work.task import place
from prunecxr.work.training import epoch_logger


@dataclass(frozen=True)
class Further:
    """The further networks of one seed.

    Attributes:
        children: runs of kind `htl_network` below the seed's.
        dense: the plain network, which all but the focal one start from; it is left as it is.
    """

    task: LocalizationTask
    children: Children
    dense: nn.Module

    @property
    def seed(self) -> int:
        return int(self.children.parent.tags[names.SEED])

    @cached_property
    def keys(self) -> dict[str, str]:
        """Approach -> key."""
        return self.task.choice.network_keys(self.children.parent.tags[names.KEY])

    def focal(self) -> TrackedRun:
        """Baseline 3: trained from the start like the plain network, with the focal loss."""
        task, options = self.task, self.task.config.training
        loss = focal(options.focal_gamma)

        def make(run: TrackedRun) -> None:
            model = place(task.build(self.seed), task.compute)
            learning = task.localizer.learning(
                task.examples("train"), task.examples("val"), options, task.compute, loss
            )
            self._train(
                run, model, learning, recipe_of(options), Session(self.seed, desc=f"seed {self.seed}: focal loss")
            )
            self._log_scores(run, model, {})

        return self._do("focal", make)

    def finetune(self, approach: str, index: np.ndarray) -> TrackedRun:
        """The plain network, fine-tuned on some images of the pool (algorithms 1 to 3, line 5 to 7) and evaluated.

        Args:
            approach: what chose the images.
            index: rows of the pool.
        """
        task = self.task

        def make(run: TrackedRun) -> None:
            model = place(task.build(self.seed), task.compute)
            model.load_state_dict(state_of(self.dense))
            options, examples = finetuning_options(task), self._pool
            weighted = task.config.finetuning.class_weighted
            loss = task.localizer.class_weighted(examples.targets, task.compute) if weighted else None
            learning = task.localizer.learning(examples, task.examples("val"), options, task.compute, loss, index)
            draws = derive_seed(self.seed, "fine-tuning")  # the same for every approach
            session: Session[Any] = Session(draws, desc=f"seed {self.seed}: fine-tuning ({approach})")
            self._train(run, model, learning, recipe_of(options), session)
            ids = task.material.table(task.material.pool)["id"].iloc[np.sort(index)]
            self._log_scores(run, model, {"images.csv": pd.DataFrame({"id": ids})})
            run.log(metrics={"finetuning_images": float(len(index))})
            if approach == HTL:
                registry.log_model(run, model, task.settings(), HTL)

        run = self._do(approach, make)
        if approach == HTL:
            register_network(run)
        return run

    @cached_property
    def _pool(self) -> Examples:
        """The images that are fine-tuned on, with what stands in for the masks of those that have none: the plain
        network's (algorithm 2, line 3)."""
        task, pool = self.task, self.task.material.pool
        if task.localizer.task != "masks" or pool == "train":
            return task.examples(pool)
        images = task.material.pixels[pool].images
        evaluator = Evaluator(self.dense, task.compute, task.execution.engine)
        return Examples(images, np.concatenate(list(task.localizer.masks(evaluator, images))))

    def _do(self, approach: str, make: Any) -> TrackedRun:
        tags = {**self.task.tags(), names.SEED: str(self.seed), names.APPROACH: approach}
        name = f"{names.seed_run_name(self.seed)}-{names.approach_suffix(approach)}"
        return self.children.do(self.keys[approach], name, tags, make)

    def _train(
        self, run: TrackedRun, model: nn.Module, learning: Learning[Any], recipe: Recipe, session: Session[Any]
    ) -> None:
        checkpoint = self.task.checkpoint(run.tags[names.KEY])
        watched: Session[Any] = Session(session.seed, checkpoint, epoch_logger(run), session.desc)
        run_epochs(model, learning, recipe, self.task.compute, watched)

    def _log_scores(self, run: TrackedRun, model: nn.Module, tables: Mapping[str, pd.DataFrame]) -> None:
        """Scores of a trained network on the test images, its options, and further tables; its checkpoint goes."""
        scores = self.task.scored(Evaluator(model, self.task.compute, self.task.execution.engine), "test")
        with run.files() as folder:
            write_tables(folder, {names.TEST_SCORES: scores, **tables})
        run.log(metrics=test_metrics(scores))
        idle = self.task.config.idle()
        options = flatten(self.task.config.finetuning).items()
        finetuning = {f"cfg/{name}": text for name, text in options if name not in idle}
        run.log_new_params({"cfg/seed": str(self.seed), **finetuning})
        self.task.checkpoint(run.tags[names.KEY]).unlink(missing_ok=True)


def baseline_images(task: LocalizationTask, seed: int, count: int) -> dict[str, np.ndarray]:
    """Baselines 4, 5, 6: as many images of the pool as there are HTLs, drawn otherwise: approach -> rows of the pool.

    One that nothing is known to draw by is left out.
    """
    table = task.material.table(task.material.pool)
    drawn = {}
    for approach in drawable(table, task.config.finetuning.baselines):
        column, _ = DRAWN_BY[approach]
        rng = np.random.default_rng(derive_seed(seed, "baseline", approach))
        if approach == "random":
            drawn[approach] = random_images(len(table), count, rng)
        else:
            draw = by_class if approach == "class" else by_share
            drawn[approach] = draw(table[column].tolist(), count, rng)
    return drawn


def finetuning_options(task: LocalizationTask) -> HtlTrainingOptions:
    """The training options with what fine-tuning changes."""
    finetuning = task.config.finetuning
    changes = {
        "epochs": finetuning.finetune_epochs,
        "learning_rate": finetuning.finetune_learning_rate,
        "milestones": finetuning.finetune_milestones,
    }
    return task.config.training.model_copy(update=changes)
