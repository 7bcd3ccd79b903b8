"""Engines: the numbers of the network as written, with whatever weights it has at the moment."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch

from prunecxr.compression.masks import apply_masks
from prunecxr.errors import EnvironmentFault
from prunecxr.evaluation import engines
from prunecxr.evaluation.engines import Evaluator
from prunecxr.evaluation.predict import predict_logits
from prunecxr.models import prunable_weights
from tests import tiny

PIXELS = tiny.bright_squares(37).pixels  # two batches of 16 and a last one of 5
BF16 = replace(tiny.CPU, precision="bf16")

needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs g++")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA device")


def broken(*_):
    raise RuntimeError("no compiler\nfor you")


@pytest.mark.parametrize(
    ("engine", "compute"),
    [
        pytest.param("compiled", tiny.CPU, marks=needs_compiler),
        pytest.param("graph", replace(tiny.CPU, device=torch.device("cuda")), marks=needs_cuda),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::UserWarning:torch")
def test_an_engine_follows_the_weights(engine, compute):
    model = tiny.network().to(compute.device)
    evaluator = Evaluator(model, compute, engine)
    before = evaluator.logits(PIXELS)
    assert torch.allclose(before, predict_logits(model, PIXELS, compute), atol=1e-4)
    weights = prunable_weights(model)
    apply_masks(weights, {name: weight.abs() > weight.abs().median() for name, weight in weights.items()})
    after = evaluator.logits(PIXELS)
    assert torch.allclose(after, predict_logits(model, PIXELS, compute), atol=1e-4)
    assert not torch.allclose(before, after, atol=1e-2)


def test_as_written_is_bit_for_bit_the_plain_prediction():
    model = tiny.network()
    assert torch.equal(Evaluator(model, tiny.CPU, "eager").logits(PIXELS), predict_logits(model, PIXELS, tiny.CPU))


def test_another_form_sees_batches_of_one_shape_and_nothing_of_the_filling_comes_back():
    model, shapes = tiny.network().eval(), []

    def forward(inputs):
        shapes.append(inputs.shape)
        return model(inputs)

    advanced = []
    logits = predict_logits(model, PIXELS, tiny.CPU, forward, advanced.append)
    assert set(shapes) == {(16, 3, 12, 12)}
    assert advanced == [16, 16, 5]
    assert torch.allclose(logits, predict_logits(model, PIXELS, tiny.CPU), atol=1e-6)


def test_fp32_and_little_work_are_evaluated_as_written(monkeypatch):
    for compute, pays_from in ((tiny.CPU, 0.0), (BF16, 1e9)):
        monkeypatch.setattr(engines, "FREEZING_PAYS_FROM", pays_from)
        evaluator = Evaluator(tiny.network(), compute)
        evaluator.logits(PIXELS)
        assert evaluator.engine == "eager"


def test_much_work_in_bf16_is_compiled_anew_for_each_set_of_weights(monkeypatch):
    built = []
    monkeypatch.setattr(engines, "FREEZING_PAYS_FROM", 0.0)
    monkeypatch.setitem(engines.ENGINES, "compiled", lambda model, *_: built.append(model) or model)
    evaluator = Evaluator(tiny.network(), BF16)
    for _ in range(2):
        evaluator.logits(PIXELS)
    assert evaluator.engine == "compiled"
    assert len(built) == 2


def test_auto_goes_on_where_its_choice_does_not_work(monkeypatch, caplog):
    monkeypatch.setattr(engines, "FREEZING_PAYS_FROM", 0.0)
    monkeypatch.setitem(engines.ENGINES, "compiled", broken)
    model = tiny.network()
    logits = Evaluator(model, BF16).logits(PIXELS)
    assert torch.equal(logits, predict_logits(model, PIXELS, BF16))
    assert "goes on without engine compiled" in caplog.text
    assert "no compiler" in caplog.text


def test_an_engine_asked_for_that_does_not_work_is_an_error(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "compiled", broken)
    with pytest.raises(EnvironmentFault, match=r"option engine: compiled .* \(no compiler\); use engine=eager"):
        Evaluator(tiny.network(), tiny.CPU, "compiled").logits(PIXELS)


def test_the_mode_of_the_network_is_restored():
    model = tiny.network().train()
    Evaluator(model, tiny.CPU).logits(PIXELS)
    assert model.training
