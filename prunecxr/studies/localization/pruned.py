"""Pruning the plain network of one seed, evaluating what is left of it, and finding its hard-to-learn images (HTLs)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.compression.masks import apply_masks, nonzero_weights
from prunecxr.networks.prunable import prunable_weights
from prunecxr.progress import progress
from prunecxr.studies.localization import keys
from prunecxr.studies.localization.boxes import box_iou
from prunecxr.studies.localization.gallery import tile
from prunecxr.studies.localization.mining import Mined, mine, mine_boxes
from prunecxr.studies.localization.results import read_table
from prunecxr.studies.localization.work import BOX, Work, boxed, scored, state_of, test_metrics, write_tables
from prunecxr.studies.pruning.registration import masks_of
from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun

SHOWN = 12  # HTLs in the gallery
DENSE = "magnitude"  # method of the variant at 0, which is the plain network itself
Variant = tuple[str, float]


def wanted_variants(work: Work) -> list[Variant]:
    """Methods and pruned shares of a study; the dense network first, then by method with rising shares."""
    mining, analysis = work.config.mining, work.config.analysis
    shares = {(mining.method, k) for k in (*analysis.effect_fractions, mining.prune_fraction)}
    shares |= {(method, k) for method in analysis.ablation_methods for k in analysis.ablation_fractions}
    if analysis.ablation_finetuning:
        shares |= {(method, mining.prune_fraction) for method in analysis.ablation_methods}
    methods = list(dict.fromkeys([mining.method, *analysis.ablation_methods]))
    pruned = [(method, k) for method in methods for k in sorted({k for name, k in shares if name == method and k > 0})]
    return [(DENSE, 0.0), *pruned]


def mining_methods(work: Work) -> list[str]:
    """The pruning methods whose HTLs are fine-tuned on: the study's, and those that it is compared with."""
    others = work.config.analysis.ablation_methods if work.config.analysis.ablation_finetuning else ()
    return list(dict.fromkeys([work.config.mining.method, *others]))


def sweep(work: Work, seed_run: TrackedRun, dense: nn.Module) -> dict[Variant, TrackedRun]:
    """Every pruned network of the seed, evaluated; `dense` is left as it was."""
    wanted, weights = wanted_variants(work), state_of(dense)
    done: dict[Variant, TrackedRun] = {}
    with progress(len(wanted), f"seed {work.seed}: pruning", "network") as bar:
        for method, fraction in wanted:
            key = variant_key(work, seed_run, method, fraction)
            tags = {names.METHOD: method, names.SPARSITY: names.sparsity_text(fraction)}
            name = names.variant_run_name(work.seed, method, fraction)
            make = partial(_evaluate, work, dense, weights, method, fraction)
            done[method, fraction] = work.once("htl_pruned", key, seed_run, name, tags, make)
            bar.update(1)
    dense.load_state_dict(weights)
    return done


def variant_key(work: Work, seed_run: TrackedRun, method: str, fraction: float) -> str:
    """Key of a variant: of one that is evaluated on the test images alone, unless there is one that knows more."""
    seed, setting = seed_run.tags[names.KEY], work.config.mining.setting
    whole = keys.pruned_key(seed, work.evaluated(), setting, method, fraction)
    if _looked_into(work, method, fraction) or work.has("htl_pruned", whole, seed_run):
        return whole
    return keys.pruned_key(seed, work.evaluated(test_alone=True), setting, method, fraction)


def _looked_into(work: Work, method: str, fraction: float) -> bool:
    """Whether a variant is evaluated on the images to be mined and those of table 1, not on the test images alone."""
    mining, analysis = work.config.mining, work.config.analysis
    if fraction in (0.0, mining.prune_fraction):
        return fraction == 0 or method in mining_methods(work)
    return method == mining.method and fraction in analysis.effect_fractions


def prune(dense: nn.Module, method: str, fraction: float, seed: int) -> None:
    """Zero the weights of a dense network in place."""
    if fraction:
        apply_masks(prunable_weights(dense), masks_of(dense, method, seed)(fraction))


