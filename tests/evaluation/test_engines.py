"""Engines: the numbers of the network as written, with whatever weights it has at the moment."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from prunecxr.compression.masks import apply_masks
from prunecxr.errors import EnvironmentFault
from prunecxr.evaluation import engines
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.predict import outputs_in_fp32, predict_logits, predict_outputs
from prunecxr.networks.prunable import prunable_weights
from prunecxr.networks.unet import build_unet
from tests import tiny
from tests.tiny import needs_bf16

PIXELS = tiny.bright_squares(37).pixels  # two batches of 16 and a last one of 5
BF16 = replace(tiny.CPU, precision="bf16")

needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs g++")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA device")


def broken(*_):
    raise RuntimeError("no compiler\nfor you")


@pytest.mark.parametrize(
    ("engine", "compute"),
    [
        ("fused", tiny.CPU),
        pytest.param("fused", BF16, marks=needs_bf16),
        pytest.param("compiled", tiny.CPU, marks=needs_compiler),
        pytest.param("graph", replace(tiny.CPU, device=torch.device("cuda")), marks=needs_cuda),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::UserWarning:torch")
def test_an_engine_follows_the_weights(engine, compute):
    atol = 1e-4 if compute.precision == "fp32" else 2e-2
    model = tiny.network().to(compute.device)
    evaluator = Evaluator(model, compute, engine)
    before = evaluator.logits(PIXELS)
    assert torch.allclose(before, predict_logits(model, PIXELS, compute), atol=atol)
    weights = prunable_weights(model)
    apply_masks(weights, {name: weight.abs() > weight.abs().median() for name, weight in weights.items()})
    after = evaluator.logits(PIXELS)
    assert torch.allclose(after, predict_logits(model, PIXELS, compute), atol=atol)
    assert not torch.allclose(before, after, atol=0.1)


def test_as_written_is_bit_for_bit_the_plain_prediction():
    model = tiny.network()
    assert torch.equal(Evaluator(model, tiny.CPU, "eager").logits(PIXELS), predict_logits(model, PIXELS, tiny.CPU))


def test_an_engine_of_one_shape_gets_a_last_batch_filled_up_and_nothing_of_the_filling_comes_back(monkeypatch):
    model, shapes = tiny.network().eval(), []

    def forward(inputs):
        shapes.append(inputs.shape)
        return model(inputs)

    monkeypatch.setattr(torch, "compile", lambda *_, **__: forward)
    advanced = []
    logits = Evaluator(model, tiny.CPU, "compiled").logits(PIXELS, advanced.append)
    assert set(shapes) == {(16, 3, 12, 12)}
    assert advanced == [16, 16, 5]
    assert torch.allclose(logits, predict_logits(model, PIXELS, tiny.CPU), atol=1e-6)


@pytest.mark.parametrize(
    ("device", "precision", "engine"),
    [("cpu", "fp32", "eager"), ("cpu", "bf16", "fused"), ("cuda", "bf16", "graph"), ("cuda", "fp32", "graph"),
     ("mps", "fp32", "eager")],
)  # fmt: skip
def test_auto_computes_fp32_on_a_cpu_as_written(device, precision, engine):
    compute = replace(tiny.CPU, device=torch.device(device), precision=precision)
    assert Evaluator(tiny.network(), compute).engine == engine


@pytest.mark.parametrize("engine", ["eager", pytest.param("fused", marks=needs_bf16)])
def test_outputs_are_fp32_in_bf16_too(engine):
    model = tiny.network()
    logits = Evaluator(model, BF16, engine).logits(PIXELS)
    assert not torch.equal(logits, logits.bfloat16().float())
    assert torch.equal(predict_logits(model, PIXELS, BF16), predict_logits(model, PIXELS, BF16).bfloat16().float())


def test_an_engine_is_built_once_and_prepared_for_each_set_of_weights(monkeypatch):
    built, prepared = [], []

    def engine(model, *_):
        built.append(model)
        return lambda: prepared.append(model) or model

    monkeypatch.setitem(engines.ENGINES, "fused", engine)
    evaluator = Evaluator(tiny.network(), BF16)
    for _ in range(2):
        evaluator.logits(PIXELS)
    assert (len(built), len(prepared)) == (1, 2)


COLOURS = np.random.default_rng(0).integers(0, 256, (21, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("engine", "compute"),
    [
        ("eager", tiny.CPU),
        ("fused", tiny.CPU),
        pytest.param("auto", BF16, marks=needs_bf16),
        pytest.param("graph", replace(tiny.CPU, device=torch.device("cuda")), marks=needs_cuda),
    ],
)
def test_masks_of_colour_images_come_batch_by_batch(engine, compute, caplog):
    caplog.set_level("WARNING")
    model = build_unet((4, 4, 8, 8, 16, 4), seed=0).to(compute.device)
    evaluator, advanced = Evaluator(model, compute, engine), []
    shapes, batches = [], []
    for outputs in evaluator.outputs(COLOURS, advanced.append):
        assert outputs.dtype == torch.float32
        shapes.append(tuple(outputs.shape))
        batches.append(outputs.cpu())
        assert sum(advanced) == 16 * (len(shapes) - 1)  # the images of the batches before
    assert shapes == [(16, 2, 32, 32), (5, 2, 32, 32)]
    assert advanced == [16, 5]
    expected = torch.cat(list(predict_outputs(model, COLOURS, compute))).cpu()
    assert torch.allclose(torch.cat(batches), expected, atol=1e-5 if compute.precision == "fp32" else 5e-2)
    assert not caplog.text  # nothing was fallen back on


@pytest.mark.parametrize("n", [(5, 21), (21, 5)])
def test_an_engine_is_made_anew_for_larger_batches_and_other_shapes(monkeypatch, n):
    built = []

    def engine(model, _, inputs):
        built.append(tuple(inputs.shape))
        return lambda: model

    monkeypatch.setitem(engines.ENGINES, "fused", engine)
    evaluator = Evaluator(build_unet((4, 4, 8, 8, 16, 4), seed=0), tiny.CPU, "fused")
    for images in (COLOURS[: n[0]], COLOURS[: n[1]], COLOURS[:3, :16, :16]):
        assert sum(map(len, evaluator.outputs(images))) == len(images)
    first = [(5, 3, 32, 32), (16, 3, 32, 32)] if n[0] == 5 else [(16, 3, 32, 32)]
    assert built == [*first, (3, 3, 16, 16)]


def test_auto_goes_on_where_its_choice_does_not_work(monkeypatch, caplog):
    monkeypatch.setitem(engines.ENGINES, "fused", broken)
    caplog.set_level("WARNING")
    model = tiny.network()
    logits = Evaluator(model, BF16).logits(PIXELS)
    with outputs_in_fp32(model):
        assert torch.equal(logits, predict_logits(model, PIXELS, BF16))
    assert "goes on without engine fused" in caplog.text
    assert "no compiler" in caplog.text


def test_an_engine_asked_for_that_does_not_work_is_an_error(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "compiled", broken)
    with pytest.raises(EnvironmentFault, match=r"option engine: compiled .* \(no compiler\); use engine=eager"):
        Evaluator(tiny.network(), tiny.CPU, "compiled").logits(PIXELS)


@pytest.mark.parametrize(("engine", "device"), [("graph", "cpu"), ("fused", "meta")])
def test_an_engine_for_another_device_is_an_error(engine, device):
    compute = replace(tiny.CPU, device=torch.device(device))
    with pytest.raises(
        EnvironmentFault, match=rf"option engine: {engine} .* \(it is for device=\w+, and this is {device}\)"
    ):
        Evaluator(tiny.network(), compute, engine).logits(PIXELS)


def test_the_mode_of_the_network_is_restored():
    model = tiny.network().train()
    Evaluator(model, tiny.CPU).logits(PIXELS)
    assert model.training
