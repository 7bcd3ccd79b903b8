"""One seed of a localization study: train, prune, mine, fine-tune, evaluate. What is there is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.compression.methods import Method
from prunecxr.evaluation.regions.scores import floor_scores
from prunecxr.studies.localization.arms import Known, possible
from prunecxr.studies.localization.finetuning import Further
from prunecxr.studies.localization.htls import mine_htls
from prunecxr.studies.localization.sampling import FEWEST
from prunecxr.studies.localization.task import LocalizationTask, write_tables
from prunecxr.studies.localization.variants import DISAGREEMENT, HTL, PLAIN
from prunecxr.tracking import names, registry, runs
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.once import Children, Once, has_network
from prunecxr.work.sweep import Sweep, sweep_seed
from prunecxr.work.task import place
from prunecxr.work.training import Trained

MINING, NETWORK = "htl_mining", "htl_network"


def study_seed(once: Once, task: LocalizationTask, trained: Trained) -> TrackedRun:
    """All of a trained seed's further work, in order; the same call continues after a kill at any moment."""
    attend(once, task, trained, prune(once, task, trained))
    return trained.run


def prune(once: Once, task: LocalizationTask, trained: Trained) -> Sweep:
    """Every pruned network that the study asks for, evaluated."""
    plan = {Method.parse(method): levels for method, levels in task.choice.levels().items() if levels}
    note_floors(task, trained.run)
    return sweep_seed(once, task, trained, plan)


def note_floors(task: LocalizationTask, seed_run: TrackedRun) -> None:
    """Log what a mask that marks nothing scores on the images, where a seed's run does not say so yet."""
    noted = seed_run.metrics()
    for split, pixels in task.material.pixels.items():
        name = f"lesion_area/{split}"
        if split in ("train", "test") and pixels.masks is not None and name not in noted:
            floor = floor_scores(pixels.masks)
            floor.insert(0, "id", task.material.table(split)["id"].to_numpy())
            with seed_run.files() as folder:
                write_tables(folder, {names.lesion_floor(split): floor})
            seed_run.log(metrics={name: float(floor["area"].mean())})


def attend(once: Once, task: LocalizationTask, trained: Trained, sweep: Sweep) -> None:
    """Find the HTLs of a seed, fine-tune on them and, for comparison, on images chosen otherwise."""
    seed_run = trained.run
    seed, partner = int(seed_run.tags[names.SEED]), _partner(task, seed_run)
    keys = task.choice.network_keys(
        seed_run.tags[names.KEY], task.choice.partner_key(task.training_key(), seed) if partner else ""
    )
    mining, further = once.children(seed_run, MINING), once.children(seed_run, NETWORK)
    if _is_complete(task, mining, further, keys):
        return
    with once.claimed(seed_run, "htl", f"{seed_run.tags[names.RUN_NAME]}, hard-to-learn images"):
        mining, further = once.children(seed_run, MINING), once.children(seed_run, NETWORK)
        dense = trained.network or _network(task, seed_run)
        networks = Further(task, further, keys, dense, lambda: _network(task, partner or seed_run))
        for approach, make in ((PLAIN, networks.plain), ("focal", networks.focal)):
            if approach in keys:
                make()
        for method in task.choice.mining_methods():
            _, table = mine_htls(task, mining, sweep, method, dense)
            htl = np.flatnonzero(table["htl"].to_numpy())
            for approach in _approaches(task, method, table, keys):
                if approach.startswith(HTL):
                    networks.finetune(approach, lambda htl=htl: htl, len(htl))  # type: ignore[misc]
                else:
                    networks.arm(approach, table)


def _network(task: LocalizationTask, seed_run: TrackedRun) -> nn.Module:
    return place(registry.load_network(seed_run.tags[names.MODEL]), task.compute)


def _partner(task: LocalizationTask, seed_run: TrackedRun) -> TrackedRun | None:
    """The run of the other seed whose plain network an arm needs; None if it is not trained, or not asked for."""
    partner = task.choice.partner(int(seed_run.tags[names.SEED]))
    if partner is None or DISAGREEMENT not in task.config.finetuning.baselines:
        return None
    found = runs.find(
        seed_run.store, task.seed_kind, {names.KEY: task.seed_key(partner), names.STUDY: seed_run.tags[names.STUDY]}
    )
    return found if found is not None and has_network(found) else None


def _is_complete(task: LocalizationTask, mining: Children, further: Children, keys: dict[str, str]) -> bool:
    """Whether all of it is there: then the plain network need not be loaded. What is there is counted."""
    key = mining.parent.tags[names.KEY]
    wanted = {"focal", PLAIN} & set(keys)
    mined = [mining.done(task.choice.mining_key(key, method)) for method in task.choice.mining_methods()]
    for method, run in zip(task.choice.mining_methods(), mined, strict=True):
        if run is None:
            return False
        wanted |= set(_approaches(task, method, read_table(run, names.HTLS), keys))
    made = [further.done(keys[approach]) for approach in wanted]
    if not all(made):
        return False
    for children, there in ((mining, mined), (further, made)):
        for run in there:
            assert run is not None  # all of them are there
            children.count(run)
    return True


def _approaches(task: LocalizationTask, method: str, table: pd.DataFrame, keys: dict[str, str]) -> list[str]:
    """What is fine-tuned on: a method's HTLs and, beside the study's own, the images of every arm that is possible.

    Args:
        table: of the pool, with the column htl.
        keys: of the networks that the options ask for.
    Returns:
        names of approaches; none where there are too few HTLs.
    """
    if table["htl"].sum() < FEWEST:
        return []
    if method != task.config.mining.method:
        return [f"{HTL}:{method}"]
    config = task.config
    known = Known(task.material.table(task.material.pool), config.mining.setting == "supervised", len(config.seeds))
    return [HTL, *(arm for arm in possible(known, config.finetuning.baselines) if arm in keys)]
