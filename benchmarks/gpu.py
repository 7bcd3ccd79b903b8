"""One seed of paper A's size on a GPU: images/s, share of the device's peak, wall time, what 30 seeds would cost.

    python benchmarks/gpu.py                                  # minutes, and 10 GB of memory for the images
    python benchmarks/gpu.py --train 8000 --test 2000         # smaller
    python benchmarks/gpu.py --device cpu --size 64 --train 256 --val 64 --test 64 --drawn 64 --batch 32

Runs alone: PyTorch with torchvision, NumPy, pandas, SciPy, Pillow and tqdm, no MLflow, nothing installed from here.
Phantoms are drawn and repeated until there are as many images as in NIH-CXR-LT; a network learns nothing more from
repetitions, but computes as much. The seed is trained, pruned and evaluated by the package's own loops; the bounds are
loops of nothing but forward passes, or forward, backward and optimizer steps, on one batch that lies on the device,
and the fastest bf16 product of two large matrices.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

from common import circumstances, machine, parser, publish, table

NEEDED = ("torch", "torchvision", "numpy", "pandas", "scipy", "PIL", "tqdm")
ABSENT = [name for name in NEEDED if find_spec(name) is None]
if ABSENT:
    sys.exit(f"benchmarks/gpu.py needs the package(s) {', '.join(ABSENT)}, which {sys.executable} lacks")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from prunecxr.compression.context import Context  # noqa: E402
from prunecxr.compression.criteria import magnitude  # noqa: E402
from prunecxr.compression.masks import apply_masks, rank  # noqa: E402
from prunecxr.data.phantom import PhantomImages, phantom_tables  # noqa: E402
from prunecxr.evaluation.engines import Evaluator  # noqa: E402
from prunecxr.evaluation.metrics import class_scores  # noqa: E402
from prunecxr.evaluation.predict import probabilities  # noqa: E402
from prunecxr.hardware import Compute, autocast, resolve_precision  # noqa: E402
from prunecxr.learning.classification import Images, fit  # noqa: E402
from prunecxr.learning.loop import Session  # noqa: E402
from prunecxr.networks.families import build_model  # noqa: E402
from prunecxr.networks.prunable import prunable_weights  # noqa: E402

PACKAGES = ("torch", "torchvision", "numpy")
SEEDS, EPOCHS = 30, 60  # paper A: seeds, and epochs at most
NO_GPU = (
    "No CUDA device was at hand: not measured. `python benchmarks/gpu.py --page docs/performance.md` on a machine with "
    "one fills this section in."
)


@dataclass(frozen=True)
class Measured:
    """Seconds of an epoch without its validation, of the validation, of the sweep; images/s of the bare loops."""

    epoch: float
    validation: float
    sweep: float
    bare_training: float
    bare_inference: float
    peak_flops: float
    image_flops: float


def draw(drawn: int, size: int) -> Images:
    """Phantoms of the paper's label statistics, drawn by all cores: pixels (drawn, size, size), labels."""
    labels = phantom_tables(max(drawn, 50), 50, 50)["train"]
    images = PhantomImages(labels, size)
    with ProcessPoolExecutor() as pool:
        pixels = np.stack(list(pool.map(images.read, range(drawn), chunksize=16)))
    return Images(pixels, labels.labels[:drawn])


def repeated(images: Images, count: int) -> Images:
    index = np.arange(count) % len(images.pixels)
    return Images(images.pixels[index], images.labels[index])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(step: Callable[[], object], n: int, device: torch.device, seconds: float) -> float:
    """How many of something a second a step of `n` comes to, over about so many seconds, warm."""
    for _ in range(3):
        step()
    synchronize(device)
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        synchronize(device)
        steps += 1
    return n * steps / (time.perf_counter() - start)


def bare_rates(model: torch.nn.Module, given: SimpleNamespace, compute: Compute) -> tuple[float, float, float]:
    """Images/s of bare training and of bare inference, and the FLOPs of a forward pass of an image."""
    device, n = compute.device, given.batch
    batch = torch.rand(n, 3, given.size, given.size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.rand(n, 20, device=device).round()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=device.type in ("cpu", "cuda"))

    def train() -> None:
        with autocast(device, compute.precision):
            logits = model(batch)
        torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    @torch.inference_mode()
    def infer() -> None:
        with autocast(device, compute.precision):
            model(batch)

    model.train()
    training = rate(train, n, device, given.seconds)
    model.eval()
    inference = rate(infer, n, device, given.seconds)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(batch[:1])
    return training, inference, float(counter.get_total_flops())


