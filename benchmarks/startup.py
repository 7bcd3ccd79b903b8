"""What a command costs before and after its work: imports, help, opening the store, registering a model.

    python benchmarks/startup.py                             # under two minutes
    python benchmarks/startup.py --page docs/performance.md  # rewrites its section of the page, too

Seeds are trained through `mlflow run` for one epoch on a handful of drawn images, which a first one cached: what their
training loop did not take (it logs its own seconds) was start-up. The bounds are what MLflow takes to run a
project that does nothing, and what importing the libraries takes without any code of ours.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from common import ROOT, Cost, circumstances, entry_point, measured, parser, publish, python, table

PACKAGES = ("prunecxr", "torch", "torchvision", "mlflow", "pydantic")
LIBRARIES = "import torch, torchvision, mlflow.pytorch, mlflow.models, pandas, pyarrow.parquet, pydantic"
EMPTY_PROJECT = "name: empty\nentry_points:\n  main:\n    command: 'true'\n"


def fastest(command: list[str], folder: Path, times: int) -> Cost:
    return min((measured(command, folder) for _ in range(times)), key=lambda cost: cost.seconds)


def mlflow_run(project: Path, *arguments: str) -> list[str]:
    return python("-m", "mlflow", "run", str(project), "--env-manager", "local", *arguments)


def train(folder: Path, options: dict[str, object], seed: int) -> tuple[float, float]:
    """Train a seed through `mlflow run`: seconds in all, and inside its epochs."""
    whole = measured(train_command(options, seed), folder).seconds
    with sqlite3.connect(folder / "mlflow.db") as store:
        (epochs,) = store.execute(
            "select latest_metrics.value from latest_metrics join tags using (run_uuid) "
            "where latest_metrics.key = 'train_seconds' and tags.key = 'prunecxr.seed' and tags.value = ?",
            (str(seed),),
        ).fetchone()
    store.close()
    return whole, float(epochs)


def train_command(options: dict[str, object], seed: int) -> list[str]:
    given = [text for name, value in {**options, "seed": seed}.items() for text in ("-P", f"{name}={value}")]
    return mlflow_run(Path("project"), "-e", "train", *given)


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--repeats", type=int, default=3, help="runs of each command, of which the fastest counts")
    parse.add_argument("--architecture", default="resnet50")
    given = parse.parse_args()
    options: dict[str, object] = {
        "architecture": given.architecture,
        "image_size": 32,
        "phantom_train": 50,
        "phantom_val": 50,
        "phantom_test": 50,
        "epochs": 1,
        "study": "startup",
    }
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        folder = Path(name)
        (folder / "project").mkdir()  # a place of its own, since runs leave their artifacts beside MLproject
        for part in ("MLproject", "conda.yaml", "entrypoints", "recipes"):
            (folder / "project" / part).symlink_to(ROOT / part)
        bare = fastest(python("-c", "pass"), folder, given.repeats).seconds
        package = fastest(python("-c", "import prunecxr"), folder, given.repeats).seconds
        shown = fastest([*entry_point("main"), "--help"], folder, given.repeats).seconds
        libraries = fastest(python("-c", LIBRARIES), folder, given.repeats).seconds
        (folder / "empty").mkdir()
        (folder / "empty" / "MLproject").write_text(EMPTY_PROJECT, encoding="utf-8")
        measured(mlflow_run(folder / "empty"), folder)  # makes the store's tables
        empty = fastest(mlflow_run(folder / "empty"), folder, given.repeats).seconds
        measured(entry_point("train", **options, seed=0), folder)  # draws and caches the images, makes the tables
        seeds = range(1, given.repeats + 1)
        whole, epochs = min((train(folder, options, seed) for seed in seeds), key=lambda one: one[0] - one[1])
        again = fastest(train_command(options, 1), folder, given.repeats).seconds
    outside = whole - epochs
    rows = [
        ["`import prunecxr`, s", f"{package:.3f}", f"{bare:.3f} (`python -c pass`)", "0.2"],
        ["`python -m entrypoints.main --help`, s", f"{shown:.2f}", f"{bare:.2f} (`python -c pass`)", "1"],
        [
            "`mlflow run . -e train`, all but its epochs, s",
            f"{outside:.1f}",
            f"{empty + libraries:.1f} (`mlflow run` of an empty project {empty:.1f}, imports of the libraries alone "
            f"{libraries:.1f})",
            "10",
        ],
        ["the same command again: the seed is found, s", f"{again:.1f}", f"{empty + libraries:.1f}", ""],
    ]
    lines = [
        circumstances(PACKAGES, given.note),
        "",
        table(["what", "measured", "bound", "target, at most"], rows),
        "",
        f"The seed's own loop took {epochs:.1f} of {whole:.1f} s ({given.architecture}, one epoch of "
        f"{options['phantom_train']} images, cached before; the store's tables were there). Of each command "
        f"{given.repeats} run(s), the fastest (of the training: {given.repeats} seeds).",
    ]
    publish("startup", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
