"""One seed of a localization study: train, prune, mine, fine-tune, evaluate. What is there is found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.compression.methods import Method
from prunecxr.studies.localization.finetuning import Further, baseline_images
from prunecxr.studies.localization.htls import mine_htls
from prunecxr.studies.localization.sampling import FEWEST
from prunecxr.studies.localization.task import LocalizationTask
from prunecxr.studies.localization.variants import HTL
from prunecxr.tracking import names, registry
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.once import Children, Once
from prunecxr.work.sweep import Sweep, sweep_seed
from prunecxr.work.task import place
from prunecxr.work.training import Trained, train_seed

MINING, NETWORK = "htl_mining", "htl_network"


def study_seed(once: Once, task: LocalizationTask, study_run: str, seed: int) -> TrackedRun:
    """All of one seed's work, in order; the same call continues after a kill at any moment."""
    trained = train_seed(once, task, study_run, seed)
    attend(once, task, trained, prune(once, task, trained))
    return trained.run


def prune(once: Once, task: LocalizationTask, trained: Trained) -> Sweep:
    """Every pruned network that the study asks for, evaluated."""
    plan = {Method.parse(method): levels for method, levels in task.choice.levels().items() if levels}
    return sweep_seed(once, task, trained, plan)


def attend(once: Once, task: LocalizationTask, trained: Trained, sweep: Sweep) -> None:
    """Find the HTLs of a seed, fine-tune on them and, for comparison, on images chosen otherwise."""
    seed_run = trained.run
    mining, further = once.children(seed_run, MINING), once.children(seed_run, NETWORK)
    if _is_complete(task, mining, further):
        return
    with once.claimed(seed_run, "htl", f"{seed_run.tags[names.RUN_NAME]}, hard-to-learn images"):
        mining, further = once.children(seed_run, MINING), once.children(seed_run, NETWORK)
        dense = trained.network or place(registry.load_network(seed_run.tags[names.MODEL]), task.compute)
        networks = Further(task, further, dense)
        if "focal" in task.config.finetuning.baselines:
            networks.focal()
        for method in task.choice.mining_methods():
            _, table = mine_htls(task, mining, sweep, method, dense)
            for approach, index in _approaches(task, int(seed_run.tags[names.SEED]), method, table).items():
                networks.finetune(approach, index)


def _is_complete(task: LocalizationTask, mining: Children, further: Children) -> bool:
    """Whether all of it is there: then the plain network need not be loaded. What is there is counted."""
    key, seed = mining.parent.tags[names.KEY], int(mining.parent.tags[names.SEED])
    wanted = {"focal"} & set(task.config.finetuning.baselines)
    mined = [mining.done(task.choice.mining_key(key, method)) for method in task.choice.mining_methods()]
    for method, run in zip(task.choice.mining_methods(), mined, strict=True):
        if run is None:
            return False
        wanted |= set(_approaches(task, seed, method, read_table(run, names.HTLS)))
    keys = task.choice.network_keys(key)
    made = [further.done(keys[approach]) for approach in wanted]
    if not all(made):
        return False
    for children, runs in ((mining, mined), (further, made)):
        for run in runs:
            assert run is not None  # all of them are there
            children.count(run)
    return True


def _approaches(task: LocalizationTask, seed: int, method: str, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """What is fine-tuned on, by approach: a method's HTLs and, beside the study's own, as many images drawn otherwise.

    Args:
        table: of the pool, with the column htl.
    Returns:
        approach -> rows of the pool; nothing where there are too few HTLs.
    """
    index = np.flatnonzero(table["htl"].to_numpy())
    if len(index) < FEWEST:
        return {}
    if method != task.config.mining.method:
        return {f"{HTL}:{method}": index}
    return {HTL: index, **baseline_images(task, seed, len(index))}
