"""One seed: data -> training -> compression -> evaluation -> tracking. Train it, sweep it, register it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import nn

from prunecxr import __version__
from prunecxr.compression.magnitudes import magnitude_histogram, share_below
from prunecxr.compression.masks import apply_masks
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import recipe_of, sizes_of
from prunecxr.errors import UserError
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.metrics import class_scores
from prunecxr.evaluation.predict import probabilities
from prunecxr.hardware import Compute, resolve_device, resolve_precision
from prunecxr.learning.classification import Epoch, Images, fit, monitored
from prunecxr.networks.families import build_model, build_skeleton, check_architecture, weights_identity
from prunecxr.networks.prunable import prunable_weights
from prunecxr.options.recipe import flatten, to_recipe
from prunecxr.options.sections import Executed
from prunecxr.progress import progress
from prunecxr.studies.pruning import keys
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.material import Evaluable, Material
from prunecxr.studies.pruning.registration import (
    link_of,
    masks_of,
    model_name_of,
    register_dense,
    register_variant,
)
from prunecxr.studies.pruning.rounding import rounding_effect
from prunecxr.tracking import names, registry, runs, variants
from prunecxr.tracking.registry import Settings
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

PACKAGES = ("torch", "torchvision", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "pillow")


@dataclass(frozen=True)
class Sweep:
    """What pruning one seed came to.

    Attributes:
        added, found: how many variants were evaluated now, and how many before.
        models: URIs of the registered models, by sparsity.
    """

    added: int
    found: int
    models: dict[float, str]


def check_names(config: Config) -> None:
    """Raise a UserError for an unknown architecture, weight set, criterion or scope, before any work is done."""
    check_architecture(config.training.architecture)
    check_image_size(config)
    weights_identity(config.training.architecture, config.training.weights)
    Method.parse(config.compression.method)


def check_image_size(config: Config) -> None:
    """Raise a UserError if the architecture cannot take images of this size; tried without computing anything."""
    name, size = config.training.architecture, config.data.image_size
    try:
        with torch.device("meta"), torch.no_grad():
            build_skeleton(name, 2).eval()(torch.zeros(2, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"option image_size: {name} cannot take images of {size} pixels ({first})") from None


def check_same_training_data(seed_run: TrackedRun, material: Material) -> None:
    """Raise a UserError if a seed was trained on other data: patients of the test split may be among those."""
    logged = seed_run.store.client.get_run(seed_run.id).data.params
    for split in ("train", "val"):
        if logged.get(fingerprint_param(split)) != material.fingerprints[split]:
            raise UserError(
                f"options of the data: the {split} split is not the one that seed run {seed_run.id} was trained with; "
                "leave the data options out, or train on the new data"
            )


def fingerprint_param(split: str) -> str:
    return f"fingerprint/{split}"


def compute_of(config: Executed) -> Compute:
    """Device and precision, asked of the hardware where the options say `auto`."""
    chosen = config.execution
    device = resolve_device(chosen.device)
    return Compute(device, resolve_precision(chosen.precision, device), chosen.channels_last, chosen.eval_batch_size)


def training_key(config: Config, material: Material, compute: Compute) -> str:
    weights = weights_identity(config.training.architecture, config.training.weights)
    prints = material.fingerprints
    return keys.training_key(prints["train"], prints["val"], config.training, weights, compute.precision)


def population_key(config: Config, material: Material, compute: Compute) -> str:
    """Key of the population that this configuration trains and evaluates."""
    return keys.population_key(
        training_key(config, material, compute), material.fingerprints["test"], compute.precision
    )


@contextmanager
def working_on(config: Executed, key: str) -> Iterator[None]:
    """One process of this machine at a time works on one key; the others wait, then find the work done."""
    folder = config.execution.workdir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{key}.lock"):
        yield


def train_seed(
    store: Store, config: Config, material: Material, study_run: str, seed: int, *, adopt: bool = False
) -> tuple[TrackedRun, bool]:
    """Train and register one seed's network, or find it trained.

    Args:
        study_run: id of the parent run.
        adopt: whether the run that `mlflow run` made becomes the seed run.
    Returns:
        the seed run, and whether it was trained now.
    """
    compute = compute_of(config)
    training = training_key(config, material, compute)
    key = keys.seed_key(training, seed)
    architecture = config.training.architecture
    if len(material.dataset.train.table) < 2:
        raise UserError("option labels: the train table has a single image; a network needs two at the least")
    with working_on(config, key):
        run = runs.find_or_create(
            store,
            "seed",
            {names.KEY: key, names.STUDY: config.study},
            name=names.seed_run_name(seed),
            parent=study_run,
            tags={
                names.TRAINING: training,
                names.DATASET: material.dataset.name,
                names.ARCHITECTURE: architecture,
                names.SEED: str(seed),
            },
            adopt=adopt,
        )
        checkpoint = config.execution.workdir / "checkpoints" / f"{key}.pt"
        if names.MODEL in run.tags:
            register_dense(run, config.study)
            checkpoint.unlink(missing_ok=True)
            if not run.finished:  # killed between its last two steps
                run.finish()
            return run, False
        with runs.ending(run):
            run.resume()
            log_circumstances(run, config, material, compute, seed)
            model = build_model(architecture, len(material.dataset.classes), config.training.weights, seed)
            model = place(model, compute)
            history = fit(
                model,
                images_of(material, "train"),
                images_of(material, "val"),
                config.training,
                compute,
                seed=seed,
                checkpoint=checkpoint,
                on_epoch=epoch_logger(run),
                desc=f"seed {seed}: training",
            )
            best = max(history, key=lambda epoch: monitored(epoch, config.training.monitor))
            run.log(metrics={"best_epoch": best.epoch, "train_seconds": sum(epoch.seconds for epoch in history)})
            log_magnitudes(run, model)
            registry.log_model(run, model, settings_of(config, material), "dense")
            register_dense(run, config.study)
            checkpoint.unlink(missing_ok=True)
    return run, True


def sweep_seed(store: Store, config: Config, material: Evaluable, seed_run: TrackedRun) -> Sweep:
    """Prune the network of a seed run to every sparsity asked for, evaluate and log what is not there yet."""
    compute = compute_of(config)
    wanted = config.compression.sparsities
    registered = {k for k in config.compression.register_sparsities if k in wanted and k > 0}
    with working_on(config, f"{seed_run.tags[names.KEY]}-sweep"):
        tags = {k: _variant_tags(config, material, compute, seed_run, k) for k in wanted}
        found = variants.find_variants(store, config.study, seed_run.id)
        there = {k: found.get((tags[k][names.KEY], seed_run.id)) for k in wanted}
        done = {k: run for k, run in there.items() if run and run.finished}
        models = {k: link for k in registered & set(done) if (link := link_of(done[k]))}
        todo = [k for k in wanted if k not in done or k in registered - set(models)]
        if not todo:
            variants.log_curves(seed_run, config.compression.method)
            return Sweep(0, len(done), models)
        _log_test_split(seed_run, material)
        model = place(registry.load_network(seed_run.tags[names.MODEL]), compute)
        settings = registry.load_settings(store, seed_run.tags[names.MODEL])
        _check_fit(settings, config, material)
        masks_at = masks_of(model, config.compression.method, int(seed_run.tags[names.SEED]))
        weights, images = prunable_weights(model), images_of(material, "test")
        evaluator = Evaluator(model, compute, config.execution.engine)
        precision = config.compression.register_precision
        desc = f"{seed_run.tags[names.RUN_NAME]}: pruning"
        # Scores of a variant are computed and logged beside the forward passes of the next.
        with progress(len(todo) * len(images.pixels), desc, "img") as bar, ThreadPoolExecutor(max_workers=1) as beside:
            pending: list[Future[TrackedRun]] = []
            for k in todo:  # rising: masks are nested, so the network is pruned further and further
                bar.set_postfix_str(f"sparsity {k:g}")
                apply_masks(weights, masks_at(k))
                if k in done:
                    bar.update(len(images.pixels))
                else:
                    predicted = _predict(evaluator, images, k, bar.update)
                    for logged in pending:
                        logged.result()  # an error ends the sweep here
                    args = (seed_run, material, predicted, sizes_of(weights), tags[k], there[k])
                    pending = [beside.submit(_log_variant, *args)]
                if k in registered:
                    run = done[k] if k in done else pending[-1].result()
                    effect = None
                    if precision != "fp32":
                        effect = rounding_effect(run, evaluator, images, settings.classes, precision)
                    models[k] = register_variant(run, model, replace(settings, precision=precision), effect)
            for logged in pending:
                logged.result()
        variants.log_curves(seed_run, config.compression.method)
    return Sweep(len([k for k in todo if k not in done]), len(done), models)


def _check_fit(settings: Settings, config: Config, material: Evaluable) -> None:
    """Raise a UserError if the test images are not what the network was trained on."""
    if settings.classes != material.dataset.classes:
        differing = sorted(set(settings.classes) ^ set(material.dataset.classes))
        what = f"{', '.join(differing[:5])} in one of them alone" if differing else "another order"
        raise UserError(f"option labels: the classes are not those the network was trained on ({what})")
    if (settings.image_size, settings.interpolation) != (config.data.image_size, config.data.interpolation):
        trained = f"image_size={settings.image_size}, interpolation={settings.interpolation}"
        raise UserError(f"option image_size: the network was trained with {trained}; evaluate it with the same")


def _variant_tags(
    config: Config, material: Evaluable, compute: Compute, seed_run: TrackedRun, sparsity: float
) -> dict[str, str]:
    test = material.fingerprints["test"]
    population = keys.population_key(seed_run.tags[names.TRAINING], test, compute.precision)
    seed, method = int(seed_run.tags[names.SEED]), config.compression.method
    return {
        names.KEY: keys.variant_key(population, seed, method, sparsity),
        names.POPULATION: population,
        names.TEST_SPLIT: test[:16],
        names.DATASET: seed_run.tags[names.DATASET],
        names.ARCHITECTURE: seed_run.tags[names.ARCHITECTURE],
        names.SEED: str(seed),
        names.METHOD: method,
        names.SPARSITY: names.sparsity_text(sparsity),
    }


def _predict(evaluator: Evaluator, images: Images, sparsity: float, advance: Callable[[int], Any]) -> np.ndarray:
    """Probabilities of the test images, shape (n, n_classes), float32."""
    logits = evaluator.logits(images.pixels, advance)
    if not torch.isfinite(logits).all():
        raise UserError(f"the network's outputs are not finite at sparsity {sparsity:g}: it cannot be evaluated")
    return probabilities(logits)


def _log_variant(
    seed_run: TrackedRun,
    material: Evaluable,
    predicted: np.ndarray,
    sizes: dict[str, float],
    tags: dict[str, str],
    unfinished: TrackedRun | None,
) -> TrackedRun:
    """Score a pruned network's predictions and log them as a child of its seed run.

    Args:
        predicted: probabilities of the test images, shape (n, n_classes).
        sizes: metrics of the pruned weights.
        unfinished: what a kill left of the variant's run.
    """
    dataset, classes = material.dataset, material.dataset.classes
    seed, method, sparsity = int(tags[names.SEED]), tags[names.METHOD], float(tags[names.SPARSITY])
    scores = class_scores(dataset.test.table.labels, predicted, classes)
    metrics = variants.score_metrics(scores) | sizes
    if sparsity == 0:
        mean_ap = metrics[names.MEAN_METRICS["ap"]]
        registry.tag_version(seed_run, model_name_of(seed_run), {"mean_ap": f"{mean_ap:.6f}"})
    write = partial(
        variants.write_variant,
        ids=dataset.test.table.ids,
        classes=classes,
        predicted=predicted,
        scores=scores,
        recipe=_variant_recipe(seed_run, seed, method, sparsity),
    )
    return variants.log_variant(seed_run, unfinished, tags, metrics, write)


def _variant_recipe(seed_run: TrackedRun, seed: int, method: str, sparsity: float) -> dict[str, Any]:
    """What rebuilds the variant's weights, bit for bit, from those of its seed run."""
    origin = {"seed_run": seed_run.id, "dense_model": seed_run.tags[names.MODEL]}
    return origin | recipe_of(Method.parse(method), seed, sparsity)


