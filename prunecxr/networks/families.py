"""Networks by name: `FAMILIES`, what each family can build, and the weights a seed starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from prunecxr.errors import UserError
from prunecxr.networks.checkpoints import describe_unfit, read_state
from prunecxr.networks.torchvision_family import Torchvision
from prunecxr.networks.unet import UNet, UNetWithHead


class Family(Protocol):
    """Architectures of one kind. Their names are `<family>:<details>`, but for torchvision's, which are its own.

    Attributes:
        outputs: `classes`, logits (b, n_outputs), or `masks`, logits (b, n_outputs, height, width).
    """

    @property
    def outputs(self) -> str: ...

    def names(self) -> list[str]:
        """The architectures that can be listed; empty where their names have details of any value."""

    def check(self, name: str) -> None:
        """Raise a UserError if the family has no architecture of that name."""

    def build(self, name: str, n_outputs: int) -> nn.Module:
        """An untrained network, initialised from torch's global generator."""

    def pretrained_name(self, name: str, weights: str) -> str:
        """What stands for a weight set in a run's identity; a UserError if there is none of that name."""

    def pretrained(self, name: str, weights: str) -> dict[str, torch.Tensor]:
        """The tensors of a weight set."""


FAMILIES: dict[str, Family] = {"torchvision": Torchvision(), "unet": UNet(), "unet-classes": UNetWithHead()}


def family_of(name: str) -> Family:
    """The family that an architecture belongs to.

    Raises:
        UserError: there is no such architecture.
    """
    kind, colon, _ = name.partition(":")
    family = FAMILIES[kind if colon and kind in FAMILIES else "torchvision"]
    family.check(name)
    return family


def architectures(outputs: str = "classes") -> list[str]:
    """Names of the architectures with such outputs that can be listed."""
    return [name for family in FAMILIES.values() if family.outputs == outputs for name in family.names()]


def check_architecture(name: str, outputs: str = "classes") -> None:
    """Raise a UserError for an unknown architecture, or one with other outputs than a task needs."""
    has = family_of(name).outputs
    if has != outputs:
        raise UserError(f"option architecture: {name} gives {has}, and {outputs} are needed")


def build_architecture(name: str, n_outputs: int) -> nn.Module:
    """An untrained network with `n_outputs` outputs (logits), initialised from torch's global generator."""
    return family_of(name).build(name, n_outputs)


def build_skeleton(name: str, n_outputs: int) -> nn.Module:
    """The network without the memory of its tensors, on the `meta` device: shapes alone, and no time spent."""
    family = family_of(name)
    try:
        with torch.device("meta"):
            return family.build(name, n_outputs)
    except NotImplementedError:  # a RegNet computes its widths with tensors
        with torch.random.fork_rng(devices=[]):
            return family.build(name, n_outputs).to("meta")


def build_model(name: str, n_outputs: int, weights: str, seed: int) -> nn.Module:
    """The network a seed starts from: the same backbone in every seed where weights are given, its own head.

    Args:
        name: architecture.
        n_outputs: classes of images, or of pixels.
        weights: `none`, the name of a weight set of the family (`imagenet`), or a file with a state dict.
        seed: drives the initialisation of whatever the weights do not cover.
    Raises:
        UserError: no such weights, or a file that does not fit the architecture.
        EnvironmentFault: the weights could not be downloaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_architecture(name, n_outputs)
    if weights != "none":
        _take_backbone(model, name, weights)
    return model


def _take_backbone(model: nn.Module, name: str, weights: str) -> None:
    """Load all that does not depend on the number of outputs."""
    head, expected = head_keys(name), model.state_dict()
    path = Path(weights)
    state = read_state(path, "weights") if path.is_file() else family_of(name).pretrained(name, weights)
    # Auxiliary heads are in torchvision's files, not in the model.
    state = {key: value for key, value in state.items() if not key.startswith(("aux", "AuxLogits")) and key not in head}
    wrong = misfit({key: value for key, value in expected.items() if key not in head}, state)
    if wrong:
        raise UserError(f"option weights: {weights} does not fit {name}: {wrong}")
    check_values(expected, state, f"option weights: {weights}")
    model.load_state_dict(state, strict=False)


def check_values(expected: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], source: str) -> None:
    """Raise a UserError for a tensor that is no plain, finite weight; counters and the like may have any plain type."""
    for key, value in state.items():
        what = describe_unfit(value)
        if what.startswith("holds") and not expected[key].is_floating_point() and not value.is_complex():
            continue
        if what:
            raise UserError(f"{source} cannot be used: {key} {what}")


def misfit(expected: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], free: Collection[str] = ()) -> str:
    """The first tensor of a state dict that is not as expected, in words; empty where all are.

    Args:
        free: keys whose tensors may have another number of rows.
    """
    for key in expected:
        if key not in state:
            return f"lacks {key}"
    for key, value in state.items():
        if key not in expected:
            return f"has {key}, which the network lacks"
        shape, wanted = tuple(value.shape), tuple(expected[key].shape)
        if (shape[1:], len(shape)) != (wanted[1:], len(wanted)) or (shape != wanted and key not in free):
            return f"{key} has shape {shape} instead of {wanted}"
    return ""


def head_keys(name: str) -> set[str]:
    """Names of the parameters whose shape depends on the number of outputs: the head."""
    two, three = build_skeleton(name, 2).state_dict(), build_skeleton(name, 3).state_dict()
    return {key for key, value in two.items() if value.shape != three[key].shape}


def weights_identity(name: str, weights: str) -> str:
    """What stands for the initial weights in a run's identity: a name, or the hash of a file's content."""
    if weights == "none":
        return weights
    if Path(weights).is_file():
        return hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:16]
    return family_of(name).pretrained_name(name, weights)
