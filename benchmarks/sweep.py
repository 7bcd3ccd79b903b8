"""How long pruning a network to 20 sparsities and evaluating each takes, against the plain way and bare forward passes.

    python benchmarks/sweep.py                            # ResNet50, 256 pixels
    python benchmarks/sweep.py --size 64 --images 400     # the demo's size
    python benchmarks/sweep.py --page docs/performance.md

The plain way (plain.py) runs for a variant or two. A bare forward pass is that of the same network, precision, memory
layout and batch size on a batch that lies in memory, as torch runs it. Ours is the sweep of a seed run as `-e prune`
does it: masks, forward passes, scores, predictions and metrics into an SQLite store.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import mlflow
import torch
from common import circumstances, parser, publish, table
from plain import Files, evaluate_variant, write_images
from torch import nn

from prunecxr.data.held_out import open_held_out
from prunecxr.data.phantom import phantom_tables
from prunecxr.evaluation.engines import ENGINES, best_engine
from prunecxr.hardware import Compute, autocast
from prunecxr.networks.families import build_model
from prunecxr.options.recipe import build_config
from prunecxr.studies.pruning import material, population
from prunecxr.studies.pruning.audit import audit
from prunecxr.studies.pruning.config import Config
from prunecxr.tracking import names, runs
from prunecxr.tracking.store import open_store

PACKAGES = ("torch", "torchvision", "mlflow", "numpy")
SPARSITIES = tuple(round(0.05 * step, 2) for step in range(20))


def target() -> str:
    """How many times the baseline the sweep should reach on such a machine."""
    if torch.cuda.is_available():
        return "10"
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("amx_bf16"):
        return "8"
    return "4" if capabilities.get("avx512_bf16") else "(none is set for a CPU without bf16)"


def ours(folder: Path, given: Namespace, sparsities: tuple[float, ...]) -> tuple[float, float, Compute]:
    """Seconds of the images' one decoding, and of a variant; where it was computed."""
    options = {
        "study": "sweep", "dataset": "csv", "images": str(folder / "images"), "labels": str(folder / "test.csv"),
        "image_size": str(given.size), "architecture": given.architecture, "eval_batch_size": str(given.batch),
        "engine": given.engine, "workdir": str(folder / "work"), "register_sparsities": "0",
    }  # fmt: skip
    store = open_store()
    config = build_config(Config, {}, {**options, "sparsities": "0"})
    start = time.perf_counter()
    data = material.prepare_held_out(config, open_held_out(config.data, None))
    decoding = time.perf_counter() - start
    with contextlib.redirect_stdout(io.StringIO()):
        audit(store, config, str(folder / "dense.pt"), 0)  # makes the seed run
    (found,) = runs.search(store, {names.KIND: "seed"})
    config = build_config(Config, {}, {**options, "sparsities": ",".join(f"{k:g}" for k in sparsities)})
    start = time.perf_counter()
    sweep = population.sweep_seed(store, config, data, found)
    return decoding, (time.perf_counter() - start) / sweep.added, population.compute_of(config)


def resident(given: Namespace, classes: int, compute: Compute) -> tuple[nn.Module, torch.Tensor]:
    """A network and a batch that lie where they are computed."""
    model = population.place(build_model(given.architecture, classes, "none", 0), compute).eval()
    batch = torch.randn(given.batch, 3, given.size, given.size).to(compute.device)
    return model, batch.contiguous(memory_format=torch.channels_last)


def seconds_of(forward: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor, n: int, compute: Compute) -> float:
    """Seconds of a forward pass over n images, of at least two batches."""
    passes = 2 * math.ceil(n / len(batch))
    with torch.inference_mode(), autocast(compute.device, compute.precision):
        forward(batch)
        start = time.perf_counter()
        for _ in range(passes):
            forward(batch).cpu()
    return (time.perf_counter() - start) / (passes * len(batch)) * n


