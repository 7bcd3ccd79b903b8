"""One seed of a localization study: train, prune, mine, fine-tune, evaluate. What is there is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.studies.localization.fitting import FEWEST, HTL, baseline_images, finetune, train_focal, train_plain
from prunecxr.studies.localization.pruned import mine_htls, mining_methods, sweep
from prunecxr.studies.localization.results import SeedRuns
from prunecxr.studies.localization.work import Work
from prunecxr.studies.pruning.population import place, working_on
from prunecxr.tracking import names, registry
from prunecxr.tracking.runs import TrackedRun


def study_seed(work: Work, study_run: str) -> SeedRuns:
    """All of one seed's work, in order; the same call continues after a kill at any moment."""
    config = work.config
    seed_run = train_plain(work, study_run)
    with working_on(config, f"{seed_run.tags[names.KEY]}-htl"):
        networks = {"focal": train_focal(work, seed_run)} if "focal" in config.finetuning.baselines else {}
        dense = place(registry.load_network(seed_run.tags[names.MODEL]), work.compute)
        pruned = sweep(work, seed_run, dense)
        mining, skipped = {}, []
        pseudo = _pseudo_labels(work, dense)
        for method in mining_methods(work):
            mining[method], table = mine_htls(work, seed_run, pruned, method, dense)
            made, why = _attend(work, seed_run, mining[method], method, table, dense, pseudo)
            networks |= made
            skipped += why
    return SeedRuns(work.seed, seed_run, pruned, mining, networks, tuple(skipped))


def _attend(
    work: Work,
    seed_run: TrackedRun,
    mining: TrackedRun,
    method: str,
    table: pd.DataFrame,
    dense: nn.Module,
    pseudo: np.ndarray | None,
) -> tuple[dict[str, TrackedRun], list[str]]:
    """Fine-tune on a method's HTLs and, for the study's own method, on as many images chosen otherwise.

    Returns:
        approach -> run, and why there is none.
    """
    index, own = np.flatnonzero(table["htl"].to_numpy()), method == work.config.mining.method
    if len(index) < FEWEST:
        by = "" if own else f" by pruning method {method}"
        return {}, [
            f"Seed {work.seed}: {len(index)} of {len(table)} images are HTLs{by}, too few to fine-tune on; a lower tau"
            " finds more."
        ]
    drawn, skipped = baseline_images(work, len(index)) if own else ({}, [])
    approaches = {HTL if own else f"{HTL}:{method}": index, **drawn}
    return {
        name: finetune(work, seed_run, mining, name, chosen, dense, pseudo) for name, chosen in approaches.items()
    }, skipped


def _pseudo_labels(work: Work, dense: nn.Module) -> np.ndarray | None:
    """What stands in for the masks of the pool where it has none: those of the plain network (algorithm 2, line 3)."""
    if work.localizer.task != "masks" or work.material.pool == "train":
        return None
    images = work.material.pixels[work.material.pool].images
    return np.concatenate(list(work.localizer.masks(dense, images, work.compute)))
