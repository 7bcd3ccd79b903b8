"""Training one seed of a study, whatever it learns: found, or trained, logged and registered."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import torch
from torch import nn

from prunecxr import __version__
from prunecxr.compression.magnitudes import magnitude_histogram, share_below
from prunecxr.hardware import Compute
from prunecxr.learning.loop import EpochRecord, Session
from prunecxr.networks.prunable import prunable_weights
from prunecxr.tracking import names, registry
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.once import Once, Step, has_network
from prunecxr.work.registration import register_network
from prunecxr.work.task import Task, place


@dataclass
class Trained:
    """A seed's run, and its network where it was trained just now: what follows need not load it again."""

    run: TrackedRun
    network: nn.Module | None = None


def train_seed(
    once: Once, task: Task, study_run: str, seed: int, *, adopt: bool = False, again: bool = False
) -> Trained:
    """Train and register one seed's network, or find it trained.

    Args:
        study_run: id of the parent run.
        adopt: whether the run that `mlflow run` made becomes the seed run.
        again: whether a training that diverged before is tried again.
    Raises:
        Diverged: the training came to numbers that are not finite.
    """
    trained: list[nn.Module] = []
    key = task.seed_key(seed)
    step = Step(
        kind=task.seed_kind,
        identity={names.KEY: key, names.STUDY: task.study},
        name=names.seed_run_name(seed),
        make=lambda run: trained.append(_train(task, run, seed)),
        parent=study_run,
        tags={**task.tags(), names.TRAINING: task.training_key(), names.SEED: str(seed)},
        is_done=has_network,
        adopt=adopt,
        again=again,
    )
    run = once.do(step)
    register_network(run)
    task.checkpoint(key).unlink(missing_ok=True)
    return Trained(run, trained[0] if trained else None)


def _train(task: Task, run: TrackedRun, seed: int) -> nn.Module:
    log_circumstances(task, run, seed)
    model = place(task.build(seed), task.compute)
    checkpoint = task.checkpoint(run.tags[names.KEY])
    epochs = task.fit(model, Session(seed, checkpoint, epoch_logger(run), f"seed {seed}: training"))
    log_network(task, run, model, epochs)
    return model


def log_network(task: Task, run: TrackedRun, model: nn.Module, epochs: Sequence[EpochRecord] = ()) -> None:
    """Log a seed's dense network, how large its weights are, and what its training came to."""
    histogram = magnitude_histogram(prunable_weights(model))
    with run.files() as folder:
        (folder / names.WEIGHT_HISTOGRAM).parent.mkdir()
        histogram.to_csv(folder / names.WEIGHT_HISTOGRAM, index=False)
    metrics = {names.SHARE_BELOW: share_below(histogram)}
    if epochs:
        seconds = sum(epoch.seconds for epoch in epochs)
        metrics |= {"best_epoch": task.best_epoch(epochs).epoch, "train_seconds": seconds}
    run.log(metrics=metrics)
    registry.log_model(run, model, task.settings(), "dense")


def epoch_logger(run: TrackedRun) -> Callable[[EpochRecord], None]:
    """Log each epoch once, also where a continued training goes through its first epochs again."""
    logged = {step for step, _ in run.history("train_loss")}

    def log(epoch: EpochRecord) -> None:
        if epoch.epoch not in logged:
            values = {name: value for name, value in asdict(epoch).items() if name != "epoch"}
            run.log(metrics=values, step=epoch.epoch)

    return log


def log_circumstances(task: Task, run: TrackedRun, seed: int) -> None:
    """Params, data sets and environment of a seed run."""
    about = task.circumstances()
    run.log_new_params({**about.params, "cfg/seed": str(seed), **used(task.compute)})
    for dataset in about.datasets:
        run.log_dataset(*dataset)
    with run.files() as folder:
        about.write(folder)
        (folder / names.ENVIRONMENT).write_text(environment(about.packages, task.compute), encoding="utf-8")


def used(compute: Compute) -> dict[str, str]:
    """Params that say what a network was computed with."""
    return {
        "used/device": str(compute.device),
        "used/precision": compute.precision,
        "used/threads": str(torch.get_num_threads()),
    }


def environment(packages: Sequence[str], compute: Compute) -> str:
    """The versions of everything that bears on a result, one per line."""
    lines = [f"prunecxr {__version__}", f"python {platform.python_version()}", platform.platform()]
    lines += [f"{name} {version(name)}" for name in packages]
    if compute.device.type == "cuda":
        lines.append(torch.cuda.get_device_name(compute.device))
    return "\n".join(lines) + "\n"
