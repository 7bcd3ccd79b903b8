"""The further networks of one seed: fine-tuned on HTLs, or as one of the arms that these are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.scores import iou_per_image
from prunecxr.evaluation.regions.thresholds import ONE_HALF, best_threshold, move_threshold
from prunecxr.learning.loop import EpochRecord, Learning, Session, run_epochs
from prunecxr.learning.seeds import derive_seed
from prunecxr.options.recipe import flatten
from prunecxr.studies.localization.arms import ARMS, Pool
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.losses import focal
from prunecxr.studies.localization.settings import recipe_of
from prunecxr.studies.localization.task import LocalizationTask, test_metrics, write_tables
from prunecxr.studies.localization.training import Examples
from prunecxr.studies.localization.variants import HTL, PLAIN
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
        keys: approach -> key.
        dense: the plain network, which all but the focal one start from; it is left as it is.
        partner: loads another seed's plain network, for the arm that needs one.
    """

    task: LocalizationTask
    children: Children
    keys: dict[str, str]
    dense: nn.Module
    partner: Callable[[], nn.Module]

    @property
    def seed(self) -> int:
        return int(self.children.parent.tags[names.SEED])

    def plain(self) -> TrackedRun:
        """Baseline 1: the plain network, evaluated like the others."""
        return self._do(PLAIN, lambda run: self._log_scores(run, self._copy()))

    def focal(self) -> TrackedRun:
        """Baseline 3: trained from the start like the plain network, with the focal loss."""
        task, options = self.task, self.task.config.training
        loss = focal(options.focal_gamma)

        def make(run: TrackedRun) -> None:
            model = place(task.build(self.seed), task.compute)
            learning = task.localizer.learning(
                task.examples("train"), task.examples("val"), options, task.compute, loss
            )
            session: Session[Any] = Session(self.seed, desc=f"seed {self.seed}: focal loss")
            self._train(run, model, learning, options, session)
            self._log_scores(run, model)

        return self._do("focal", make)

    def arm(self, approach: str, mined: pd.DataFrame) -> TrackedRun:
        """The plain network, fine-tuned on the images of an arm for as many steps as on the HTLs.

        Args:
            mined: table of the pool, with the columns htl and iou_dense.
        """
        task, htl = self.task, np.flatnonzero(mined["htl"].to_numpy())
        draw = ARMS[approach].draw
        assert draw is not None  # those without are trained from the start
        pool = Pool(
            table=task.material.table(task.material.pool),
            htl=htl,
            dense=lambda: mined["iou_dense"].to_numpy(float),
            disagreement=self._disagreement,
            repeats=task.config.finetuning.htl_repeats,
            rng=np.random.default_rng(derive_seed(self.seed, "baseline", approach)),
        )
        return self.finetune(approach, lambda: draw(pool), len(htl))

    def finetune(self, approach: str, images: Callable[[], np.ndarray], per_epoch: int) -> TrackedRun:
        """The plain network, fine-tuned on some images of the pool (algorithms 1 to 3, line 5 to 7) and evaluated.

        Args:
            approach: what chooses the images.
            images: gives their rows of the pool.
            per_epoch: how many of them an epoch shows.
        """
        task = self.task

        def make(run: TrackedRun) -> None:
            model, index = self._copy(), images()
            options, examples = finetuning_options(task), self._pool
            weighted = task.config.finetuning.class_weighted
            loss = task.localizer.class_weighted(examples.targets, task.compute) if weighted else None
            val = task.examples("val")
            learning = task.localizer.learning(examples, val, options, task.compute, loss, index, per_epoch)
            draws = derive_seed(self.seed, "fine-tuning")  # the same for every approach
            session: Session[Any] = Session(draws, desc=f"seed {self.seed}: fine-tuning ({approach})")
            self._train(run, model, learning, options, session)
            ids = task.material.table(task.material.pool)["id"].iloc[np.sort(index)]
            self._log_scores(run, model, pd.DataFrame({"id": ids}))
            run.log(metrics={"finetuning_images": float(len(np.unique(index)))})
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
        return Examples(images, np.concatenate(list(task.localizer.masks(self._evaluator(self.dense), images))))

    def _disagreement(self) -> np.ndarray:
        """1 - foreground IoU of what this seed's plain network and its partner's mark, of every image of the pool."""
        images = self.task.material.pixels[self.task.material.pool].images
        ours, theirs = (
            self.task.localizer.masks(self._evaluator(model), images) for model in (self.dense, self.partner())
        )
        agreement = [iou_per_image(one, other)[:, 1] for one, other in zip(ours, theirs, strict=True)]
        return 1 - np.concatenate(agreement)

    def _copy(self) -> nn.Module:
        """The plain network, to be changed."""
        model = place(self.task.build(self.seed), self.task.compute)
        model.load_state_dict(state_of(self.dense))
        return model

    def _evaluator(self, model: nn.Module) -> Evaluator:
        return Evaluator(model, self.task.compute, self.task.execution.engine)

    def _do(self, approach: str, make: Any) -> TrackedRun:
        tags = {**self.task.tags(), names.SEED: str(self.seed), names.APPROACH: approach}
        name = f"{names.seed_run_name(self.seed)}-{names.approach_suffix(approach)}"
        return self.children.do(self.keys[approach], name, tags, make)

    def _train(
        self, run: TrackedRun, model: nn.Module, learning: Learning[Any], options: HtlTrainingOptions,
        session: Session[Any],
    ) -> None:  # fmt: skip
        checkpoint = self.task.checkpoint(run.tags[names.KEY])
        watched: Session[Any] = Session(session.seed, checkpoint, epoch_logger(run), session.desc)
        epochs = run_epochs(model, learning, recipe_of(options), self.task.compute, watched)
        run.log(metrics=_cost(epochs, len(learning.batches)))

    def _log_scores(self, run: TrackedRun, model: nn.Module, images: pd.DataFrame | None = None) -> None:
        """The threshold of a trained network, its scores on the test images, and its options; its checkpoint goes.

        Args:
            model: is left with the threshold in its bias.
            images: that it was fine-tuned on.
        """
        task = self.task
        if task.choice.threshold == "validation":
            val = task.examples("val")
            threshold = best_threshold(self._evaluator(model), val.images, val.targets)
            move_threshold(model, threshold)
        else:
            threshold = ONE_HALF
        scores = task.scored(self._evaluator(model), "test")
        with run.files() as folder:
            write_tables(folder, {names.TEST_SCORES: scores, **({} if images is None else {"images.csv": images})})
        run.log(metrics={**test_metrics(scores), "threshold": threshold})
        idle = task.config.idle()
        options = flatten(task.config.finetuning).items()
        finetuning = {f"cfg/{name}": text for name, text in options if name not in idle}
        run.log_new_params({"cfg/seed": str(self.seed), **finetuning})
        task.checkpoint(run.tags[names.KEY]).unlink(missing_ok=True)


def _cost(epochs: Sequence[EpochRecord], steps: int) -> dict[str, float]:
    """What a training took: steps of one batch, and seconds with the validation after each epoch."""
    return {"train_steps": float(steps * len(epochs)), "train_seconds": sum(epoch.seconds for epoch in epochs)}


def finetuning_options(task: LocalizationTask) -> HtlTrainingOptions:
    """The training options with what fine-tuning changes."""
    finetuning = task.config.finetuning
    changes = {
        "epochs": finetuning.finetune_epochs,
        "learning_rate": finetuning.finetune_learning_rate,
        "milestones": finetuning.finetune_milestones,
    }
    return task.config.training.model_copy(update=changes)
