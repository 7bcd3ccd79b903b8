"""How cost grows with images, classes, seeds and sparsities: a table with fitted exponents.

    python benchmarks/scale.py                             # some minutes on two cores
    python benchmarks/scale.py --page docs/performance.md  # rewrites its section of the page, too

One dimension at a time is doubled twice from a common start. `evaluate`: forward passes of a network with its masks and
scores, for each seed and sparsity. `track`: predictions and metrics of drawn variants into an embedded store, and read
back. `analyse`: tables, tests, bootstrap, figures and report of that study. The exponent p is that of the least-squares
line through the logarithms of processor seconds, of each size the least of two turns: cost ~ n^p. Costs that do not
grow at all pull it below 1.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import best, circumstances, parser, publish, table
from drawn import Predictions, class_names, draw_labels
from logged import log_study

from prunecxr.compression.context import Context
from prunecxr.compression.criteria import magnitude
from prunecxr.compression.masks import apply_masks, rank
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.metrics import class_scores
from prunecxr.evaluation.predict import probabilities
from prunecxr.hardware import Compute
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import prunable_weights
from prunecxr.options.sections import AnalysisOptions
from prunecxr.studies.pruning.findings import analyse_study
from prunecxr.tracking.query import read_population
from prunecxr.tracking.store import open_store

PACKAGES = ("prunecxr", "torch", "mlflow", "numpy", "scipy", "matplotlib")
STAGES = ("evaluate", "track", "analyse")
Costs = list[tuple[float, ...]]


@dataclass(frozen=True)
class Size:
    images: int
    classes: int
    seeds: int
    sparsities: int

    @property
    def levels(self) -> tuple[float, ...]:
        return tuple(round(float(k), 4) for k in np.linspace(0, 0.95, self.sparsities))


def evaluate(size: Size) -> float:
    """Seconds of a small network's sweeps, in fp32."""
    pixels = np.random.default_rng(0).integers(0, 256, (size.images, 32, 32), dtype=np.uint8)
    truth = draw_labels(size.images, class_names(size.classes)).iloc[:, 2:].to_numpy()
    compute = Compute(torch.device("cpu"), "fp32", True, 64)
    start = time.process_time()
    for seed in range(size.seeds):
        model = build_model("resnet18", size.classes, "none", seed).to(memory_format=torch.channels_last)
        weights = prunable_weights(model)
        masks, evaluator = rank(magnitude(Context(model, 0)), "global"), Evaluator(model, compute, "eager")
        for k in size.levels:
            apply_masks(weights, masks(k))
            class_scores(truth, probabilities(evaluator.logits(pixels)))
    return time.process_time() - start


def track_and_analyse(size: Size, folder: Path) -> tuple[float, float]:
    """Seconds of logging and reading a drawn study, and of its analysis."""
    folder.mkdir()
    os.chdir(folder)
    store = open_store(f"sqlite:///{folder}/mlflow.db", "scale")
    labels = draw_labels(size.images, class_names(size.classes))
    drawn = Predictions(labels.iloc[:, 2:].to_numpy())
    log_study(store, "warm", labels, drawn, 1, size.levels[:1])
    _, tracking = log_study(store, "drawn", labels, drawn, size.seeds, size.levels)
    tracking += best(lambda: read_population(store, "drawn", "magnitude"), 2, time.process_time)
    start = time.process_time()
    analyse_study(store, "drawn", "magnitude", AnalysisOptions())
    return tracking, time.process_time() - start


def exponent(counts: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])


def grown(
    start: Size, steps: int, rounds: int, measure: Callable[[Size], tuple[float, ...]]
) -> Iterator[tuple[str, list[int], Costs]]:
    """Each dimension, its counts, and the costs of every stage that is measured: one tuple a count.

    All sizes take turns, and the least cost of each counts: machines are faster in one minute than in another.
    """
    series = {
        dimension: [replace(start, **{dimension: first * 2**step}) for step in range(steps)]
        for dimension, first in asdict(start).items()
    }
    sizes = list(dict.fromkeys(size for row in series.values() for size in row))
    turns = [{size: measure(size) for size in sizes} for _ in range(rounds)]
    least = {size: tuple(map(min, zip(*(turn[size] for turn in turns), strict=True))) for size in sizes}
    for dimension, row in series.items():
        yield dimension, [getattr(size, dimension) for size in row], [least[size] for size in row]


def read_size(text: str) -> Size:
    return Size(*(int(part) for part in text.split(",")))


def main() -> None:
    parse = parser(__doc__)
    form = "where its dimensions begin: images,classes,seeds,sparsities"
    parse.add_argument("--sweeps", type=read_size, default=Size(500, 10, 2, 4), help=f"'evaluate': {form}")
    parse.add_argument("--study", type=read_size, default=Size(10_000, 10, 8, 5), help=f"'track' and 'analyse': {form}")
    parse.add_argument("--steps", type=int, default=3, help="sizes of each dimension, each twice the one before")
    parse.add_argument("--rounds", type=int, default=2, help="times that each size is measured")
    given = parse.parse_args()
    rows: list[list[object]] = []

    def measure(start: Size, stages: tuple[str, ...], costs_of: Callable[[Size], tuple[float, ...]]) -> None:
        for dimension, counts, costs in grown(start, given.steps, given.rounds, costs_of):
            for stage, seconds in zip(stages, map(list, zip(*costs, strict=True)), strict=True):
                sizes, spent = ", ".join(f"{n:,}" for n in counts), ", ".join(f"{cost:.2f}" for cost in seconds)
                rows.append([stage, dimension, sizes, spent, f"{exponent(counts, seconds):.2f}", "1.05"])

    evaluate(replace(given.sweeps, images=64, seeds=1, sparsities=2))  # the libraries' first calls
    measure(given.sweeps, STAGES[:1], lambda size: (evaluate(size),))
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        numbers = itertools.count()
        track_and_analyse(replace(given.study, images=300, seeds=2), Path(name) / "warm")
        measure(given.study, STAGES[1:], lambda size: track_and_analyse(size, Path(name) / f"{next(numbers)}"))
        os.chdir("/")
    rows.sort(key=lambda row: STAGES.index(str(row[0])))
    starts = [
        f"{what}: {size.images:,} images, {size.classes} classes, {size.seeds} seeds, {size.sparsities} sparsities"
        for what, size in (("'evaluate' (a ResNet18 at 32 px in fp32)", given.sweeps), ("the others", given.study))
    ]
    lines = [
        circumstances(PACKAGES, given.note),
        table(["stage", "dimension", "sizes", "CPU seconds", "exponent", "target, at most"], rows),
        f"Where the dimensions begin: {'; '.join(starts)}. What does not grow with them (figures, bootstrap, building "
        "a network) is counted, and keeps an exponent low.",
    ]
    publish("scale", "\n\n".join(lines), given.page)


if __name__ == "__main__":
    main()
