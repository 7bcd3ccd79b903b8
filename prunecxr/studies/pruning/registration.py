"""Registering models: a seed's dense network, a variant at hand, or one rebuilt from its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from prunecxr.compression import oneshot
from prunecxr.compression.context import Context
from prunecxr.compression.masks import apply_masks, nonzero_weights
from prunecxr.compression.methods import Method
from prunecxr.compression.rankings import Masks
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.prunable import prunable_weights
from prunecxr.tracking import names, registry, runs
from prunecxr.tracking.registry import Settings
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


def masks_of(model: nn.Module, method: str, seed: int) -> Callable[[float], Masks]:
    """Sparsity -> masks of a dense network: its weights, method, seed and sparsity determine them bit for bit."""
    return oneshot.masks_of(Method.parse(method), model, Context(model, seed))


def model_name_of(run: TrackedRun) -> str:
    """The registered model that a seed's or variant's model belongs to."""
    return names.model_name(run.tags[names.DATASET], run.tags[names.ARCHITECTURE])


def register_dense(seed_run: TrackedRun, study: str) -> str:
    """Register the network that was logged with a seed run; its URI. A registered one is found."""
    seed = int(seed_run.tags[names.SEED])
    tags = {"seed": str(seed), "sparsity": names.sparsity_text(0), "method": "none", "study": study}
    uri = seed_run.tags[names.MODEL]
    return registry.register(seed_run, uri, model_name_of(seed_run), names.model_alias(seed, "magnitude", 0), tags)


def register_variant(
    run: TrackedRun, model: nn.Module, settings: Settings, effect: Mapping[str, str] | None = None
) -> str:
    """Log the pruned network with its variant run and register it; its link. A registered one is found.

    Args:
        effect: further tags of the version: what the precision in which its weights are kept does to its scores.
    """
    seed, sparsity, method = _of(run)
    mean_ap = run.store.client.get_run(run.id).data.metrics["mean_ap"]
    tags = {
        "seed": str(seed),
        "sparsity": run.tags[names.SPARSITY],
        "method": method,
        "study": run.tags[names.STUDY],
        "mean_ap": f"{mean_ap:.6f}",
        **(effect or {}),
    }
    uri = registry.log_model(run, model, settings, names.sparsity_suffix(sparsity))
    registry.register(run, uri, model_name_of(run), names.model_alias(seed, method, sparsity), tags)
    return link_of(run)


def link_of(run: TrackedRun) -> str:
    """How to load the model registered from a variant run; empty if none is."""
    seed, sparsity, method = _of(run)
    return registry.model_link(run.store, model_name_of(run), names.model_alias(seed, method, sparsity), run.id)


def _of(run: TrackedRun) -> tuple[int, float, str]:
    return int(run.tags[names.SEED]), float(run.tags[names.SPARSITY]), run.tags[names.METHOD]


def link_of_dense(seed_run: TrackedRun) -> str:
    """How to load the dense model of a seed run; it is registered if need be."""
    register_dense(seed_run, seed_run.tags[names.STUDY])
    alias = names.model_alias(int(seed_run.tags[names.SEED]), "magnitude", 0)
    return registry.model_link(seed_run.store, model_name_of(seed_run), alias, seed_run.id)


def rebuild_and_register(store: Store, run_id: str) -> str:
    """Materialise a variant from its seed run's dense weights, check it against what was evaluated, and register it.

    Returns:
        the link of the registered model.
    Raises:
        UserError: no such run, or one that is no finished variant.
        EnvironmentFault: the stored dense weights do not give the variant that was evaluated.
    """
    run = runs.get(store, run_id)
    if run is None:
        raise UserError(f"option run: no run {run_id!r} in {store.uri}; give the id of a variant run")
    kind = run.tags.get(names.KIND, "")
    if kind == "seed" and names.MODEL in run.tags:
        return link_of_dense(run)
    if kind == "seed":
        _check_network(run, run_id)
    if kind != "variant" or not run.finished:
        raise UserError(
            f"option run: {run_id} is no finished variant but a {kind or 'foreign'} run; give a variant's id"
        )
    seed_run = runs.get(store, run.tags[names.PARENT])
    if seed_run is not None:
        _check_network(seed_run, run_id)
    if seed_run is None or names.MODEL not in seed_run.tags:
        raise EnvironmentFault(f"run {run_id}: its seed run {run.tags[names.PARENT]} has no dense model")
    seed, sparsity, method = _of(run)
    if sparsity == 0:
        return link_of_dense(seed_run)
    if link := link_of(run):
        return link
    model = registry.load_network(seed_run.tags[names.MODEL])
    apply_masks(prunable_weights(model), masks_of(model, method, seed)(sparsity))
    nonzero = nonzero_weights(prunable_weights(model))
    evaluated = int(store.client.get_run(run_id).data.metrics[names.NONZERO_WEIGHTS])
    if nonzero != evaluated:
        raise EnvironmentFault(
            f"run {run_id}: the stored dense weights give {nonzero} nonzero weights, but {evaluated} were evaluated"
        )
    return register_variant(run, model, registry.load_settings(store, seed_run.tags[names.MODEL]))


def _check_network(seed_run: TrackedRun, run_id: str) -> None:
    if runs.origin_of(seed_run) == names.IMPORTED:
        raise UserError(f"option run: {run_id} holds imported predictions; there is no network to register")


def register(store: Store, run_id: str) -> None:
    """The command: register a variant and say how to load it."""
    link = rebuild_and_register(store, run_id)
    run = runs.get(store, run_id)
    assert run is not None  # it was there a moment ago
    runs.claim_invocation(store, "register", run.tags[names.STUDY], None, run_id)
    print(f"model: {link}")
    print(f"    import mlflow; model = mlflow.pyfunc.load_model({link!r})")