def peak(device: torch.device, side: int, seconds: float) -> float:
    """FLOP/s of the fastest bf16 product of two square matrices."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return rate(lambda: left @ right, 2 * side**3, device, seconds)


def place(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    return model.to(device).to(memory_format=torch.channels_last)


def measure(given: SimpleNamespace, compute: Compute) -> Measured:
    """Train, prune and evaluate one seed."""
    device = compute.device
    drawn = draw(given.drawn, given.size)  # first: its processes are copies of this one, while that is small
    model = place(build_model(given.architecture, 20, "none", 0), device)
    training, inference, flops = bare_rates(model, given, compute)
    most = peak(device, given.matrix, given.seconds)
    train, val, test = (repeated(drawn, count) for count in (given.train, given.val, given.test))
    recipe = SimpleNamespace(
        batch_size=given.batch, flip=True, rotation=15.0, optimizer="adam", learning_rate=1e-4, weight_decay=0.0,
        momentum=0.9, schedule="constant", loss="bce", epochs=given.epochs, patience=given.epochs, monitor="val_loss",
    )  # fmt: skip
    model = place(build_model(given.architecture, 20, "none", 0), device)
    history = fit(model, train, val, recipe, compute, Session(seed=0))
    evaluator = Evaluator(model, compute)
    start = time.perf_counter()
    evaluator.logits(val.pixels)
    validation = time.perf_counter() - start
    epoch = min(one.seconds for one in history) - validation

    start = time.perf_counter()
    weights = prunable_weights(model)
    masks = rank(magnitude(Context(model, 0)), "global")
    evaluator = Evaluator(model, compute)
    for k in np.linspace(0, 0.95, given.sparsities):
        apply_masks(weights, masks(float(k)))
        class_scores(test.labels, probabilities(evaluator.logits(test.pixels)))
    return Measured(epoch, validation, time.perf_counter() - start, training, inference, most, flops)


def text(given: SimpleNamespace, compute: Compute, found: Measured) -> str:
    """The measurements as markdown."""
    name = torch.cuda.get_device_name(compute.device) if compute.device.type == "cuda" else machine()
    trained, evaluated = given.train / found.epoch, given.sparsities * given.test / found.sweep
    share = [100 * flops * speed / found.peak_flops for flops, speed in (
        (3 * found.image_flops, trained), (3 * found.image_flops, found.bare_training),
        (found.image_flops, evaluated), (found.image_flops, found.bare_inference),
    )]  # fmt: skip
    whole = EPOCHS * (found.epoch + found.validation) + found.sweep
    rows = [
        ["training, images/s", f"{trained:,.0f}", f"{found.bare_training:,.0f}",
         f"{100 * trained / found.bare_training:.0f}%", "90%", f"{share[0]:.0f}% (bare {share[1]:.0f}%)"],
        ["sweep, images/s", f"{evaluated:,.0f}", f"{found.bare_inference:,.0f}",
         f"{100 * evaluated / found.bare_inference:.0f}%", "87%", f"{share[2]:.0f}% (bare {share[3]:.0f}%)"],
    ]  # fmt: skip
    times = [
        ["epoch, without its validation", f"{found.epoch:,.1f} s"],
        ["validation", f"{found.validation:,.1f} s"],
        [f"sweep over {given.sparsities} sparsities, with masks and scores", f"{found.sweep:,.1f} s"],
        [f"a seed of {EPOCHS} epochs at most", f"{whole / 3600:,.2f} h"],
        [f"{SEEDS} seeds, extrapolated", f"{SEEDS * whole / 3600:,.1f} h"],
    ]
    return "\n\n".join(
        [
            f"{name}: {found.peak_flops / 1e12:,.2f} TFLOP/s (bf16, matrices of {given.matrix}). "
            f"{circumstances(PACKAGES, given.note)}",
            f"{given.architecture}, {given.size} px, {compute.precision}, batch {given.batch}; {given.train:,} "
            f"training, {given.val:,} validation and {given.test:,} test images ({given.drawn:,} drawn, repeated); "
            f"{found.image_flops / 1e9:.1f} GFLOP a forward pass, training counted as three.",
            table(["what", "measured", "bare loop", "share of it", "target", "share of the bf16 peak"], rows),
            table(["what", "wall time"], times),
        ]
    )


def main() -> None:
    parse = parser(__doc__)
    parse.add_argument("--device", default="cuda")
    parse.add_argument("--architecture", default="resnet50")
    parse.add_argument("--size", type=int, default=256, help="pixels a side")
    parse.add_argument("--train", type=int, default=78_506, help="training images")
    parse.add_argument("--val", type=int, default=12_533, help="validation images")
    parse.add_argument("--test", type=int, default=21_081, help="test images")
    parse.add_argument("--drawn", type=int, default=2_048, help="different images among them")
    parse.add_argument("--sparsities", type=int, default=20)
    parse.add_argument("--batch", type=int, default=256)
    parse.add_argument("--epochs", type=int, default=2, help="epochs trained; the fastest counts")
    parse.add_argument("--matrix", type=int, default=8192, help="side of the matrices whose product is the peak")
    parse.add_argument("--seconds", type=float, default=5.0, help="time given to each bare loop")
    given = SimpleNamespace(**vars(parse.parse_args()))
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        publish("gpu", NO_GPU, given.page)
        return
    device = torch.device(given.device)
    compute = Compute(device, resolve_precision("auto", device), True, given.batch)
    publish("gpu", text(given, compute, measure(given, compute)), given.page)


if __name__ == "__main__":
    main()
