"""How long importing and analysing a paper-sized study takes, against a plain implementation of the same numbers.

    python benchmarks/analysis.py                             # 30 seeds x 20 sparsities, as in the paper; some minutes
    python benchmarks/analysis.py --seeds 5 --variants 50     # smaller
    python benchmarks/analysis.py --page docs/performance.md  # rewrites its section of the page, too

Predictions are drawn from a seed (no network, no images). Each command runs in a process of its own, through its entry
point, in a fresh folder; wall time and peak memory are those of the process. A second study of half the seeds shows
how cost grows. The plain implementation reads the same files with pandas and scores them with scikit-learn, a class at
a time, and compares predictions with scipy, an image at a time; it runs on a part of the study and is extrapolated
linearly.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from common import Cost, circumstances, entry_point, measured, parser, publish
from drawn import CLASSES, Predictions, draw_labels

PLAIN_VARIANTS, PLAIN_IMAGES = 3, 1500
PACKAGES = ("prunecxr", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "mlflow")


@dataclass(frozen=True)
class Size:
    seeds: int
    sparsities: tuple[float, ...]
    images: int

    @property
    def variants(self) -> int:
        return self.seeds * len(self.sparsities)

    def __str__(self) -> str:
        seeds, ks = f"{self.seeds} seeds", f"{len(self.sparsities)} sparsities"
        return f"{self.variants} variants ({seeds} x {ks}) of {self.images:,} images"


def write_predictions(folder: Path, labels: pd.DataFrame, size: Size) -> None:
    """A pickled table a variant, in the layout of the paper: one column a class and the labels as text."""
    folder.mkdir()
    truth = labels[list(CLASSES)].to_numpy(np.float32)
    text = ["|".join(np.array(CLASSES)[row]) for row in truth.astype(bool)]
    drawn = Predictions(truth)
    for seed in range(size.seeds):
        for k, probabilities in zip(size.sparsities, drawn.of_seed(seed, size.sparsities), strict=True):
            table = pd.DataFrame(probabilities, columns=list(CLASSES)).assign(label=text)
            table.to_pickle(folder / f"synthetic_resnet50_seed-{seed}_prune-{k:g}.pkl")


def run_ours(folder: Path, size: Size) -> dict[str, Cost]:
    """Import and analysis of a study of this size; `folder` holds the predictions of as many seeds or more."""
    work = folder / f"work-{size.variants}"
    chosen = work / "predictions"
    chosen.mkdir(parents=True)
    for path in sorted((folder / "predictions").iterdir()):
        if int(path.stem.partition("seed-")[2].partition("_")[0]) < size.seeds:
            (chosen / path.name).symlink_to(path)
    files = {"predictions": chosen, "labels": folder / "test.csv", "train_labels": folder / "train.csv"}
    return {
        "import_predictions": measured(entry_point("import_predictions", study="synthetic", **files), work),
        "analyze": measured(entry_point("analyze", study="synthetic"), work),
    }


def run_plain(folder: Path, labels: pd.DataFrame, size: Size) -> dict[str, float]:
    """Seconds that a plain implementation takes for the scores and the PIEs, extrapolated from a part of them."""
    from scipy.stats import spearmanr
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    paths = sorted((folder / "predictions").iterdir())[:PLAIN_VARIANTS]
    start = time.perf_counter()
    for path in paths:
        table = pd.read_pickle(path)
        for name in CLASSES:
            average_precision_score(labels[name], table[name])
            roc_auc_score(labels[name], table[name])
            f1_score(labels[name], table[name] > 0.5)
    scoring = (time.perf_counter() - start) / len(paths)
    start = time.perf_counter()
    first, second = (pd.read_pickle(path)[list(CLASSES)] for path in paths[:2])
    reading = (time.perf_counter() - start) / 2
    start = time.perf_counter()
    some = min(PLAIN_IMAGES, size.images)
    for (_, dense), (_, pruned) in zip(first.head(some).iterrows(), second.head(some).iterrows(), strict=True):
        spearmanr(dense, pruned)
    comparing = (time.perf_counter() - start) / some
    return {
        "scores": scoring * size.variants,
        "PIEs": reading * 2 * size.seeds + comparing * size.images,
    }


def page(size: Size, ours: dict[int, dict[str, Cost]], plain: dict[str, float], note: str) -> str:
    """The measurements as markdown."""
    lines = [
        f"Study: {size}, {len(CLASSES)} classes. {circumstances(PACKAGES, note)}",
        "",
        "| command | variants | wall time, s | CPU time, s | wall ms a variant | peak memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for variants, costs in sorted(ours.items()):
        lines += [
            f"| `{name}` | {variants} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} | "
            f"{1000 * cost.seconds / variants:.0f} | {cost.peak_mb:,.0f} |"
            for name, cost in costs.items()
        ]
    lines += [
        f"| plain: {name} | {size.variants} | {seconds:.0f} (extrapolated) | | {1000 * seconds / size.variants:.0f} | |"
        for name, seconds in plain.items()
    ]
    lines += [
        "",
        "Targets for 600 variants: import at most 100 s; analysis at most 18 s and 1,500 MB. "
        "Wall time counts the start of Python and its imports. "
        f"'plain' scores {PLAIN_VARIANTS} variants with scikit-learn, a class at a time, and compares "
        f"{min(PLAIN_IMAGES, size.images):,} images with scipy, one at a time; both are extrapolated linearly. It does "
        "no tracking, tests, bootstrap, figures or report.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--seeds", type=int, default=30)
    parse.add_argument("--variants", type=int, default=0, help="in all; default 20 sparsities a seed")
    parse.add_argument("--images", type=int, default=21_081)
    given = parse.parse_args()
    count = max(2, given.variants // given.seeds) if given.variants else 20
    sparsities = tuple(round(float(k), 4) for k in np.linspace(0, 0.95, count))
    size = Size(given.seeds, sparsities, given.images)
    half = Size(max(1, size.seeds // 2), size.sparsities, size.images)
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        folder = Path(name)
        labels = draw_labels(size.images)
        labels.to_csv(folder / "test.csv", index=False)
        training = labels.assign(id="train-" + labels["id"], subject_id="train-" + labels["subject_id"])
        training.to_csv(folder / "train.csv", index=False)
        print(f"drawing {size}", file=sys.stderr)
        write_predictions(folder / "predictions", labels, size)
        ours = {one.variants: run_ours(folder, one) for one in (half, size)}
        plain = run_plain(folder, labels, size)
    publish("analysis", page(size, ours, plain, given.note), given.page)


if __name__ == "__main__":
    main()
