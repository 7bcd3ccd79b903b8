"""What a registered model loses by keeping its weights in 16 bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from prunecxr.compression.packing import pack, unpack
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.metrics import class_scores
from prunecxr.evaluation.predict import probabilities
from prunecxr.learning.classification import Images
from prunecxr.networks.prunable import prunable_weights
from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun

Effect = dict[str, str]


def rounding_effect(
    run: TrackedRun, evaluator: Evaluator, images: Images, classes: Sequence[str], precision: str
) -> Effect:
    """Evaluate a variant's network as it will be registered, beside its own scores; noted on the variant's run, too.

    Args:
        run: the variant, finished.
        evaluator: of its network, with the variant's weights; it has them again afterwards.
    Returns:
        tags for the registered model: precision, change of the mean AP, largest change of a class and which that is.
    """
    with rounded(prunable_weights(evaluator.model), precision):
        scores = class_scores(images.labels, probabilities(evaluator.logits(images.pixels)), classes)
    before = run.metrics()
    metric = names.metric_names("ap", tuple(classes))
    change = scores["ap"] - scores.index.map(lambda name: before.get(metric[name], float("nan"))).astype(float)
    mean = float(scores["ap"].mean()) - before[names.MEAN_METRICS["ap"]]
    run.log(metrics={f"{precision}_mean_ap_change": mean, f"{precision}_largest_ap_change": float(change.abs().max())})
    worst = change.abs().idxmax()
    return {
        "precision": precision,
        "mean_ap_change": f"{mean:+.6f}",
        "largest_ap_change": f"{change[worst]:+.6f} ({worst})",
    }


@contextmanager
def rounded(weights: Mapping[str, torch.Tensor], precision: str) -> Iterator[None]:
    """Weights as they come out of a packed model of that precision; as they were when the block ends."""
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    try:
        with torch.no_grad():
            for weight in weights.values():
                weight.copy_(unpack(pack(weight, precision)))
        yield
    finally:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(before[name])