def place(model: nn.Module, compute: Compute) -> nn.Module:
    """The network on the device, in the memory layout asked for."""
    layout = torch.channels_last if compute.channels_last else torch.contiguous_format
    return model.to(compute.device).to(memory_format=layout)


def settings_of(config: Config, material: Evaluable) -> Settings:
    """What a registered model must know to predict as it was evaluated."""
    return Settings(
        architecture=config.training.architecture,
        classes=material.dataset.classes,
        image_size=config.data.image_size,
        interpolation=config.data.interpolation,
        channels_last=config.execution.channels_last,
        batch_size=config.execution.eval_batch_size,
    )


def log_magnitudes(run: TrackedRun, model: nn.Module) -> None:
    """Log how large the prunable weights of a dense model are."""
    histogram = magnitude_histogram(prunable_weights(model))
    with run.files() as folder:
        (folder / names.WEIGHT_HISTOGRAM).parent.mkdir()
        histogram.to_csv(folder / names.WEIGHT_HISTOGRAM, index=False)
    run.log(metrics={names.SHARE_BELOW: share_below(histogram)})


def images_of(material: Evaluable, split: str) -> Images:
    return Images(material.cached[split].pixels, getattr(material.dataset, split).table.labels)


def epoch_logger(run: TrackedRun) -> Callable[[Epoch], None]:
    """Log each epoch once, also where a continued training goes through its first epochs again."""
    logged = {metric.step for metric in run.store.client.get_metric_history(run.id, "train_loss")}

    def log(epoch: Epoch) -> None:
        if epoch.epoch not in logged:
            values = {name: value for name, value in asdict(epoch).items() if name != "epoch"}
            run.log(metrics=values, step=epoch.epoch)

    return log


