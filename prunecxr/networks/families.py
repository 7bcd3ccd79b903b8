"""Networks: any torchvision classification architecture by name, its head replaced; its prunable weights."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.checkpoints import LOAD_ERRORS as LOAD_ERRORS
from prunecxr.networks.checkpoints import read_state

# Two architectures have auxiliary heads that return a tuple while training; the study needs the main head alone.
EXTRA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def architectures() -> list[str]:
    """Names of the architectures: torchvision's own list of image classifiers."""
    return torchvision.models.list_models(module=torchvision.models)


def check_architecture(name: str) -> None:
    """Raise a UserError with the closest names if torchvision has no such classifier."""
    if name not in architectures():
        close = difflib.get_close_matches(name, architectures(), n=3) or ["resnet18", "resnet50", "densenet121"]
        raise UserError(
            f"option architecture: torchvision has no classifier {name!r}; there are {', '.join(close)}, ..."
        )


def build_architecture(name: str, n_classes: int) -> nn.Module:
    """An untrained network with `n_classes` outputs (logits), initialised from torch's global generator."""
    check_architecture(name)
    return torchvision.models.get_model(name, weights=None, num_classes=n_classes, **EXTRA_ARGUMENTS.get(name, {}))


def build_skeleton(name: str, n_classes: int) -> nn.Module:
    """The network without the memory of its tensors, on the `meta` device: shapes alone, and no time spent."""
    try:
        with torch.device("meta"):
            return build_architecture(name, n_classes)
    except NotImplementedError:  # a RegNet computes its widths with tensors
        with torch.random.fork_rng(devices=[]):
            return build_architecture(name, n_classes).to("meta")


def build_model(name: str, n_classes: int, weights: str, seed: int) -> nn.Module:
    """The network a seed starts from: the same backbone in every seed where weights are given, its own head.

    Args:
        name: architecture.
        n_classes: outputs of the new linear head.
        weights: `none`, `imagenet`, the name of a torchvision weight set, or a file with a state dict.
        seed: drives the initialisation of whatever the weights do not cover.
    Raises:
        UserError: no such weights, or a file that does not fit the architecture.
        EnvironmentFault: torchvision could not download its weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_architecture(name, n_classes)
    if weights == "none":
        return model
    state = _pretrained_state(name, weights)
    backbone = {key: value for key, value in state.items() if key not in head_keys(name)}
    missing, unexpected = model.load_state_dict(backbone, strict=False)
    absent = [key for key in missing if key not in head_keys(name)]
    # Auxiliary heads are in torchvision's files, not in the model.
    unknown = [key for key in unexpected if not key.startswith(("aux", "AuxLogits"))]
    if absent or unknown:
        raise UserError(
            f"option weights: {weights} does not fit {name}: "
            + (f"lacks {absent[0]}" if absent else f"has {unknown[0]}, which the network lacks")
        )
    return model


def head_keys(name: str) -> set[str]:
    """Names of the parameters whose shape depends on the number of classes: the head."""
    two, three = build_skeleton(name, 2).state_dict(), build_skeleton(name, 3).state_dict()
    return {key for key, value in two.items() if value.shape != three[key].shape}


def weights_identity(name: str, weights: str) -> str:
    """What stands for the initial weights in a run's identity: a name, or the hash of a file's content."""
    if weights == "none" or not Path(weights).is_file():
        return weights if weights == "none" else str(_weight_set(name, weights))
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:16]


def _weight_set(name: str, weights: str) -> Any:
    """torchvision's weight set of that name; `imagenet` is the first, at paper A's time the usual one."""
    check_architecture(name)
    known = list(torchvision.models.get_model_weights(name))
    if weights == "imagenet" and known:
        return known[0]
    for entry in known:
        if weights in (entry.name, str(entry)):
            return entry
    names = ", ".join(["none", *(["imagenet"] if known else []), *(entry.name for entry in known)])
    raise UserError(f"option weights: {weights!r} is no file and no weight set of {name}; there are {names}")


def _pretrained_state(name: str, weights: str) -> dict[str, torch.Tensor]:
    path = Path(weights)
    if path.is_file():
        return read_state(path, "weights")
    entry = _weight_set(name, weights)
    try:
        return dict(entry.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        raise EnvironmentFault(
            f"the weights {entry} could not be downloaded ({error}); pass a local file with weights=FILE, "
            "or train from scratch with weights=none"
        ) from None