def engine_rows(given: Namespace, classes: int, compute: Compute) -> list[list[str]]:
    """What each engine that works here takes: to begin, for each further set of weights, and its images/s.

    The engines take turns, and the fastest turn counts: machines are faster in one minute than in another.
    """
    model, batch = resident(given, classes, compute)
    forwards: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"eager": model}
    rows = {"eager": ["eager", "0", "0"]}
    for name, engine in ENGINES.items():
        try:
            start = time.perf_counter()
            prepare = engine(model, compute, batch)
            prepare()
            first = time.perf_counter() - start
            forwards[name] = prepare()
        except RuntimeError:  # it is for another device, or there is no compiler
            continue
        rows[name] = [name, f"{first:.2f}", f"{time.perf_counter() - start - first:.2f}"]
    turns = [{name: seconds_of(forwards[name], batch, given.batch, compute) for name in rows} for _ in range(4)]
    return [[*row, f"{given.batch / min(turn[name] for turn in turns):.1f}"] for name, row in rows.items()]


def plainly(folder: Path, given: Namespace, files: Files, classes: tuple[str, ...], tried: tuple[float, ...]) -> float:
    """Seconds of a variant."""
    start = time.perf_counter()
    for sparsity in tried:
        with mlflow.start_run():
            model = build_model(given.architecture, len(classes), "none", 0)
            model.load_state_dict(torch.load(folder / "dense.pt"))
            evaluate_variant(model, sparsity, files, given.batch, classes)
    return (time.perf_counter() - start) / len(tried)


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--images", type=int, default=64, help="test images")
    parse.add_argument("--size", type=int, default=256, help="side the network sees, pixels")
    parse.add_argument("--source", type=int, default=1024, help="side of the image files (NIH ChestX-ray14: 1024)")
    parse.add_argument("--batch", type=int, default=32)
    parse.add_argument("--variants", type=int, default=20)
    parse.add_argument("--plain", type=int, default=2, help="variants that the plain way evaluates")
    parse.add_argument("--architecture", default="resnet50")
    parse.add_argument("--engine", default="auto")
    given = parse.parse_args()
    sparsities = SPARSITIES[: given.variants]
    classes = phantom_tables(50, 50, 50)["train"].classes

    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name, contextlib.chdir(name):
        folder = Path(name)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
        labels = write_images(folder / "images", given.images, given.source)
        torch.save(build_model(given.architecture, len(classes), "none", 0).state_dict(), folder / "dense.pt")
        decoding, variant, compute = ours(folder, given, sparsities)
        model, batch = resident(given, len(classes), compute)
        passes = seconds_of(model, batch, given.images, compute)
        engines = engine_rows(given, len(classes), compute)
        tried = sparsities[1 : given.plain + 1]
        plain = plainly(folder, given, Files(folder / "images", labels, given.size), classes, tried)

    spread = decoding / len(sparsities)
    whole = variant + spread

    def row(what: str, seconds: float) -> list[str]:
        ratios = f"{plain / seconds:.2f}", f"{seconds / passes:.2f}"
        return [what, f"{seconds:.2f}", f"{given.images / seconds:.1f}", *ratios]

    rows = [row("plain way", plain), row("ours", whole), row("bare forward passes", passes)]
    lines = [
        f"{len(sparsities)} sparsities of a {given.architecture}; {given.images} images of {given.size} pixels, from "
        f"PNG files of {given.source}; {compute.device.type}, {compute.precision}, batches of {given.batch}, "
        f"engine {given.engine}. " + circumstances(PACKAGES, given.note),
        "",
        table(["", "s a variant", "images/s", "times the plain way", "time over bare passes"], rows),
        "",
        f"Targets: at least {target()} times the plain way, at most 1.15 times the bare passes. Of ours, "
        f"{spread:.2f} s a variant are the decoding of the images. The plain way evaluated {len(tried)} variant(s).",
        "",
        f"Engines on a batch that lies in memory; auto takes {best_engine(compute)} here:",
        "",
        table(["engine", "s to begin", "s a further set of weights", "images/s"], engines),
    ]
    publish("sweep", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
