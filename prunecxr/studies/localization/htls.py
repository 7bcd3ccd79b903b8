"""Finding the hard-to-learn images (HTLs) of one seed: what pruning its network changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import nn

from prunecxr.compression.methods import Method
from prunecxr.compression.oneshot import variants
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.regions.boxes import box_iou
from prunecxr.studies.localization.gallery import tile
from prunecxr.studies.localization.mining import Mined, mine, mine_boxes
from prunecxr.studies.localization.task import BOX, LocalizationTask, write_tables
from prunecxr.studies.localization.variants import DENSE
from prunecxr.tracking import names
from prunecxr.tracking.artifacts import read_table
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.once import Children
from prunecxr.work.sweep import Sweep, state_of

SHOWN = 12  # HTLs in the gallery


def mine_htls(
    task: LocalizationTask, children: Children, sweep: Sweep, method: str, dense: nn.Module
) -> tuple[TrackedRun, pd.DataFrame]:
    """The HTLs of a seed, by what pruning with a method changes; the study's own method with a gallery.

    Args:
        children: runs of kind `htl_mining` below the seed's.
        dense: the plain network; it is left as it is.
    Returns:
        the mining run, and its table: see `prunecxr.studies.localization.mining.Mined`.
    """
    mining, seed_run = task.config.mining, children.parent
    seed = int(seed_run.tags[names.SEED])
    before, after = sweep.runs[Method.parse(DENSE), 0.0], sweep.runs[Method.parse(method), mining.prune_fraction]

    def make(run: TrackedRun) -> None:
        table = _mined(task, before, after).table
        with run.files() as folder:
            write_tables(folder, {names.HTLS: table})
        if method == mining.method:
            _log_gallery(task, run, table, dense)
        count = int(table["htl"].sum())
        run.log(metrics={"htl_images": count, "htl_share": count / len(table)})
        run.log_new_params({"cfg/seed": str(seed), "cfg/htl_rule": mining.htl_rule, "cfg/tau": f"{mining.tau:g}"})

    tags = {
        **task.tags(),
        names.SEED: str(seed),
        names.METHOD: method,
        names.SPARSITY: names.sparsity_text(mining.prune_fraction),
    }
    suffix = "" if method == mining.method else f"-{Method.parse(method).slug}"
    run = children.do(
        task.choice.mining_key(seed_run.tags[names.KEY], method),
        f"{names.seed_run_name(seed)}-mining{suffix}",
        tags,
        make,
    )
    return run, read_table(run, names.HTLS)


def _mined(task: LocalizationTask, before: TrackedRun, after: TrackedRun) -> Mined:
    """The HTLs, from what the dense and the pruned network's runs know of the pool."""
    mining, ids = task.config.mining, task.material.table(task.material.pool)["id"].tolist()
    if mining.setting == "supervised":
        dense, pruned = (read_table(run, names.POOL_SCORES)["foreground"] for run in (before, after))
        return mine(ids, dense.to_numpy(), pruned.to_numpy(), mining.htl_rule, mining.tau)
    one, other = (read_table(run, names.BOXES)[list(BOX)].to_numpy() for run in (before, after))
    return mine_boxes(ids, box_iou(one, other), mining.htl_rule, mining.tau)


def _log_gallery(task: LocalizationTask, run: TrackedRun, table: pd.DataFrame, dense: nn.Module) -> None:
    """The HTLs that lose most, each as a picture: image, mask, and what the dense and the pruned network mark."""
    mining, pixels = task.config.mining, task.material.pixels[task.material.pool]
    shown = table[table["htl"]].sort_values(["drop", "id"], ascending=[False, True], kind="stable").head(SHOWN)
    index = shown.index.to_numpy()
    if not len(index):
        return
    images, weights = np.asarray(pixels.images[index]), state_of(dense)
    outlines = {} if pixels.masks is None else {"mask": np.asarray(pixels.masks[index])}
    outlines["dense"] = _masks(task, dense, images)
    method, context = Method.parse(mining.method), task.context(dense, int(run.tags[names.SEED]))
    for variant in variants(method, dense, [mining.prune_fraction], context):
        outlines["pruned"] = _masks(task, variant.network, images)
    dense.load_state_dict(weights)
    files = [f"gallery/{number:02d}.png" for number in range(1, len(index) + 1)]
    with run.files() as folder:
        (folder / "gallery").mkdir()
        for i, file in enumerate(files):
            tile(images[i], [(name, masks[i]) for name, masks in outlines.items()]).save(folder / file)
        shown.assign(file=files).to_csv(folder / names.GALLERY, index=False)


def _masks(task: LocalizationTask, model: nn.Module, images: np.ndarray) -> np.ndarray:
    return np.concatenate(list(task.localizer.masks(Evaluator(model, task.compute, "eager"), images)))
