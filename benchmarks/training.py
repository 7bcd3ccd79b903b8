"""Images a second of training, against the plain way and a bare loop of forward, backward and optimizer step.

    python benchmarks/training.py                                      # ResNet50, 64 and 256 pixels
    python benchmarks/training.py --sizes 64 --page docs/performance.md

Ours is an epoch of `fit` on cached pixels, with augmentation and the validation of a few images. The bare loop is the
same network, precision, memory layout, optimizer and batch size on one batch that lies in memory. The plain way is that
of plain.py.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from statistics import harmonic_mean

import torch
from common import circumstances, parser, publish, table
from plain import Files, training_steps, write_images
from prunecxr.studies.pruning.population import place
from torch.nn import functional

from prunecxr.data.cache import cache_images
from prunecxr.data.phantom import PhantomImages, phantom_tables
from prunecxr.hardware import Compute, autocast, resolve_device, resolve_precision
from prunecxr.learning.classification import Epoch, Images, fit
from prunecxr.learning.loop import Session
from prunecxr.networks.families import build_model
from prunecxr.options.sections import TrainingOptions

PACKAGES = ("torch", "torchvision", "numpy")
# Kinds of operations by their names in torch's profiler.
KINDS = {"convolutions": r"conv(?!ert)", "batch norm": r"batch_?norm", "ReLU": r"threshold|clamp_min|relu"}


def target() -> str:
    """How many times the baseline training should reach on such a machine."""
    if torch.cuda.is_available():
        return "3"
    capabilities = torch.cpu.get_capabilities()
    bf16 = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "4" if bf16 else "(none is set for a CPU without bf16)"


def network(given: Namespace, compute: Compute) -> torch.nn.Module:
    return place(build_model(given.architecture, 20, "none", 0), compute)


def bare_step(given: Namespace, size: int, compute: Compute) -> Callable[[], torch.Tensor]:
    """Nothing but forward, backward and step; what it gives is the loss, with which the device is waited for."""
    model = network(given, compute).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=compute.device.type in ("cpu", "cuda"))
    batch = torch.randn(given.batch, 3, size, size, device=compute.device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    labels = torch.rand(given.batch, 20, device=compute.device).round()

    def step() -> torch.Tensor:
        with autocast(compute.device, compute.precision):
            logits = model(batch)
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def rate(step: Callable[[], torch.Tensor], steps: int, batch: int) -> float:
    """Images/s of so many steps."""
    start = time.perf_counter()
    for _ in range(steps):
        loss = step()
    loss.item()
    return steps * batch / (time.perf_counter() - start)


def rates(given: Namespace, size: int, compute: Compute, folder: Path) -> tuple[dict[str, float], str]:
    """Images/s of the three, and where the bare loop's time goes.

    They take turns, since machines are faster in one minute than in another; over all turns, but for the first, which
    warms up.
    """
    labels = write_images(folder / "images", given.images, given.source)
    model = build_model(given.architecture, 20, "none", 0).to(compute.device)
    plain = training_steps(model, Files(folder / "images", labels, size, augmented=True), given.batch)
    bare, steps = bare_step(given, size, compute), max(2, given.images // given.batch)
    turns: dict[str, list[float]] = {"plain way": [], "ours": [], "bare loop": []}

    def take_turns(epoch: Epoch) -> None:
        turns["ours"].append(given.images / epoch.seconds)
        turns["bare loop"].append(rate(bare, steps, given.batch))
        turns["plain way"].append(
            rate(lambda: torch.tensor(next(plain)), max(1, given.plain // given.batch), given.batch)
        )

    tables = phantom_tables(max(given.images, 50), 50, 50)
    images = PhantomImages(tables["train"], size)
    cached = cache_images(images, size, "bilinear", folder / "cache", workers=0, desc="phantoms")
    train = Images(cached.pixels[: given.images], tables["train"].labels[: given.images])
    val = Images(train.pixels[:8], train.labels[:8])
    options = TrainingOptions(
        weights="none", epochs=given.turns + 1, patience=given.turns + 1, batch_size=given.batch, monitor="val_loss"
    )
    fit(network(given, compute), train, val, options, compute, Session(seed=0, on_epoch=take_turns))
    return {name: harmonic_mean(found[1:]) for name, found in turns.items()}, profile(bare, compute)


def profile(step: Callable[[], torch.Tensor], compute: Compute) -> str:
    """Shares of a step's time, by kind of operation."""
    on_device = compute.device.type == "cuda"
    with torch.profiler.profile() as recorded:
        step().item()
    times = {
        entry.key: entry.self_device_time_total if on_device else entry.self_cpu_time_total
        for entry in recorded.key_averages()
    }
    shares = {
        kind: sum(spent for name, spent in times.items() if re.search(pattern, name)) / sum(times.values())
        for kind, pattern in KINDS.items()
    }
    return ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--images", type=int, default=256, help="training images, of an epoch")
    parse.add_argument("--turns", type=int, default=3, help="epochs, each in turn with the others")
    parse.add_argument("--sizes", type=int, nargs="+", default=[64, 256], help="sides the network sees, pixels")
    parse.add_argument("--source", type=int, default=1024, help="side of the image files (NIH ChestX-ray14: 1024)")
    parse.add_argument("--batch", type=int, default=32)
    parse.add_argument("--plain", type=int, default=64, help="images a turn that the plain way trains on")
    parse.add_argument("--architecture", default="resnet50")
    given = parse.parse_args()
    device = resolve_device("auto")
    compute = Compute(device, resolve_precision("auto", device), True, given.batch)

    rows, bounds = [], []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name, contextlib.chdir(name):
            found, shares = rates(given, size, compute, Path(name))
        plain, ran, bound = found.values()
        rows.append([size, *(f"{one:.1f}" for one in (plain, ran, bound)), f"{ran / plain:.2f}", f"{ran / bound:.2f}"])
        bounds.append(
            f"At {size} pixels it is {bound / plain:.2f} times the plain way, and spends its time on: {shares}."
        )
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
        f"Targets: at least {target()} times the plain way, at least 0.90 of the bare loop, which is what torch allows "
        "for this network, precision and batch size. But for noise nothing trains faster.",
        *bounds,
    ]
    publish("training", "\n".join(lines), given.page)


if __name__ == "__main__":
    main()