def _evaluate(
    work: Work,
    model: nn.Module,
    weights: dict,
    method: str,
    fraction: float,
    run: TrackedRun,
) -> None:
    model.load_state_dict(weights)
    prune(model, method, fraction, work.seed)
    scores = scored(work, model, "test")
    tables = {names.TEST_SCORES: scores}
    if _looked_into(work, method, fraction):
        if work.material.pixels["train"].masks is not None:
            tables[names.POOL_SCORES] = scored(work, model, "train")
        if work.config.mining.setting != "supervised":
            tables[names.BOXES] = boxed(work, model)
    write_tables(run, tables)
    parts = prunable_weights(model)
    nonzero, total = nonzero_weights(parts), sum(weight.numel() for weight in parts.values())
    run.log(
        metrics={**test_metrics(scores), names.REALISED_SPARSITY: 1 - nonzero / total, names.NONZERO_WEIGHTS: nonzero},
        params={"cfg/seed": str(work.seed), "cfg/method": method, "cfg/prune_fraction": f"{fraction:g}"},
    )


def mine_htls(
    work: Work, seed_run: TrackedRun, pruned: dict[Variant, TrackedRun], method: str, dense: nn.Module
) -> tuple[TrackedRun, pd.DataFrame]:
    """The HTLs of the seed, by what pruning with a method changes; the study's own method with a gallery.

    Returns:
        the mining run, and its table: see `prunecxr.studies.localization.mining.Mined`.
    """
    mining = work.config.mining
    key = keys.mining_key(variant_key(work, seed_run, method, mining.prune_fraction), mining.htl_rule, mining.tau)
    name = f"{names.seed_run_name(work.seed)}-mining" + ("" if method == mining.method else f"-{_plain(method)}")

    def make(run: TrackedRun) -> None:
        before, after = (pruned[variant] for variant in ((DENSE, 0.0), (method, mining.prune_fraction)))
        table = _mined(work, before, after).table
        write_tables(run, {names.HTLS: table})
        if method == mining.method:
            _log_gallery(work, run, table, dense)
        count = int(table["htl"].sum())
        run.log(
            metrics={"htl_images": count, "htl_share": count / len(table)},
            params={"cfg/seed": str(work.seed), "cfg/htl_rule": mining.htl_rule, "cfg/tau": f"{mining.tau:g}"},
        )

    tags = {names.METHOD: method, names.SPARSITY: names.sparsity_text(mining.prune_fraction)}
    run = work.once("htl_mining", key, seed_run, name, tags, make)
    return run, read_table(work.store, run, names.HTLS)


def _mined(work: Work, before: TrackedRun, after: TrackedRun) -> Mined:
    """The HTLs, from what the dense and the pruned network's runs know of the pool."""
    mining, ids = work.config.mining, work.material.table(work.material.pool)["id"].tolist()
    if mining.setting == "supervised":
        dense, pruned = (read_table(work.store, run, names.POOL_SCORES)["foreground"] for run in (before, after))
        return mine(ids, dense.to_numpy(), pruned.to_numpy(), mining.htl_rule, mining.tau)
    one, other = (read_table(work.store, run, names.BOXES)[list(BOX)].to_numpy() for run in (before, after))
    return mine_boxes(ids, box_iou(one, other), mining.htl_rule, mining.tau)


def _log_gallery(work: Work, run: TrackedRun, table: pd.DataFrame, dense: nn.Module) -> None:
    """The HTLs that lose most, each as a picture: image, mask, and what the dense and the pruned network mark."""
    mining, pixels = work.config.mining, work.material.pixels[work.material.pool]
    shown = table[table["htl"]].sort_values(["drop", "id"], ascending=[False, True], kind="stable").head(SHOWN)
    index = shown.index.to_numpy()
    if not len(index):
        return
    images, weights = np.asarray(pixels.images[index]), state_of(dense)
    outlines = {} if pixels.masks is None else {"mask": np.asarray(pixels.masks[index])}
    outlines["dense"] = _masks(work, dense, images)
    prune(dense, mining.method, mining.prune_fraction, work.seed)
    outlines["pruned"] = _masks(work, dense, images)
    dense.load_state_dict(weights)
    files = [f"gallery/{number:02d}.png" for number in range(1, len(index) + 1)]
    with run.files() as folder:
        (folder / "gallery").mkdir()
        for i, file in enumerate(files):
            tile(images[i], [(name, masks[i]) for name, masks in outlines.items()]).save(folder / file)
        shown.assign(file=files).to_csv(folder / names.GALLERY, index=False)


def _masks(work: Work, model: nn.Module, images: np.ndarray) -> np.ndarray:
    return np.concatenate(list(work.localizer.masks(model, images, work.compute)))


def _plain(method: str) -> str:
    return method.replace("@", "-")
