"""What a kind of study adds to the work that all of them share: training seeds, pruning them, registering networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prunecxr.compression.context import Context
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import Variant
from prunecxr.evaluation.engines import Evaluator
from prunecxr.hardware import Compute, resolve_device, resolve_precision
from prunecxr.learning.loop import EpochRecord, Session
from prunecxr.options.sections import ExecutionOptions
from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun


@dataclass(frozen=True)
class Circumstances:
    """What a seed's run says of how its network came about.

    Attributes:
        params: every option and fingerprint, by the name of its param.
        datasets: what was read: name, fingerprint, context, source, profile, as `TrackedRun.log_dataset` takes them.
        write: puts further artifacts (recipe, tables of the data) into a folder.
        packages: those whose versions bear on the result.
    """

    params: Mapping[str, str]
    datasets: Sequence[tuple[str, str, str, Mapping[str, Any], Mapping[str, Any]]]
    write: Callable[[Path], object]
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """What the predictions of a variant came to: its metrics, and what writes its artifacts into a folder."""

    metrics: Mapping[str, float]
    write: Callable[[Path], object]


class Task(ABC):
    """A study's options and data, made ready, and what is done with them: one object per study.

    Attributes:
        seed_kind, variant_kind: kinds of the runs of a seed and of a pruned network.
        study, dataset, architecture: names, as in tags.
        prints: content fingerprint of every split that was made ready.
        execution: where things are computed.
        compute: the same, asked of the hardware.
    """

    seed_kind: str
    variant_kind: str

    def __init__(
        self, study: str, dataset: str, architecture: str, prints: Mapping[str, str], execution: ExecutionOptions
    ) -> None:
        self.study, self.dataset, self.architecture, self.prints = study, dataset, architecture, prints
        self.execution, self.compute = execution, compute_of(execution)

    def tags(self) -> dict[str, str]:
        """Tags of every run of a seed."""
        return {names.DATASET: self.dataset, names.ARCHITECTURE: self.architecture}

    def checkpoint(self, key: str) -> Path:
        """Where a training of that key keeps its checkpoint."""
        return self.execution.workdir / "checkpoints" / f"{key}.pt"

    # Training

    @abstractmethod
    def training_key(self) -> str:
        """What the networks of all seeds share."""

    @abstractmethod
    def seed_key(self, seed: int) -> str:
        """One network."""

    @abstractmethod
    def build(self, seed: int) -> nn.Module:
        """The untrained network, as a seed starts it."""

    @abstractmethod
    def fit(self, model: nn.Module, session: Session[Any]) -> Sequence[EpochRecord]:
        """Train a network in place; its epochs."""

    def best_epoch(self, epochs: Sequence[EpochRecord]) -> EpochRecord:
        """The epoch whose weights a training keeps."""
        return epochs[-1]

    @abstractmethod
    def circumstances(self) -> Circumstances:
        """What a seed's run says of how its network came about."""

    @abstractmethod
    def settings(self) -> Any:
        """What a registered network must know to predict as it was evaluated; see `prunecxr.tracking.flavor`."""

    # Pruning and evaluation

    @abstractmethod
    def variant_keys(self, seed_run: TrackedRun, method: Method, level: float) -> tuple[str, ...]:
        """Keys under which a variant may be known, the one under which it is made last."""

    def variant_tags(self, seed_run: TrackedRun, method: Method, level: float) -> dict[str, str]:
        """Tags of a variant's run."""
        return {
            **self.tags(),
            names.KEY: self.variant_keys(seed_run, method, level)[-1],
            names.SEED: seed_run.tags[names.SEED],
            names.METHOD: str(method),
            names.SPARSITY: names.sparsity_text(level),
        }

    def context(self, network: nn.Module, seed: int) -> Context:
        """What a criterion may know of a dense network."""
        return Context(network, seed)

    def check_network(self, seed_run: TrackedRun) -> None:  # noqa: B027 (most tasks have nothing to check)
        """Raise a UserError if the network of a seed run cannot be evaluated on the data that were made ready."""

    def log_evaluated_data(self, seed_run: TrackedRun) -> None:  # noqa: B027 (most log it with the training)
        """Log with the seed run what an analysis must know of the data that its variants are evaluated on."""

    @abstractmethod
    def n_evaluated(self, method: Method, level: float) -> int:
        """Images on which a variant is evaluated, for the progress bar."""

    @abstractmethod
    def predict(self, evaluator: Evaluator, method: Method, level: float, advance: Callable[[int], object]) -> Any:
        """What the evaluator's network says of the images, for `score`.

        Args:
            advance: is told how many images have been evaluated.
        """

    @abstractmethod
    def score(self, predicted: Any, variant: Variant) -> Scored:
        """Scores and artifacts of a variant. A thread calls it beside the forward passes of the next variant."""

    def registers(self, method: Method, level: float) -> bool:  # noqa: ARG002
        """Whether a variant's network is registered as soon as it is evaluated."""
        return False

    def register_precision(self) -> str:
        """In which precision the weights of registered variants are kept."""
        return "fp32"

    def rounding(self, run: TrackedRun, evaluator: Evaluator) -> Mapping[str, str]:  # noqa: ARG002
        """Tags for a network that is registered in fewer bits: what that does to its scores."""
        return {}


def compute_of(execution: ExecutionOptions) -> Compute:
    """Device and precision, asked of the hardware where the options say `auto`."""
    device = resolve_device(execution.device)
    precision = resolve_precision(execution.precision, device)
    return Compute(device, precision, execution.channels_last, execution.eval_batch_size)


def place(model: nn.Module, compute: Compute) -> nn.Module:
    """The network on the device, in the memory layout asked for."""
    layout = torch.channels_last if compute.channels_last else torch.contiguous_format
    return model.to(compute.device).to(memory_format=layout)
