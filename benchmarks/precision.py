"""What evaluation in bf16 changes: average precision of each class against fp32, for one network at several sparsities.

    python benchmarks/precision.py                              # the demo's network and phantoms; minutes
    python benchmarks/precision.py --page docs/performance.md

A network is trained with the demo's recipe, pruned, and evaluated twice on the same test images, as a study evaluates
it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from common import ROOT, circumstances, parser, publish, table
from prunecxr.studies.pruning.population import compute_of, place
from prunecxr.studies.pruning.registration import masks_of

from prunecxr.compression.masks import apply_masks
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.metrics import class_scores
from prunecxr.evaluation.predict import probabilities
from prunecxr.hardware import Compute
from prunecxr.learning.classification import Images, fit
from prunecxr.learning.loop import Session
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import prunable_weights
from prunecxr.options.recipe import build_config, read_recipe
from prunecxr.studies.pruning import material
from prunecxr.studies.pruning.config import Config

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")


def average_precision(model: torch.nn.Module, images: Images, compute: Compute, classes: tuple[str, ...]) -> pd.Series:
    """AP by class; undefined classes left out."""
    predicted = probabilities(Evaluator(model, compute).logits(images.pixels))
    return class_scores(images.labels, predicted, classes)["ap"].dropna()


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--sparsities", type=float, nargs="+", default=[0.0, 0.3, 0.5, 0.7])
    parse.add_argument("--options", nargs="*", default=[], help="options over the demo's recipe, as in epochs=1")
    given = parse.parse_args()
    options = dict(option.partition("=")[::2] for option in given.options)
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as folder:
        recipe = read_recipe(ROOT / "recipes" / "demo.yaml")
        config = build_config(Config, recipe, {**options, "workdir": folder})
        data = material.prepare(config)
        images = {
            split: Images(np.array(data.cached[split].pixels), getattr(data.dataset, split).table.labels)
            for split in material.SPLITS
        }
    compute = compute_of(config)
    classes = data.dataset.classes
    model = place(build_model(config.training.architecture, len(classes), config.training.weights, 0), compute)
    fit(model, images["train"], images["val"], config.training, compute, Session(seed=0))
    weights, masks_at = prunable_weights(model), masks_of(model, "magnitude", 0)
    rows = []
    for sparsity in sorted(given.sparsities):
        apply_masks(weights, masks_at(sparsity))
        full, low = (
            average_precision(model, images["test"], replace(compute, precision=precision), classes)
            for precision in ("fp32", "bf16")
        )
        change = low - full
        worst = change.abs().idxmax()
        numbers = f"{full.mean():.4f}", f"{change.mean():+.4f}", f"{change.abs().mean():.4f}"
        rows.append([f"{sparsity:g}", *numbers, f"{change[worst]:+.4f} ({worst})"])
    size = config.data.image_size
    lines = [
        f"{config.training.architecture}, {len(images['test'].pixels)} test images of {size} pixels, {len(full)} "
        f"classes with an AP; trained in {compute.precision}. " + circumstances(PACKAGES, given.note),
        "",
        table(["sparsity", "mAP in fp32", "mean change in bf16", "mean absolute change", "largest change"], rows),
    ]
    publish("precision", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
