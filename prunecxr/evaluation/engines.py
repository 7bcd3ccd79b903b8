"""How the forward pass of an evaluation runs: as written, compiled for these very weights, or replayed as a CUDA graph.

Which one is fastest depends on the hardware and on how much there is to do, so `auto` times the network first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from prunecxr.data.batches import evaluation_batches
from prunecxr.errors import EnvironmentFault
from prunecxr.evaluation.predict import predict_logits
from prunecxr.hardware import Compute, autocast

Forward = Callable[[torch.Tensor], torch.Tensor]

# Compiling a ResNet50 with its weights frozen in takes 7 to 35 s a set of weights, and saves a third or more of a bf16
# pass as written: from here on it pays, whatever the machine.
FREEZING_PAYS_FROM = 120.0  # seconds that a pass as written takes for all images

log = logging.getLogger(__name__)


def frozen(model: nn.Module, compute: Compute, inputs: torch.Tensor) -> Forward:
    """The network compiled with its present weights as constants: convolution, norm and activation become one step.

    Raises:
        RuntimeError: there is no C++ compiler, or it failed.
    """
    torch.compiler.reset()  # what was compiled for other weights
    compiled = torch.compile(model, options={"freezing": True}, dynamic=False)
    with torch.inference_mode(), autocast(compute.device, compute.precision):
        compiled(inputs)  # compiles
    return compiled


def graph(model: nn.Module, compute: Compute, inputs: torch.Tensor) -> Forward:
    """The network's kernels, recorded as a CUDA graph: a replay is one launch, and sees weights changed in place."""
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

    return replay


# Engine: network, where it runs, inputs of the shape that will come -> another form of its forward pass.
ENGINES: dict[str, Callable[[nn.Module, Compute, torch.Tensor], Forward]] = {
    "compiled": frozen,
    "graph": graph,
}


class Evaluator:
    """Evaluates one network time and again while its weights change in place."""

    def __init__(self, model: nn.Module, compute: Compute, engine: str = "auto") -> None:
        """Args: engine: `auto`, decided by the first images that come, `eager` (as written) or one of ENGINES."""
        self.model, self.compute, self.engine = model, compute, engine
        self._may_fall_back = engine == "auto"
        self._recorded: Forward | None = None

    def logits(self, pixels: np.ndarray, advance: Callable[[int], Any] | None = None) -> torch.Tensor:
        """Logits of every image with the present weights; arguments and result as of `predict_logits`.

        Raises:
            EnvironmentFault: the engine that was asked for does not work on this machine.
        """
        training = self.model.training
        self.model.eval()
        size, device = self.compute.eval_batch_size, self.compute.device
        inputs = next(evaluation_batches(pixels[:size], size, device, self.compute.channels_last))
        if self.engine == "auto":
            self.engine = self._choose(inputs, len(pixels))
        logits = predict_logits(self.model, pixels, self.compute, self._forward(inputs), advance)
        self.model.train(training)
        return logits

    def _choose(self, inputs: torch.Tensor, n_images: int) -> str:
        """The engine that should be fastest for so many images a set of weights."""
        if self.compute.device.type == "cuda":
            return "graph"
        if self.compute.device.type != "cpu" or self.compute.precision != "bf16":
            return "eager"  # fp32 is what other numbers are compared with: arithmetic as written
        with torch.inference_mode(), autocast(self.compute.device, self.compute.precision):
            self.model(inputs)
            start = time.perf_counter()
            self.model(inputs)
            seconds = (time.perf_counter() - start) * n_images / len(inputs)
        return "compiled" if seconds > FREEZING_PAYS_FROM else "eager"

    def _forward(self, inputs: torch.Tensor) -> Forward | None:
        if self.engine == "eager" or self._recorded is not None:
            return self._recorded
        try:
            forward = ENGINES[self.engine](self.model, self.compute, inputs)
        except (RuntimeError, AssertionError) as error:  # no C++ compiler, no CUDA
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if not self._may_fall_back:
                what = f"option engine: {self.engine} does not work on this machine"
                raise EnvironmentFault(f"{what} ({first}); use engine=eager") from None
            log.warning("evaluation goes on without engine %s, which does not work here (%s)", self.engine, first)
            self.engine = "eager"
            return None
        if self.engine == "graph":
            self._recorded = forward
        return forward
