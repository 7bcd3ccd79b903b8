"""Peak memory of the demo study, and of a sweep against the number of sparsities and images.

    python benchmarks/memory.py                             # some ten minutes on two cores
    python benchmarks/memory.py --page docs/performance.md  # rewrites its section of the page, too

Each command runs in a process of its own, through its entry point. Resident memory counts pages of mapped files, which
the system may take back at any time (libraries, the image cache); the second figure leaves them out. A sweep that kept
every image and every pruned network in memory would need what the last column adds up to.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from common import circumstances, entry_point, measured, parser, publish, table

PACKAGES = ("prunecxr", "torch", "mlflow", "numpy")
# Sparsities that have but 0 in common, so that no variant of the one sweep is found by the other.
FEW, MANY = "0,0.11,0.31,0.51,0.71", "0:0.95:0.05"
SWEEP_HEADER = (
    "sparsities",
    "test images",
    "peak resident, MB",
    "without mapped files, MB",
    "plain: all kept, MB more",
)
COUNTS = {FEW: 5, MANY: 20}


def train(folder: Path, options: dict[str, object]) -> str:
    """The id of a seed run of these options, trained for an epoch."""
    said = measured(entry_point("train", **options, seed=0), folder).said
    found = re.search(r"seed run (\w+):", said)
    if not found:
        raise SystemExit(f"no seed run in what the training said:\n{said}")
    return found[1]


def sweeps(folder: Path, given: argparse.Namespace, images: list[int]) -> list[list[object]]:
    """A row a sweep: sparsities, images, peaks."""
    rows: list[list[object]] = []
    for count in images:
        options: dict[str, object] = {
            "architecture": given.architecture,
            "weights": "none",
            "image_size": given.size,
            "phantom_train": 50,
            "phantom_val": 50,
            "phantom_test": count,
            "epochs": 1,
            "study": f"images-{count}",
        }
        run = train(folder, options)
        for sparsities, registered in ((FEW, 0.71), (MANY, 0.95)):
            options = {"run": run, "sparsities": sparsities, "register_sparsities": registered}
            cost = measured(entry_point("prune", **options), folder)
            network = 4 * parameters(given.architecture) / 2**20
            kept = COUNTS[sparsities] * network + count * given.size**2 * 3 * 4 / 2**20
            peaks = [f"{mb:,.0f}" for mb in (cost.peak_mb, cost.peak_own_mb, kept)]
            rows.append([COUNTS[sparsities], f"{count:,}", *peaks])
    return rows


def parameters(architecture: str) -> int:
    """How many weights a network has."""
    import torch

    from prunecxr.networks.families import build_architecture

    with torch.device("meta"):
        return sum(weight.numel() for weight in build_architecture(architecture, 20).parameters())


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--architecture", default="resnet50", help="of the sweeps")
    parse.add_argument("--size", type=int, default=64, help="pixels a side, of the sweeps")
    parse.add_argument("--images", default="500,2000", help="test images of the sweeps")
    parse.add_argument("--demo", default="", help="options over the demo's recipe, as in seeds=1,epochs=1")
    given = parse.parse_args()
    options = dict(part.split("=", 1) for part in given.demo.split(",") if part)
    with tempfile.TemporaryDirectory(prefix="prunecxr-benchmark-") as name:
        folder = Path(name)
        rows = sweeps(folder, given, [int(count) for count in given.images.split(",")])
        demo = measured(entry_point("main", **options), folder)
    change = f" with {given.demo}" if given.demo else ""
    lines = [
        circumstances(PACKAGES, given.note),
        table(
            ["what", "peak resident, MB", "without mapped files, MB", "target, MB"],
            [[f"demo study{change}", f"{demo.peak_mb:,.0f}", f"{demo.peak_own_mb:,.0f}", "2,048 (2 GB)"]],
        ),
        f"Sweeps of one seed, {given.architecture}, {given.size} px (target: independent of both):",
        table(SWEEP_HEADER, rows),
    ]
    publish("memory", "\n\n".join(lines), given.page)


if __name__ == "__main__":
    main()
