"""Training the networks of one seed: the plain U-Net (baseline 1), with the focal loss (3), and fine-tuning."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from prunecxr import __version__
from prunecxr.learning.seeds import derive_seed
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.studies.localization import keys
from prunecxr.studies.localization.config import HtlTrainingOptions
from prunecxr.studies.localization.sampling import by_class, by_share, random_images
from prunecxr.studies.localization.work import (
    Work,
    epoch_logger,
    scored,
    state_of,
    target_of,
    test_metrics,
    write_tables,
)
from prunecxr.studies.pruning.population import PACKAGES, place, working_on
from prunecxr.tracking import mask_flavor, names, registry, runs
from prunecxr.tracking.mask_flavor import MaskSettings
from prunecxr.tracking.runs import TrackedRun

HTL = "htl"
FEWEST = 2  # images to fine-tune on: batch norm has no statistics of one


def train_plain(work: Work, study_run: str) -> TrackedRun:
    """The seed's run with its plain network, trained and registered, or found."""
    config, material = work.config, work.material
    prints = {name: material.fingerprints[name] for name in ("train", "val")}
    training = keys.training_key(prints, work.localizer.task, config.training, work.compute.precision)
    key = keys.seed_key(training, work.seed)
    with working_on(config, key):
        run = runs.find_or_create(
            work.store,
            "htl_seed",
            {names.KEY: key, names.STUDY: config.study},
            name=names.seed_run_name(work.seed),
            parent=study_run,
            tags={**work.tags(), names.TRAINING: training},
        )
        checkpoint = work.checkpoints / f"{key}.pt"
        if names.MODEL in run.tags:
            register_network(run, config.study, "plain")
            work.found += 1
            if not run.finished:  # killed between its last two steps
                run.finish()
        else:
            with runs.ending(run):
                run.resume()
                _log_circumstances(work, run)
                model = place(work.localizer.build(config.training, work.seed), work.compute)
                work.localizer.fit(
                    model,
                    material.pixels["train"].images,
                    target_of(work, "train"),
                    (material.pixels["val"].images, target_of(work, "val")),
                    config.training,
                    work.compute,
                    seed=work.seed,
                    checkpoint=checkpoint,
                    on_epoch=epoch_logger(run),
                    desc=f"seed {work.seed}: training",
                )
                registry.log_model(run, model, settings_of(work), "plain", mask_flavor)
                register_network(run, config.study, "plain")
            work.made += 1
        checkpoint.unlink(missing_ok=True)
    return run


def train_focal(work: Work, seed_run: TrackedRun) -> TrackedRun:
    """Baseline 3: trained from the start like the plain network, with the focal loss."""
    config, setting = work.config, work.config.mining.setting
    key = keys.focal_key(
        seed_run.tags[names.KEY], work.evaluated(test_alone=True), setting, config.training.focal_gamma
    )

    def make(run: TrackedRun) -> None:
        checkpoint = work.checkpoints / f"{key}.pt"
        model = place(work.localizer.build(config.training, work.seed), work.compute)
        work.localizer.fit(
            model,
            work.material.pixels["train"].images,
            target_of(work, "train"),
            (work.material.pixels["val"].images, target_of(work, "val")),
            config.training,
            work.compute,
            seed=work.seed,
            focal_loss=True,
            checkpoint=checkpoint,
            on_epoch=epoch_logger(run),
            desc=f"seed {work.seed}: focal loss",
        )
        _log_scores(work, run, model, {})
        checkpoint.unlink(missing_ok=True)

    return _network(work, seed_run, key, "focal", make)


def finetune(
    work: Work,
    seed_run: TrackedRun,
    mining: TrackedRun,
    approach: str,
    chosen: np.ndarray,
    dense: nn.Module,
    pseudo: np.ndarray | None,
) -> TrackedRun:
    """The plain network, fine-tuned on some images of the pool (algorithms 1 to 3, line 5 to 7) and evaluated.

    Args:
        approach: what chose the images.
        chosen: indices into the pool.
        dense: the plain network; it is left as it is.
        pseudo: what stands in for the masks of the pool (semi-supervised), shape (n, size, size); else None.
    """
    config = work.config
    key = keys.network_key(mining.tags[names.KEY], approach, config.finetuning)

    def make(run: TrackedRun) -> None:
        checkpoint = work.checkpoints / f"{key}.pt"
        model = place(work.localizer.build(config.training, work.seed), work.compute)
        model.load_state_dict(state_of(dense))
        work.localizer.fit(
            model,
            work.material.pixels[work.material.pool].images,
            target_of(work, work.material.pool) if pseudo is None else pseudo,
            (work.material.pixels["val"].images, target_of(work, "val")),
            finetuning_options(work),
            work.compute,
            seed=derive_seed(work.seed, "fine-tuning"),  # the same draws for every approach
            index=chosen,
            class_weighted=config.finetuning.class_weighted,
            checkpoint=checkpoint,
            on_epoch=epoch_logger(run),
            desc=f"seed {work.seed}: fine-tuning ({approach})",
        )
        ids = work.material.table(work.material.pool)["id"].iloc[np.sort(chosen)]
        _log_scores(work, run, model, {"images.csv": pd.DataFrame({"id": ids})}, n_images=len(chosen))
        if approach == HTL:
            registry.log_model(run, model, settings_of(work), "htl", mask_flavor)
            register_network(run, config.study, HTL)
        checkpoint.unlink(missing_ok=True)

    return _network(work, seed_run, key, approach, make)


