"""How the forward pass of an evaluation runs: as written, fused, compiled for these weights, or as a CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from prunecxr.data.batches import evaluation_batches
from prunecxr.errors import EnvironmentFault
from prunecxr.evaluation.fusion import fuse
from prunecxr.evaluation.predict import Forward, outputs_in_fp32, predict_outputs
from prunecxr.hardware import Compute, autocast
from prunecxr.networks.prunable import evaluating

Prepare = Callable[[], Forward]  # gives the forward pass for the weights that the network has now

log = logging.getLogger(__name__)


def fused(model: nn.Module, compute: Compute, inputs: torch.Tensor) -> Prepare:
    """The network on a CPU with norm, addition and activation computed in the convolution before them.

    Raises:
        RuntimeError: torch cannot follow what the network does, or has no such operators here.
    """
    _check_device(compute, "cpu")
    with torch.inference_mode(), autocast(compute.device, compute.precision):
        network, steps = fuse(model, inputs, torch.bfloat16 if compute.precision == "bf16" else torch.float32)

    def prepare() -> Forward:
        with torch.inference_mode():
            for step in steps:
                step.take_weights()
        return network

    with torch.inference_mode(), autocast(compute.device, compute.precision):
        prepare()(inputs[:1])  # what does not work here, shows here
    return prepare


def compiled(model: nn.Module, compute: Compute, inputs: torch.Tensor) -> Prepare:
    """The network compiled anew for each set of weights, which become constants of the code.

    Raises (when it prepares):
        RuntimeError: there is no C++ compiler, or it failed.
    """

    def prepare() -> Forward:
        torch.compiler.reset()  # what was compiled for other weights
        code = torch.compile(model, options={"freezing": True}, dynamic=False)
        with torch.inference_mode(), autocast(compute.device, compute.precision):
            code(inputs)  # compiles
        return _filled_up(code, inputs)

    return prepare


def graph(model: nn.Module, compute: Compute, inputs: torch.Tensor) -> Prepare:
    """The network's kernels, recorded as a CUDA graph: a replay is one launch, and sees weights changed in place.

    Raises:
        RuntimeError: there is no CUDA device.
    """
    _check_device(compute, "cuda")
    fixed = inputs.clone()
    with (
        torch.inference_mode(),
        torch.autocast(
            compute.device.type, dtype=torch.bfloat16, enabled=compute.precision == "bf16", cache_enabled=False
        ),
    ):  # without the cache, so that the conversion of the weights is part of the recording
        aside = torch.cuda.Stream(compute.device)
        aside.wait_stream(torch.cuda.current_stream(compute.device))
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels and allocate
                model(fixed)
        torch.cuda.current_stream(compute.device).wait_stream(aside)
        recording = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recording):
            logits = model(fixed)

    def replay(batch: torch.Tensor) -> torch.Tensor:
        fixed.copy_(batch)
        recording.replay()
        return logits.clone()

    forward = _filled_up(replay, inputs)
    return lambda: forward


def _check_device(compute: Compute, device: str) -> None:
    if compute.device.type != device:
        raise RuntimeError(f"it is for device={device}, and this is {compute.device.type}")


def _filled_up(forward: Forward, inputs: torch.Tensor) -> Forward:
    """A forward pass that takes one shape alone, for smaller batches, too: filled up with other images."""

    def fill(batch: torch.Tensor) -> torch.Tensor:
        n = len(batch)
        return forward(batch if n == len(inputs) else torch.cat([batch, inputs[n:]]))[:n]

    return fill


# Engine: network in eval mode, where it runs, inputs of the largest shape that will come -> its other forward passes.
ENGINES: dict[str, Callable[[nn.Module, Compute, torch.Tensor], Prepare]] = {
    "fused": fused,
    "compiled": compiled,
    "graph": graph,
}


def best_engine(compute: Compute) -> str:
    """What `auto` takes. In fp32, with which other numbers are compared, a CPU computes as written.

    Compiled code is at best a few percent faster than fused convolutions (docs/performance.md), for seconds that each
    set of weights takes to compile.
    """
    if compute.device.type == "cuda":
        return "graph"
    return "fused" if compute.device.type == "cpu" and compute.precision == "bf16" else "eager"


class Evaluator:
    """Evaluates one network time and again while its weights change in place."""

    def __init__(self, model: nn.Module, compute: Compute, engine: str = "auto") -> None:
        """Args: engine: `auto`, `eager` (as written) or one of ENGINES."""
        self.model, self.compute = model, compute
        self.engine = best_engine(compute) if engine == "auto" else engine
        self._may_fall_back = engine == "auto"
        self._prepare: Prepare | None = None
        self._shape: tuple[int, ...] = ()  # of the inputs that the engine was made for

    def outputs(self, pixels: np.ndarray, advance: Callable[[int], Any] | None = None) -> Iterator[torch.Tensor]:
        """Outputs with the present weights, batch by batch, in fp32; arguments as of `predict_outputs`.

        Raises:
            EnvironmentFault: the engine that was asked for does not work on this machine.
        """
        with evaluating(self.model), outputs_in_fp32(self.model):
            yield from predict_outputs(self.model, pixels, self.compute, self._forward(pixels), advance)

    def logits(self, pixels: np.ndarray, advance: Callable[[int], Any] | None = None) -> torch.Tensor:
        """All outputs of a classifier, shape (n, n_classes), float32, on the CPU; else as `outputs`."""
        return torch.cat(list(self.outputs(pixels, advance))).cpu()

    def _forward(self, pixels: np.ndarray) -> Forward | None:
        """The engine's forward pass for the present weights; None as written."""
        if self.engine == "eager":
            return None
        try:
            first = pixels[: self.compute.eval_batch_size]
            if self._prepare is None or first.shape[1:] != self._shape[1:] or len(first) > self._shape[0]:
                size = self.compute.eval_batch_size
                inputs = next(evaluation_batches(first, size, self.compute.device, self.compute.channels_last))
                self._prepare, self._shape = ENGINES[self.engine](self.model, self.compute, inputs), first.shape
            return self._prepare()
        except (RuntimeError, AssertionError, AttributeError) as error:  # no C++ compiler, no CUDA, no oneDNN
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if not self._may_fall_back:
                what = f"option engine: {self.engine} does not work on this machine"
                raise EnvironmentFault(f"{what} ({reason}); use engine=eager") from None
            log.warning("evaluation goes on without engine %s, which does not work here (%s)", self.engine, reason)
            self.engine = "eager"
            return None
