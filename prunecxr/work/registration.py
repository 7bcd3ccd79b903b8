"""Registering networks: a seed's dense one, a pruned one at hand, or one rebuilt from its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from prunecxr.compression.context import Context
from prunecxr.compression.masks import nonzero_weights
from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import variants
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.prunable import prunable_weights
from prunecxr.tracking import names, registry, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store

SEEDS, VARIANTS = ("seed", "htl_seed"), ("variant", "htl_pruned")
HEADLINES = ("mean_ap", names.LOCALIZATION_METRICS["foreground"])


def alias_of(run: TrackedRun) -> str:
    """The alias of a run's network: `seed-07`, `seed-07-k90`, `seed-07-random-k90`, `seed-10-semi-htl`."""
    tags = run.tags
    seed = names.seed_run_name(int(tags[names.SEED]))
    setting, approach = tags.get(names.SETTING, ""), tags.get(names.APPROACH, "")
    parts = [names.approach_suffix(setting)] if setting not in ("", "supervised") else []
    if approach:
        parts.append(names.approach_suffix(approach))
    if names.METHOD in tags:
        parts.append(names.variant_suffix(Method.parse(tags[names.METHOD]).slug, float(tags[names.SPARSITY])))
    return "-".join([seed, *(part for part in parts if part)])


def register_network(run: TrackedRun, further: Mapping[str, str] | None = None, uri: str | None = None) -> str:
    """Register the network that was logged with a run; how to load it. A registered one is found, and left as it is.

    Args:
        further: tags of the version, beside those that say what it is.
        uri: of the model that was logged; None: the run's first.
    """
    tags = {
        "seed": run.tags[names.SEED],
        "sparsity": run.tags.get(names.SPARSITY, names.sparsity_text(0)),
        "method": run.tags.get(names.METHOD, "none"),
        "study": run.tags[names.STUDY],
    }
    tags |= {name: run.tags[tag] for name, tag in _FURTHER.items() if tag in run.tags}
    model = registry.model_of(run)
    stored = uri or run.tags[names.MODEL]
    registry.register(run, stored, model, alias_of(run), {**tags, **(further or {})})
    return registry.model_link(run.store, model, alias_of(run), run.id, registry.precision_of(run, stored))


_FURTHER = {"approach": names.APPROACH, "setting": names.SETTING}


def register_variant(run: TrackedRun, model: nn.Module, settings: Any, effect: Mapping[str, str] | None = None) -> str:
    """Log a pruned network with its variant's run and register it; how to load it. A registered one is found.

    Args:
        effect: tags of the version that say what the precision in which its weights are kept does to its scores.
    """
    scores = _headlines(run.metrics())
    uri = registry.log_model(run, model, settings, names.sparsity_suffix(float(run.tags[names.SPARSITY])))
    return register_network(run, {**scores, **(effect or {})}, uri)


def link_of(run: TrackedRun, precision: str | None = None) -> str:
    """How to load the network that was registered from a run; empty if none was.

    Args:
        precision: in which its weights are kept; None: any.
    """
    return registry.model_link(run.store, registry.model_of(run), alias_of(run), run.id, precision)


def note_dense_scores(seed_run: TrackedRun, metrics: Mapping[str, float]) -> None:
    """Tag the dense network's version with what its evaluation came to."""
    registry.tag_version(seed_run, registry.model_of(seed_run), _headlines(metrics))


def _headlines(metrics: Mapping[str, float]) -> dict[str, str]:
    """The metrics by which one tells good networks from bad ones, as tags of a version."""
    return {name.replace("/", "_"): f"{metrics[name]:.6f}" for name in HEADLINES if name in metrics}


def rebuild_and_register(store: Store, run_id: str) -> str:
    """Materialise a variant from its seed run's dense weights, check it against what was evaluated, and register it.

    Returns:
        how to load it.
    Raises:
        UserError: no such run, or one that is no finished variant.
        EnvironmentFault: the stored dense weights do not give the variant that was evaluated.
    """
    run = runs.get(store, run_id)
    if run is None:
        raise UserError(f"option run: no run {run_id!r} in {store}; give the id of a variant run")
    kind = run.tags.get(names.KIND, "")
    if kind in SEEDS:
        _check_network(run, run_id)
    if names.MODEL in run.tags and kind not in VARIANTS:
        return register_network(run)
    if kind not in VARIANTS or not run.finished:
        raise UserError(
            f"option run: {run_id} is no finished variant but a {kind or 'foreign'} run; give a variant's id"
        )
    seed_run = runs.get(store, run.tags[names.PARENT])
    if seed_run is not None:
        _check_network(seed_run, run_id)
    if seed_run is None or names.MODEL not in seed_run.tags:
        raise EnvironmentFault(f"run {run_id}: its seed run {run.tags[names.PARENT]} has no dense model")
    if float(run.tags[names.SPARSITY]) == 0:
        return register_network(seed_run)
    if link := link_of(run):
        return link
    network = _rebuilt(run, seed_run)
    settings = registry.load_settings(store, seed_run.tags[names.MODEL])
    return register_variant(run, network, replace(settings, precision="fp32"))


def _rebuilt(run: TrackedRun, seed_run: TrackedRun) -> nn.Module:
    network = registry.load_network(seed_run.tags[names.MODEL])
    method, level = Method.parse(run.tags[names.METHOD]), float(run.tags[names.SPARSITY])
    context = Context(network, int(run.tags[names.SEED]))
    (variant,) = variants(method, network, [level], context)
    nonzero, evaluated = nonzero_weights(prunable_weights(variant.network)), run.metrics()[names.NONZERO_WEIGHTS]
    if nonzero != int(evaluated):
        raise EnvironmentFault(
            f"run {run.id}: the stored dense weights give {nonzero} nonzero weights, but {int(evaluated)} were"
            " evaluated"
        )
    return variant.network


def _check_network(seed_run: TrackedRun, run_id: str) -> None:
    if runs.origin_of(seed_run) == names.IMPORTED:
        raise UserError(f"option run: {run_id} holds imported predictions; there is no network to register")
