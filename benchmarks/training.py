"""Images a second of training, against the plain way and a bare loop of forward, backward and optimizer step.

    python benchmarks/training.py                                      # ResNet50, 64 and 256 pixels
    python benchmarks/training.py --sizes 64 --page docs/performance.md

Ours is an epoch of `fit` on cached pixels, with augmentation and the validation of a few images. The bare loop is the
same network, precision, memory layout, optimizer and batch size on one batch that lies in memory. The plain way is that
of plain.py.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from argparse import Namespace
from pathlib import Path

import torch
from common import circumstances, parser, publish, table
from plain import Files, training_steps, write_images
from torch.nn import functional

from prunecxr.config import TrainingOptions
from prunecxr.data.cache import cache_images
from prunecxr.data.phantom import PhantomImages, phantom_tables
from prunecxr.hardware import Compute, autocast, resolve_device, resolve_precision
from prunecxr.models import build_model
from prunecxr.pipeline.population import place
from prunecxr.training import Images, fit

PACKAGES = ("torch", "torchvision", "numpy")


def target() -> str:
    """How many times the baseline training should reach on such a machine."""
    if torch.cuda.is_available():
        return "3"
    capabilities = torch.cpu.get_capabilities()
    bf16 = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "4" if bf16 else "(none is set for a CPU without bf16)"


def network(given: Namespace, compute: Compute) -> torch.nn.Module:
    return place(build_model(given.architecture, 20, "none", 0), compute)


def ours(given: Namespace, size: int, compute: Compute, folder: Path) -> float:
    """Images/s of the second epoch; the first warms up."""
    tables = phantom_tables(max(given.images, 50), 50, 50)
    cached = cache_images(PhantomImages(tables["train"], size), size, "bilinear", folder, workers=0, desc="phantoms")
    train = Images(cached.pixels[: given.images], tables["train"].labels[: given.images])
    val = Images(train.pixels[:8], train.labels[:8])
    options = TrainingOptions(weights="none", epochs=2, batch_size=given.batch, monitor="val_loss")
    history = fit(network(given, compute), train, val, options, compute, seed=0)
    return given.images / history[-1].seconds


def bare(given: Namespace, size: int, compute: Compute) -> float:
    """Images/s of nothing but forward, backward and step."""
    model = network(given, compute).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=compute.device.type in ("cpu", "cuda"))
    batch = torch.randn(given.batch, 3, size, size, device=compute.device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    labels = torch.rand(given.batch, 20, device=compute.device).round()
    steps = max(2, given.images // given.batch)
    for step in range(steps + 1):
        if step == 1:  # the first warms up
            start = time.perf_counter()
        with autocast(compute.device, compute.precision):
            logits = model(batch)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    loss.item()  # waits for the device
    return steps * given.batch / (time.perf_counter() - start)


def plainly(given: Namespace, size: int, device: torch.device, folder: Path) -> float:
    """Images/s of the plain way; the first step warms up."""
    labels = write_images(folder / "images", given.images, given.source)
    model = build_model(given.architecture, 20, "none", 0).to(device)
    steps = training_steps(model, Files(folder / "images", labels, size, augmented=True), given.batch)
    next(steps)
    start = time.perf_counter()
    done = sum(next(steps) for _ in range(max(1, given.plain // given.batch)))
    return done / (time.perf_counter() - start)


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--images", type=int, default=512, help="training images")
    parse.add_argument("--sizes", type=int, nargs="+", default=[64, 256], help="sides the network sees, pixels")
    parse.add_argument("--source", type=int, default=1024, help="side of the image files (NIH ChestX-ray14: 1024)")
    parse.add_argument("--batch", type=int, default=32)
    parse.add_argument("--plain", type=int, default=96, help="images that the plain way trains on")
    parse.add_argument("--architecture", default="resnet50")
    given = parse.parse_args()
    device = resolve_device("auto")
    compute = Compute(device, resolve_precision("auto", device), True, given.batch)

    rows, reachable = [], {}
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name, contextlib.chdir(name):
            ran = ours(given, size, compute, Path(name) / "cache")
            bound = bare(given, size, compute)
            plain = plainly(given, size, device, Path(name))
        reachable[size] = bound / plain
        rows.append(
            [size, *(f"{rate:.1f}" for rate in (plain, ran, bound)), f"{ran / plain:.2f}", f"{ran / bound:.2f}"]
        )
    bounds = ", ".join(f"at {size} pixels {times:.2f} times" for size, times in reachable.items())
    lines = [
        f"{given.architecture}, batches of {given.batch}, {compute.device.type}, {compute.precision}; the plain way "
        f"from PNG files of {given.source} pixels. " + circumstances(PACKAGES, given.note),
        "",
        table(
            [
                "pixels",
                "plain way, images/s",
                "ours",
                "bare loop",
                "ours over the plain way",
                "ours over the bare loop",
            ],
            rows,
        ),
        "",
        f"Targets: at least {target()} times the plain way, at least 0.90 of the bare loop. No training of "
        f"this network, precision and batch size is faster than the bare loop: {bounds} the plain way.",
    ]
    publish("training", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
