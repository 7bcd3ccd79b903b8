"""What tracking costs: logging a variant, reading a study, an epoch's entry; embedded store and server.

    python benchmarks/tracking.py                             # 5 seeds x 20 sparsities of the paper's test split
    python benchmarks/tracking.py --page docs/performance.md  # rewrites its section of the page, too

Variants are drawn, with the paper's 20 classes: 65 metrics, 3 params, a dozen tags, predictions, scores and recipe. The
plain baseline logs the same through MLflow's usual calls, one by one (`log_metric`, `set_tag`, `log_param`,
`log_artifact` of a CSV), and reads runs one by one. What tracking costs a training is measured inside of it: the
seconds of the call after each epoch, as a share of the whole loop.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from common import best, circumstances, parser, publish, table
from drawn import CLASSES, Predictions, draw_labels
from logged import log_study

from prunecxr.tracking import names, runs
from prunecxr.tracking.query import read_population
from prunecxr.tracking.store import Store, open_store

PACKAGES = ("prunecxr", "mlflow", "sqlalchemy", "pyarrow", "numpy")
PLAIN_VARIANTS = 3


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A tracking server over its own SQLite store, serving artifacts, too; its address."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    places = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "-w", "1", *places]
    # Its seven processes for jobs would still be starting, on the same cores, while this measures.
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, env=quiet)
    try:
        for _ in range(600):
            time.sleep(0.2)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"the tracking server did not start:\n{(folder / 'said.txt').read_text()[-2000:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def plain_writing(store: Store, labels: pd.DataFrame, probabilities: np.ndarray, folder: Path) -> float:
    """Seconds a variant takes, logged one by one."""
    start = time.perf_counter()
    for number in range(PLAIN_VARIANTS):
        with mlflow.start_run(experiment_id=store.experiment_id, run_name=f"plain-{number}"):
            for score in names.MEAN_METRICS:
                for name in CLASSES:
                    mlflow.log_metric(names.metric_name(score, name), 0.5)
            for name in (*names.MEAN_METRICS.values(), names.REALISED_SPARSITY, names.NONZERO_WEIGHTS):
                mlflow.log_metric(name, 0.5)
            for name in ("seed", "method", "sparsity"):
                mlflow.log_param(f"cfg/{name}", "0")
            for number in range(10):
                mlflow.set_tag(f"plain.{number}", "0")
            table = pd.DataFrame(probabilities, columns=list(CLASSES))
            table.insert(0, "id", labels["id"])
            table.to_csv(folder / "predictions.csv", index=False)
            mlflow.log_artifact(str(folder / "predictions.csv"))
    return (time.perf_counter() - start) / PLAIN_VARIANTS


def measure(uri: str, labels: pd.DataFrame, seeds: int, sparsities: tuple[float, ...], folder: Path) -> list[float]:
    """Milliseconds: a variant written (wall, CPU), read, read of half as many; written and read plainly."""
    folder.mkdir(exist_ok=True)
    drawn = Predictions(labels[list(CLASSES)].to_numpy())
    store = open_store(uri, "tracking")
    log_study(store, "warm", labels, drawn, 1, sparsities[:2])  # the libraries' first calls
    written = log_study(store, "half", labels, drawn, seeds, sparsities[: len(sparsities) // 2])
    written = written + log_study(store, "whole", labels, drawn, seeds, sparsities)
    reading = [best(lambda study=study: read_population(store, study, "magnitude")) for study in ("whole", "half")]
    whole, half = seeds * len(sparsities), seeds * (len(sparsities) // 2)
    ids = read_population(store, "whole", "magnitude").variants["run_id"][:50]
    singly = best(lambda: [runs.get_existing(store, run).metrics() for run in ids], 1) / len(ids)
    plain = plain_writing(store, labels, drawn.of_seed(0, (0.0,))[0], folder)
    wall, cpu = written / (whole + half)
    return [1000 * part for part in (wall, cpu, reading[0] / whole, reading[1] / half, plain, singly)]


def epoch_cost(uri: str, count: int) -> tuple[float, float]:
    """Milliseconds that logging an epoch takes, and its share of a loop over epochs as short as the demo's, percent."""
    import torch

    from prunecxr.hardware import Compute, resolve_precision
    from prunecxr.learning.classification import Epoch, Images, fit
    from prunecxr.learning.loop import Session
    from prunecxr.networks.families import build_model
    from prunecxr.options.sections import TrainingOptions
    from prunecxr.work.training import epoch_logger

    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 255, (count, 64, 64), dtype=np.uint8), rng.integers(0, 2, (count, 3)))
    few = Images(images.pixels[:64], images.labels[:64])
    device = torch.device("cpu")
    compute = Compute(device, resolve_precision("auto", device), True, 64)
    options = TrainingOptions(batch_size=48, epochs=2, weights="none", architecture="resnet18")
    log, spent = epoch_logger(runs.create(open_store(uri, "tracking"), "seed", {}, name="seed-00")), []

    def watched(epoch: Epoch) -> None:
        start = time.perf_counter()
        log(epoch)
        spent.append(time.perf_counter() - start)

    model = build_model("resnet18", 3, "none", 0).to(memory_format=torch.channels_last)
    start = time.perf_counter()
    fit(model, images, few, options, compute, Session(seed=0, on_epoch=watched))
    return 1000 * sum(spent) / len(spent), 100 * sum(spent) / (time.perf_counter() - start)


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--seeds", type=int, default=5)
    parse.add_argument("--sparsities", type=int, default=20)
    parse.add_argument("--images", type=int, default=21_081)
    parse.add_argument("--training", type=int, default=1400, help="images of an epoch, beside which it is logged")
    given = parse.parse_args()
    sparsities = tuple(round(float(k), 4) for k in np.linspace(0, 0.95, given.sparsities))
    labels = draw_labels(given.images)
    for name in [name for name in os.environ if name.startswith("MLFLOW")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        folder = Path(name)
        os.chdir(folder)
        embedded = f"sqlite:///{folder}/embedded.db"
        here = measure(embedded, labels, given.seeds, sparsities, folder / "embedded")
        epoch, share = epoch_cost(embedded, given.training)
        with server(folder / "server") as uri:
            there = measure(uri, labels, given.seeds, sparsities, folder / "client")
        os.chdir("/")
    rows = []
    for store, found, limits in (("embedded (SQLite)", here, (50, 2.5)), ("server", there, (150, 7.5))):
        write, cpu, read, read_half, plain_write, plain_read = found
        writing = [f"{write:.1f} (CPU: {cpu:.1f})", f"{plain_write:.0f}", f"{plain_write / write:.1f}"]
        reading = [f"{read:.2f} (half as many: {read_half:.2f})", f"{plain_read:.1f}", f"{plain_read / read:.1f}"]
        rows += [[store, "write", *writing, limits[0]], [store, "read", *reading, limits[1]]]
    lines = [
        circumstances(PACKAGES, given.note),
        "",
        table(["store", "a variant", "measured, ms", "plain, ms", "times faster", "target, ms"], rows),
        "",
        f"{given.seeds} seeds x {given.sparsities} sparsities, {given.images:,} images; 'write' holds predictions, "
        f"metrics, and the variant's points of its seed's curves. Logging an epoch takes {epoch:.1f} ms: {share:.2f}% "
        f"of a loop of epochs of {given.training:,} images of 64 px (ResNet18); target: 2%.",
    ]
    publish("tracking", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
