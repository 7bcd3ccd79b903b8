"""Bytes on disk and how fast they are made: packed models, predictions, the image cache.

    python benchmarks/storage.py                             # a ResNet50; about a minute
    python benchmarks/storage.py --page docs/performance.md  # rewrites its section of the page, too

The bound of a packed model is its information: of each pruned tensor the entropy of its mask at the tensor's own
density and the values that stay, at the precision they are kept in. The plain baseline is `torch.save` of the same
network. Predictions are drawn; the plain baselines are CSV and pandas' Parquet.
Speeds count the processor's seconds.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import best, circumstances, parser, publish, table
from drawn import CLASSES, Predictions, draw_labels
from torch import nn

from prunecxr.compression.context import Context
from prunecxr.compression.criteria import magnitude
from prunecxr.compression.masks import apply_masks, rank
from prunecxr.compression.packing import PackedModel, pack, unpack
from prunecxr.data.cache import cache_images
from prunecxr.data.phantom import PhantomImages, phantom_tables
from prunecxr.networks.families import build_model
from prunecxr.networks.prunable import prunable_weights
from prunecxr.tracking import artifacts

PACKAGES = ("prunecxr", "torch", "numpy", "pyarrow", "pandas")
SPARSITIES = (0.5, 0.9, 0.95)


def saved(content: object) -> int:
    """Bytes that torch.save makes of something."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.tell()


def information(model: nn.Module, value_bytes: int) -> float:
    """Bytes of the entropy of every tensor's mask of zeros and of the values that are none, those in fp32 or less."""
    prunable, total = prunable_weights(model), 0.0
    for name, tensor in model.state_dict().items():
        if tensor.dtype != torch.float32:
            total += tensor.nbytes
            continue
        kept = float((tensor != 0).double().mean())
        entropy = -sum(p * np.log2(p) for p in (kept, 1 - kept) if p)
        total += tensor.numel() * (entropy / 8 + kept * (value_bytes if name in prunable else 4))
    return total


def packed_rows(architecture: str) -> list[list[object]]:
    """A row a precision and sparsity: megabytes, bound and speeds of a pruned network."""
    model = build_model(architecture, len(CLASSES), "none", 0)
    weights = prunable_weights(model)
    masks, rows = rank(magnitude(Context(model, 0)), "global"), []
    dense = sum(weight.nbytes for weight in weights.values()) / 1e6
    for k in SPARSITIES:
        apply_masks(weights, masks(k))
        plain = saved(model.state_dict()) / 1e6
        for precision, value_bytes in (("fp32", 4), ("fp16", 2)):
            size = saved(PackedModel(model, architecture, len(CLASSES), precision)) / 1e6
            bound = information(model, value_bytes) / 1e6
            packed = [pack(weight, precision) for weight in weights.values()]
            packing = best(
                lambda precision=precision: [pack(weight, precision) for weight in weights.values()],
                clock=time.process_time,
            )
            unpacking = best(lambda packed=packed: [unpack(entry) for entry in packed], clock=time.process_time)
            sizes = [f"{size:.2f}", f"{bound:.2f}", f"{size / bound:.3f}", "1.1", f"{plain:.1f}", f"{plain / size:.1f}"]
            rows.append([f"{k:g}", precision, *sizes, f"{dense / packing:,.0f}", f"{dense / unpacking:,.0f}", "300"])
    return rows


def prediction_rows(folder: Path, images: int) -> list[list[object]]:
    """Bytes a probability on disk, ids included, and MB/s of float32 written."""
    labels = draw_labels(images)
    probabilities = Predictions(labels[list(CLASSES)].to_numpy()).of_seed(0, (0.5,))[0]
    ids, path = labels["id"].to_numpy(object), folder / "predictions"
    frame = pd.DataFrame(probabilities, columns=list(CLASSES))
    frame.insert(0, "id", labels["id"])
    ways = {
        "`predictions.parquet`": lambda: artifacts.write_predictions(path, ids, CLASSES, probabilities),
        "plain: pandas' Parquet": lambda: frame.to_parquet(path, index=False),
        "plain: CSV": lambda: frame.to_csv(path, index=False),
    }
    rows: list[list[object]] = []
    for name, write in ways.items():
        seconds = best(write, clock=time.process_time)
        size = path.stat().st_size / probabilities.size
        rows.append([name, f"{size:.2f}", f"{probabilities.nbytes / 1e6 / seconds:,.0f}", "3.5" if not rows else ""])
    artifacts.write_predictions(path, ids, CLASSES, probabilities)
    back = pd.read_parquet(path)[list(CLASSES)].to_numpy()
    if not np.array_equal(back, probabilities):
        raise SystemExit("predictions did not come back as they were")
    return rows


def cache_bytes(folder: Path, images: int, size: int) -> float:
    """Bytes an image of the finished cache."""
    cache_images(PhantomImages(phantom_tables(images, 50, 50)["train"], size), size, "bilinear", folder)
    return sum(path.stat().st_size for path in folder.glob("*.pixels")) / images


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--architecture", default="resnet50")
    parse.add_argument("--images", type=int, default=21_081, help="images of the predictions")
    parse.add_argument("--size", type=int, default=256, help="pixels a side of the cached images")
    given = parse.parse_args()
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        predictions = prediction_rows(Path(name), given.images)
        cached = cache_bytes(Path(name) / "cache", 100, given.size)
    models = packed_rows(given.architecture)
    header = ["sparsity", "values", "packed, MB", "bound, MB", "of the bound", "target", "plain, MB", "times smaller",
              "pack, MB/s", "unpack, MB/s", "target"]  # fmt: skip
    lines = [
        circumstances(PACKAGES, given.note),
        f"Registered models, {given.architecture} with {len(CLASSES)} outputs, drawn weights pruned globally; speeds "
        "in dense weights:",
        table(header, models),
        f"Predictions of {given.images:,} images and {len(CLASSES)} classes:",
        table(["file", "bytes a probability", "MB/s written", "target, bytes"], predictions),
        f"Image cache: {cached:,.0f} bytes an image of {given.size} x {given.size} pixels; target and bound "
        f"{given.size**2:,}.",
    ]
    publish("storage", "\n\n".join(lines), given.page)


if __name__ == "__main__":
    main()
