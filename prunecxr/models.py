"""Networks: any torchvision classification architecture by name, its head replaced; its prunable weights."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from prunecxr.checkpoints import LOAD_ERRORS as LOAD_ERRORS
from prunecxr.checkpoints import read_state
from prunecxr.errors import EnvironmentFault, UserError

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


def restore_model(name: str, classes: tuple[str, ...], state: Mapping[str, torch.Tensor], source: str) -> nn.Module:
    """A network that was trained elsewhere, from its tensors: all of them, head included, as float32.

    A head that is wrapped (`fc.1.weight`: a Sequential of one linear layer and others without weights, such as dropout
    or a final sigmoid) is taken for the linear layer that it is in evaluation.

    Args:
        classes: of the label table, one an output.
        source: what to call the tensors in messages.
    Raises:
        UserError: they are not those of the architecture, with the first that differs, and an architecture that fits.
    """
    model = build_model(name, len(classes), "none", seed=0)
    expected, head = model.state_dict(), head_keys(name)
    # Auxiliary heads are of use in training alone.
    state = _unwrapped({key: value for key, value in state.items() if not key.startswith(("aux", "AuxLogits"))}, head)
    wrong = _misfit(expected, state, head)
    if wrong:
        fitting = [other for other in architectures() if other != name and _fits(other, state)]
        hint = f"; it is a {' or '.join(fitting)}: give architecture={fitting[0]}" if fitting else ""
        raise UserError(f"option model: {source} does not fit {name}: {wrong}{hint}")
    for key in head:
        if state[key].shape != expected[key].shape:
            n = len(state[key])
            raise UserError(
                f"option model: {source} has {n} outputs, but the label table has {len(classes)} classes "
                f"({', '.join(classes)}); it needs one column an output, in the order of the outputs"
            )
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise UserError(f"option model: {source} holds values that are not finite, in {key}")
    model.load_state_dict(dict(state))
    return model.eval()


def _unwrapped(state: Mapping[str, torch.Tensor], head: set[str]) -> dict[str, torch.Tensor]:
    """The state dict with `fc.1.weight` called `fc.weight`, where the head is that and nothing more."""
    renamed = dict(state)
    for key in head - set(state):
        module, _, kind = key.rpartition(".")
        inside = [other for other in state if other.startswith(f"{module}.") and other.endswith(f".{kind}")]
        if len(inside) == 1:
            renamed[key] = renamed.pop(inside[0])
    return renamed


def _misfit(expected: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], head: set[str]) -> str:
    """The first tensor that differs, but for the number of outputs; empty where none does."""
    for key in expected:
        if key not in state:
            return f"lacks {key}"
    for key, value in state.items():
        if key not in expected:
            return f"has {key}, which the network lacks"
        shape, wanted = tuple(value.shape), tuple(expected[key].shape)
        if (shape[1:], len(shape)) != (wanted[1:], len(wanted)) or (shape != wanted and key not in head):
            return f"{key} has shape {shape} instead of {wanted}"
    return ""


def _fits(name: str, state: Mapping[str, torch.Tensor]) -> bool:
    if name.startswith("regnet") and not any(key.startswith("trunk_output.") for key in state):
        return False  # without building one: no skeleton comes as cheaply as of the others
    expected = build_skeleton(name, 2).state_dict()
    return set(expected) == set(state) and not _misfit(expected, state, head_keys(name))


def weights_digest(model: nn.Module) -> str:
    """Hash of all tensors of a network and their names: the same for the same network, in whatever file it came."""
    hashed = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        hashed.update(value.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]


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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The network in eval mode; its mode is restored."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def prunable_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights that pruning may zero: `weight` of every convolution and linear layer, in module order.

    No biases, no normalisation layers (paper A, section 2.1, with its code). A ResNet50 with 20 outputs has 23,495,872.
    """
    return {name: layer.weight for name, layer in _prunable_layers(model).items()}


def channel_axes(model: nn.Module) -> dict[str, int]:
    """Axis of the output channels of every prunable weight but the last, in module order.

    The channels of the last layer are the network's outputs: to prune one would be to prune a class.
    """
    layers = _prunable_layers(model)
    names = list(layers)[:-1]
    return {name: int(isinstance(layers[name], nn.modules.conv._ConvTransposeNd)) for name in names}


def output_layer(model: nn.Module) -> nn.Module | None:
    """The last prunable layer, which makes the logits; None where there is none."""
    return next(reversed(_prunable_layers(model).values()), None)


def _prunable_layers(model: nn.Module) -> dict[str, nn.modules.conv._ConvNd | nn.Linear]:
    """By the name of its weight, in module order."""
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear))
    }
