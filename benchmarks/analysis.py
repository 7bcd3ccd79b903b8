"""How long importing and analysing a paper-sized study takes, against a plain implementation of the same numbers.

    python benchmarks/analysis.py                             # 30 seeds x 20 sparsities, as in the paper; some minutes
    python benchmarks/analysis.py --seeds 5 --variants 50     # smaller
    python benchmarks/analysis.py --page docs/performance.md  # writes the page, too

Predictions are drawn from a seed (no network, no images). Each command runs in a process of its own, through its entry
point, in a fresh folder; wall time and peak memory are those of the process. A second study of half the seeds shows
how cost grows. The plain implementation reads the same files with pandas and scores them with scikit-learn, a class at
a time, and compares predictions with scipy, an image at a time; it runs on a part of the study and is extrapolated
linearly.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
CLASSES = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural Thickening", "Pneumonia", "Pneumothorax", "Pneumoperitoneum",
    "Pneumomediastinum", "Subcutaneous Emphysema", "Tortuous Aorta", "Calcification of the Aorta", "No Finding",
)  # fmt: skip
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


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu_seconds: float
    peak_mb: float


def draw_labels(size: Size) -> pd.DataFrame:
    """Long-tailed labels of patients with several images each: id, subject_id, one 0/1 column a class."""
    rng = np.random.default_rng(0)
    patient = np.sort(rng.integers(max(2, size.images // 9), size=size.images))
    logits = np.linspace(-1.6, -6.5, len(CLASSES) - 1)[rng.permutation(len(CLASSES) - 1)]
    truth = (rng.random((size.images, len(logits))) < 1 / (1 + np.exp(-logits))).astype(int)
    truth[np.arange(len(logits)), np.arange(len(logits))] = 1  # every class has an image
    table = pd.DataFrame(np.column_stack([truth, truth.sum(axis=1) == 0]).astype(int), columns=list(CLASSES))
    table.insert(0, "subject_id", [f"{p}" for p in patient])
    table.insert(0, "id", [f"{i:08d}_000.png" for i in range(size.images)])
    return table


def write_predictions(folder: Path, labels: pd.DataFrame, size: Size) -> None:
    """A pickled table a variant, in the layout of the paper: one column a class and the labels as text."""
    folder.mkdir()
    truth = labels[list(CLASSES)].to_numpy(np.float32)
    text = ["|".join(np.array(CLASSES)[row]) for row in truth.astype(bool)]
    rarity = truth.mean(axis=0).argsort().argsort() / len(CLASSES)
    shared = np.random.default_rng(1).standard_normal(truth.shape, np.float32)
    for seed in range(size.seeds):
        rng = np.random.default_rng([2, seed])
        own = shared + 0.6 * rng.standard_normal(truth.shape, np.float32)
        for k in size.sparsities:
            kept = (1 / (1 + np.exp((k - 0.7 - 0.15 * rarity) / 0.05))).astype(np.float32)
            noise = own + 0.3 * rng.standard_normal(truth.shape, np.float32)
            logits = 2.2 * kept * truth + (0.4 + 0.6 * kept) * noise - 2.5
            table = pd.DataFrame(1 / (1 + np.exp(-logits)), columns=list(CLASSES)).assign(label=text)
            table.to_pickle(folder / f"synthetic_resnet50_seed-{seed}_prune-{k:g}.pkl")


def measured(module: str, arguments: list[str], folder: Path) -> Cost:
    """One entry point in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", module, *arguments]
    start = time.perf_counter()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{module} failed with exit code {process.returncode}:\n{(folder / 'said.txt').read_text()[-2000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def run_ours(folder: Path, size: Size) -> dict[str, Cost]:
    """Import and analysis of a study of this size; `folder` holds the predictions of as many seeds or more."""
    work = folder / f"work-{size.variants}"
    chosen = work / "predictions"
    chosen.mkdir(parents=True)
    for path in sorted((folder / "predictions").iterdir()):
        if int(path.stem.partition("seed-")[2].partition("_")[0]) < size.seeds:
            (chosen / path.name).symlink_to(path)
    labels = f"--labels={folder / 'test.csv'}"
    counts = f"--train_labels={folder / 'train.csv'}"
    imported = measured(
        "entrypoints.import_predictions", ["--study=synthetic", f"--predictions={chosen}", labels, counts], work
    )
    return {"import_predictions": imported, "analyze": measured("entrypoints.analyze", ["--study=synthetic"], work)}


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


def machine() -> str:
    """Processor, cores, memory and system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{models[0] if models else platform.processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"


def page(size: Size, ours: dict[int, dict[str, Cost]], plain: dict[str, float], note: str) -> str:
    """The measurements as markdown."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        f"Study: {size}, {len(CLASSES)} classes. {date.today().isoformat()}; {machine()}; Python "
        f"{platform.python_version()}; {versions}.{' ' + note if note else ''}",
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
        "Wall time counts the start of Python and its imports. "
        f"'plain' scores {PLAIN_VARIANTS} variants with scikit-learn, a class at a time, and compares "
        f"{min(PLAIN_IMAGES, size.images):,} images with scipy, one at a time; both are extrapolated linearly. It does "
        "no tracking, tests, bootstrap, figures or report.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--variants", type=int, default=0, help="in all; default 20 sparsities a seed")
    parser.add_argument("--images", type=int, default=21_081)
    parser.add_argument("--note", default="", help="a sentence for the table, such as who shares the machine")
    parser.add_argument("--page", type=Path, help="markdown file to write, under a title")
    given = parser.parse_args()
    count = max(2, given.variants // given.seeds) if given.variants else 20
    sparsities = tuple(round(float(k), 4) for k in np.linspace(0, 0.95, count))
    size = Size(given.seeds, sparsities, given.images)
    half = Size(max(1, size.seeds // 2), size.sparsities, size.images)
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        folder = Path(name)
        labels = draw_labels(size)
        labels.to_csv(folder / "test.csv", index=False)
        training = labels.assign(id="train-" + labels["id"], subject_id="train-" + labels["subject_id"])
        training.to_csv(folder / "train.csv", index=False)
        print(f"drawing {size}", file=sys.stderr)
        write_predictions(folder / "predictions", labels, size)
        ours = {one.variants: run_ours(folder, one) for one in (half, size)}
        plain = run_plain(folder, labels, size)
    table = page(size, ours, plain, given.note)
    print(table, end="")
    if given.page:
        given.page.write_text(f"# Performance\n\nMeasured by `benchmarks/analysis.py`.\n\n{table}", encoding="utf-8")


if __name__ == "__main__":
    main()
