"""Pruning one seed's network by every method to every level that is asked for, whatever its task: found, or made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import torch
from torch import nn

from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import Variant, variants
from prunecxr.evaluation.engines import Evaluator
from prunecxr.progress import progress
from prunecxr.tracking import names, registry
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.variants import has_curves, log_curves, log_variant
from prunecxr.work.once import Children, Once
from prunecxr.work.registration import link_of, note_dense_scores, register_variant
from prunecxr.work.task import Task, place
from prunecxr.work.training import Trained

Plan = Mapping[Method, Sequence[float]]  # levels of each method, rising


@dataclass
class Sweep:
    """What pruning one seed came to.

    Attributes:
        runs: of every variant, by its method and level.
        added: how many of them were evaluated now.
        models: how to load the registered networks, by level.
    """

    runs: dict[tuple[Method, float], TrackedRun] = field(default_factory=dict)
    added: int = 0
    models: dict[float, str] = field(default_factory=dict)


def sweep_seed(once: Once, task: Task, trained: Trained, plan: Plan) -> Sweep:
    """Prune the network of a seed run as planned; evaluate and log what is not there yet.

    Args:
        trained: its network, if it is at hand, is left as it was.
    """
    seed_run, kind = trained.run, task.variant_kind
    sweep, todo = _look(once.children(seed_run, kind), task, seed_run, plan)
    if any(todo.values()) or not all(has_curves(seed_run, str(method), kind) for method in plan):
        with once.claimed(seed_run, "sweep", f"{seed_run.tags[names.RUN_NAME]}, pruning"):
            children = once.children(seed_run, kind)  # another process may have held the claim until now
            sweep, todo = _look(children, task, seed_run, plan)
            if any(todo.values()):
                _make(task, trained, children, sweep, todo)
            for method in plan:
                log_curves(seed_run, str(method), kind)
    once.found[kind] += len(sweep.runs) - sweep.added
    return sweep


def _look(children: Children, task: Task, seed_run: TrackedRun, plan: Plan) -> tuple[Sweep, dict[Method, list[float]]]:
    """What is there, and what is left to be evaluated or registered."""
    sweep = Sweep()
    todo: dict[Method, list[float]] = {}
    for method, levels in plan.items():
        for level in levels:
            run = children.done(*task.variant_keys(seed_run, method, level))
            if run is not None:
                sweep.runs[method, level] = run
            link = link_of(run, task.register_precision()) if run is not None and task.registers(method, level) else ""
            if link:
                sweep.models[level] = link
            if run is None or (task.registers(method, level) and not link):
                todo.setdefault(method, []).append(level)
    return sweep, todo


def _make(task: Task, trained: Trained, children: Children, sweep: Sweep, todo: dict[Method, list[float]]) -> None:
    """Evaluate, log and register what is left; scores are computed and logged beside the next forward passes."""
    seed_run = trained.run
    task.check_network(seed_run)
    task.log_evaluated_data(seed_run)
    network = trained.network
    if network is None:
        network = place(registry.load_network(seed_run.tags[names.MODEL]), task.compute)
    network.eval()
    dense = state_of(network)
    evaluator = Evaluator(network, task.compute, task.execution.engine)
    n_images = sum(task.n_evaluated(method, level) for method, levels in todo.items() for level in levels)
    try:
        with progress(n_images, f"{seed_run.tags[names.RUN_NAME]}: pruning", "img") as bar, _Logger() as logger:
            for method, levels in todo.items():
                network.load_state_dict(dense)
                for variant in variants(method, network, levels, task.context(network, _seed_of(seed_run))):
                    bar.set_postfix_str(f"{method}, {variant.level:g}")
                    if variant.network is not evaluator.model:
                        evaluator = Evaluator(variant.network, task.compute, task.execution.engine)
                    there = sweep.runs.get((method, variant.level))
                    if there is not None:  # it is only to be registered
                        bar.update(task.n_evaluated(method, variant.level))
                    else:
                        predicted = task.predict(evaluator, method, variant.level, bar.update)
                        logger.submit(_log, task, seed_run, children, sweep, (method, variant), predicted)
                    if task.registers(method, variant.level):
                        logger.wait()
                        run = sweep.runs[method, variant.level]
                        sweep.models[variant.level] = _register(task, run, evaluator)
    finally:
        network.load_state_dict(dense)


def _log(
    task: Task,
    seed_run: TrackedRun,
    children: Children,
    sweep: Sweep,
    planned: tuple[Method, Variant],
    predicted: Any,
) -> None:
    """Score a variant's predictions and log them as a child of its seed run."""
    method, variant = planned
    scored = task.score(predicted, variant)
    tags = task.variant_tags(seed_run, method, variant.level)
    metrics = {**scored.metrics, **variant.sizes}
    unfinished = children.unfinished(tags[names.KEY])
    run = log_variant(seed_run, task.variant_kind, unfinished, tags, metrics, scored.write)
    if variant.level == 0:
        note_dense_scores(seed_run, metrics)
    sweep.runs[method, variant.level] = children.add(run)
    sweep.added += 1


def _register(task: Task, run: TrackedRun, evaluator: Evaluator) -> str:
    precision = task.register_precision()
    effect = task.rounding(run, evaluator) if precision != "fp32" else {}
    return register_variant(run, evaluator.model, replace(task.settings(), precision=precision), effect)


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's weights, to return to."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _seed_of(seed_run: TrackedRun) -> int:
    return int(seed_run.tags[names.SEED])


class _Logger:
    """A thread that logs one variant while the next is evaluated; an error of one ends the sweep."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> _Logger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            self._pool.shutdown()

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Let the thread do this once what it was given before is done."""
        self.wait()
        self._pending = self._pool.submit(work, *arguments)

    def wait(self) -> None:
        """Return when all is done."""
        if self._pending is not None:
            self._pending.result()