def log_circumstances(
    run: TrackedRun,
    config: Config,
    material: Evaluable,
    compute: Compute,
    seed: int,
    without: Collection[str] = ("seeds",),
) -> None:
    """Params, data sets and environment of a seed run; `without` some options that do not bear on it."""
    params = {f"cfg/{name}": text for name, text in flatten(config).items() if name not in without}
    prints = {fingerprint_param(split): value for split, value in material.fingerprints.items()}
    run.log_new_params(
        {
            **params,
            **prints,
            "cfg/seed": str(seed),
            "used/device": str(compute.device),
            "used/precision": compute.precision,
            "used/threads": str(torch.get_num_threads()),
        }
    )
    for split in material.fingerprints:
        table = getattr(material.dataset, split).table
        source = {"dataset": config.data.dataset, "images": str(config.data.images or ""), "labels": config.data.labels}
        profile = {"images": len(table), "patients": len(set(table.subjects)), "positives": table.counts()}
        context = {"train": "training", "val": "validation", "test": "testing"}[split]
        run.log_dataset(f"{material.dataset.name}-{split}", material.fingerprints[split], context, source, profile)
    with run.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(config), encoding="utf-8")
        lines = [f"prunecxr {__version__}", f"python {platform.python_version()}", platform.platform()]
        lines += [f"{name} {version(name)}" for name in PACKAGES]
        if compute.device.type == "cuda":
            lines.append(torch.cuda.get_device_name(compute.device))
        (folder / names.ENVIRONMENT).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _log_test_split(seed_run: TrackedRun, material: Evaluable) -> None:
    """What the analysis must know of the data: test labels, class counts, warnings; once a test split."""
    split = material.fingerprints["test"][:16]
    if seed_run.tags.get(names.TEST_SPLIT) == split:
        return
    table = material.dataset.test.table
    with seed_run.files() as folder:
        for artifact in (names.test_labels(split), names.class_counts(split), names.data_warnings(split)):
            (folder / artifact).parent.mkdir(parents=True, exist_ok=True)
        runs.write_labels(folder / names.test_labels(split), table.ids, table.subjects, table.classes, table.labels)
        material.counts().to_csv(folder / names.class_counts(split), index=False)
        warnings = "\n".join(material.dataset.warnings)
        (folder / names.data_warnings(split)).write_text(warnings, encoding="utf-8")
    seed_run.log(tags={names.TEST_SPLIT: split})