def baseline_images(work: Work, count: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Baselines 4, 5, 6: as many images of the pool as there are HTLs, drawn otherwise.

    Returns:
        approach -> rows of the pool, and why a baseline cannot be drawn: nothing to draw by is known.
    """
    table = work.material.table(work.material.pool)
    drawn, skipped = {}, []
    for approach, column, unknown in (("random", None, ""), ("class", "diagnosis", ""), ("sex", "sex", "unknown")):
        if approach not in work.config.finetuning.baselines:
            continue
        rng = np.random.default_rng(derive_seed(work.seed, "baseline", approach))
        if column is None:
            drawn[approach] = random_images(len(table), count, rng)
        elif (table[column] == unknown).all():
            skipped.append(f"Seed {work.seed}: no baseline of images by {approach}, the {column} of no image is known.")
        else:
            draw = by_class if approach == "class" else by_share
            drawn[approach] = draw(table[column].tolist(), count, rng)
    return drawn, skipped


def finetuning_options(work: Work) -> HtlTrainingOptions:
    """The training options with what fine-tuning changes."""
    chosen = work.config.finetuning
    changes = {
        "epochs": chosen.finetune_epochs,
        "learning_rate": chosen.finetune_learning_rate,
        "milestones": chosen.finetune_milestones,
    }
    return work.config.training.model_copy(update=changes)


def settings_of(work: Work) -> MaskSettings:
    """What a registered network must know to predict as it was evaluated."""
    config = work.config
    return MaskSettings(
        setting=config.mining.setting,
        classes=work.material.classes,
        image_size=config.data.image_size,
        channels_last=config.execution.channels_last,
        batch_size=config.execution.eval_batch_size,
    )


def register_network(run: TrackedRun, study: str, approach: str) -> str:
    """Register the network that was logged with a run; how to load it. A registered one is found."""
    seed = int(run.tags[names.SEED])
    name = names.model_name(run.tags[names.DATASET], run.tags[names.ARCHITECTURE])
    setting = run.tags[names.SETTING]
    suffixes = ("" if setting == "supervised" else setting, "" if approach == "plain" else approach)
    alias = "-".join([names.seed_run_name(seed), *(names.approach_suffix(text) for text in suffixes if text)])
    tags = {"seed": str(seed), "approach": approach, "study": study, "setting": setting}
    registry.register(run, run.tags[names.MODEL], name, alias, tags)
    return registry.model_link(run.store, name, alias, run.id)


def _network(work: Work, seed_run: TrackedRun, key: str, approach: str, make) -> TrackedRun:  # type: ignore[no-untyped-def]
    name = f"{names.seed_run_name(work.seed)}-{names.approach_suffix(approach)}"
    return work.once("htl_network", key, seed_run, name, {names.APPROACH: approach}, make)


def _log_scores(
    work: Work, run: TrackedRun, model: nn.Module, tables: dict[str, pd.DataFrame], n_images: int | None = None
) -> None:
    """Scores of a trained network on the test images, its options, and further tables."""
    scores = scored(work, model, "test")
    write_tables(run, {names.TEST_SCORES: scores, **tables})
    counted = {} if n_images is None else {"finetuning_images": float(n_images)}
    run.log(metrics={**test_metrics(scores), **counted})
    idle = work.config.idle()
    options = {f"cfg/{n}": text for n, text in flatten(work.config.finetuning).items() if n not in idle}
    run.log_new_params({"cfg/seed": str(work.seed), **options})


def _log_circumstances(work: Work, run: TrackedRun) -> None:
    """Params, data sets and environment of a training."""
    config, material = work.config, work.material
    params = {f"cfg/{name}": text for name, text in flatten(config).items() if name != "seeds"}
    used = {
        "cfg/seed": str(work.seed),
        "used/device": str(work.compute.device),
        "used/precision": work.compute.precision,
        "used/threads": str(torch.get_num_threads()),
    }
    run.log_new_params({**params, **used, **{f"fingerprint/{n}": v for n, v in material.fingerprints.items()}})
    for split, pixels in material.pixels.items():
        source = {"dataset": config.data.dataset, "images": str(config.data.images or "")}
        profile = {"images": len(pixels), "masks": pixels.masks is not None}
        context = {"train": "training", "val": "validation", "test": "testing"}.get(split, split)
        run.log_dataset(f"{material.dataset.name}-{split}", material.fingerprints[split], context, source, profile)
    with run.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
        lines = [f"prunecxr {__version__}", f"python {platform.python_version()}", platform.platform()]
        lines += [f"{name} {version(name)}" for name in (*PACKAGES, "monai", "scikit-image")]
        (folder / names.ENVIRONMENT).write_text("\n".join(lines) + "\n", encoding="utf-8")
        for split in {"test", "train", material.pool}:
            path = folder / names.lesion_table(split)
            path.parent.mkdir(exist_ok=True)
            material.table(split).to_parquet(path, index=False)
        _write_warnings(folder / names.LESION_WARNINGS, material.dataset.warnings)


def _write_warnings(path: Path, warnings: tuple[str, ...]) -> None:
    path.write_text("\n".join(warnings), encoding="utf-8")
