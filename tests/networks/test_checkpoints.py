"""Files with state dicts, and what else people give."""

from __future__ import annotations

import argparse
import os
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from prunecxr.errors import UserError
from prunecxr.networks.checkpoints import read_state, reason, without_prefix
from prunecxr.networks.families import build_model
from prunecxr.networks.foreign import restore_model, weights_digest
from tests.tiny import network

STATE = network().state_dict()


class Runs:
    """A pickle of it would make a folder when it is opened."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3, "best": 0.7},
        {"model_state_dict": STATE, "optimizer": {"lr": 1}},
        {"model": nn.DataParallel(network()).state_dict()},
        {f"model.module.{name}": value for name, value in STATE.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_state_dicts(tmp_path, content, zipped):
    torch.save(content, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    state = read_state(tmp_path / "w.pt", "model")
    assert list(state) == list(STATE)
    assert all(torch.equal(state[name], value) for name, value in STATE.items())


def test_only_what_all_names_share_is_a_prefix():
    value = torch.zeros(1)
    assert list(without_prefix({"a.x": value, "b.x": value})) == ["a.x", "b.x"]
    assert list(without_prefix({"a.x": value, "a.y.z": value})) == ["x", "y.z"]
    assert list(without_prefix({"a.x": value})) == ["a.x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (network(), r"is a pickle that asks for torch\.nn\.modules\..*write the tensors alone"),
        ({"state_dict": STATE, "args": argparse.Namespace(a=1)}, "is a pickle that asks for argparse.Namespace"),
        (Runs(), "is a pickle that asks for posix.mkdir, which could run code"),
        ({"epoch": 3}, "holds no state dict .*; its keys are epoch"),
        ([1, 2], "holds no state dict"),
        ({}, "holds no state dict"),
    ],
)
def test_other_content(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match=f"option model: .*w.pt ({message})"):
        read_state(tmp_path / "w.pt", "model")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_torn_files(tmp_path, zipped):
    path = tmp_path / "w.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for size in (0, 3, len(whole) // 3, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="option model: .* is not a file of tensors written by torch.save"):
            read_state(path, "model")


def test_what_is_no_file_of_torch(tmp_path):
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(UserError, match="junk is not a file of tensors"):
        read_state(tmp_path / "junk", "model")
    with pytest.raises(UserError, match="is a folder; give a file"):
        read_state(tmp_path, "model")
    with pytest.raises(UserError, match="nothing is not there; give a file"):
        read_state(tmp_path / "nothing", "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its own format deprecated
        torch.jit.save(torch.jit.script(network()), str(tmp_path / "script.pt"))
        with pytest.raises(UserError, match="script.pt is a TorchScript program"):
            read_state(tmp_path / "script.pt", "model")


CLASSES = ("A", "B", "C")


def test_a_network_is_restored_whole():
    source = build_model("resnet18", 3, "none", 4)
    model = restore_model("resnet18", CLASSES, source.state_dict(), "w.pt")
    assert not model.training
    assert weights_digest(model) == weights_digest(source)
    half = {name: value.half() for name, value in source.state_dict().items()}
    assert restore_model("resnet18", CLASSES, half, "w.pt").conv1.weight.dtype == torch.float32


def test_the_digest_is_that_of_names_and_values():
    state = network().state_dict()
    digests = {weights_digest(network(seed=seed)) for seed in (0, 0, 1)}
    assert len(digests) == 2
    other = network()
    other.load_state_dict({**state, "0.weight": state["0.weight"] + 1e-7})
    assert weights_digest(other) not in digests


@pytest.mark.parametrize("place", [0, 1])
def test_a_head_in_a_sequential_is_the_linear_layer(place):
    source = build_model("densenet121", 3, "none", 4)
    head = [nn.Dropout(), nn.Dropout()]
    head.insert(place, source.classifier)
    wanted = weights_digest(source)
    source.classifier = nn.Sequential(*head)
    assert weights_digest(restore_model("densenet121", CLASSES, source.state_dict(), "w.pt")) == wanted


def quantised(value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


UNFIT = {
    "is sparse .sparse_coo.": lambda value: value.to_sparse(),
    "is sparse .sparse_csr.": lambda value: value.to_sparse_csr(),
    "has a shape but no values .device meta.": lambda value: value.to("meta"),
    "is quantised": quantised,
    "holds complex64 values": lambda value: value.to(torch.complex64),
    "holds int8 values": lambda value: value.to(torch.int8),
    "holds int64 values": lambda value: value.long(),
    "holds bool values": lambda value: value.bool(),
    "holds float8_e4m3fn values": lambda value: value.to(torch.float8_e4m3fn),
    "holds values that are not finite": lambda value: value / 0,
}


@pytest.mark.parametrize("message", UNFIT)
@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_tensors_that_are_no_weights_are_named(tmp_path, message):
    state = build_model("resnet18", 3, "none", 4).state_dict()
    torch.save(state | {"fc.weight": UNFIT[message](state["fc.weight"])}, tmp_path / "head.pt")
    with pytest.raises(UserError, match=f"option model: w.pt cannot be used: fc.weight {message}$"):
        restore_model("resnet18", CLASSES, read_state(tmp_path / "head.pt", "model"), "w.pt")
    if "csr" not in message:
        torch.save(state | {"conv1.weight": UNFIT[message](state["conv1.weight"])}, tmp_path / "w.pt")
        with pytest.raises(UserError, match=f"option weights: .*w.pt cannot be used: conv1.weight {message}$"):
            build_model("resnet18", 3, str(tmp_path / "w.pt"), 0)


def test_counters_may_have_any_plain_type():
    state = {name: value.double() for name, value in build_model("resnet18", 3, "none", 4).state_dict().items()}
    assert restore_model("resnet18", CLASSES, state, "w.pt").bn1.num_batches_tracked.dtype == torch.int64


def test_advice_of_torch_that_is_unsafe_is_never_quoted(tmp_path):
    for number, content in enumerate([{"a": np.float64(1)}, {"a": {1, 2}}, {"a": Runs()}]):
        torch.save(content, tmp_path / f"{number}.pt")
        with pytest.raises(UserError) as caught:
            read_state(tmp_path / f"{number}.pt", "model")
        assert "weights_only" not in str(caught.value)
        assert "\n" not in str(caught.value)
    message = (
        "Weights only load failed. Re-running `torch.load` with `weights_only` set to `False` will succeed.\n\nbad"
    )
    assert reason(message) == "bad"
    assert reason(message.partition("\n")[0]) == "nothing in it, or nothing that can be read safely"


def test_misfits_are_named(monkeypatch):
    monkeypatch.setattr("prunecxr.networks.foreign.architectures", lambda: ["densenet121", "resnet18", "resnet34"])
    state = build_model("resnet18", 3, "none", 4).state_dict()
    with pytest.raises(UserError, match=r"w.pt has 3 outputs, but the label table has 2 classes \(A, B\)"):
        restore_model("resnet18", ("A", "B"), state, "w.pt")
    with pytest.raises(
        UserError, match="does not fit resnet34: lacks .*; it is a resnet18: give architecture=resnet18"
    ):
        restore_model("resnet34", CLASSES, state, "w.pt")
    broken = {**state, "layer1.0.conv1.weight": torch.zeros(64, 64, 5, 5)}
    with pytest.raises(
        UserError, match=r"layer1.0.conv1.weight has shape \(64, 64, 5, 5\) instead of \(64, 64, 3, 3\)$"
    ):
        restore_model("resnet18", CLASSES, broken, "w.pt")
    two = {name: value for name, value in state.items() if not name.startswith("fc")}
    two |= {"fc.0.weight": torch.zeros(9, 512), "fc.2.weight": torch.zeros(3, 9), "fc.0.bias": torch.zeros(9)}
    with pytest.raises(UserError, match="does not fit resnet18: lacks fc.weight$"):
        restore_model("resnet18", CLASSES, two, "w.pt")
    state["bn1.bias"][3] = torch.nan
    with pytest.raises(UserError, match="w.pt cannot be used: bn1.bias holds values that are not finite"):
        restore_model("resnet18", CLASSES, state, "w.pt")
