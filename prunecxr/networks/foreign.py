"""Networks that were trained elsewhere, restored from their tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn

from prunecxr.errors import UserError
from prunecxr.networks.families import architectures, build_model, build_skeleton, check_values, head_keys, misfit


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
    wrong = misfit(expected, state, head)
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
    check_values(expected, state, f"option model: {source}")
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


def _fits(name: str, state: Mapping[str, torch.Tensor]) -> bool:
    if name.startswith("regnet") and not any(key.startswith("trunk_output.") for key in state):
        return False  # without building one: no skeleton comes as cheaply as of the others
    expected = build_skeleton(name, 2).state_dict()
    return set(expected) == set(state) and not misfit(expected, state, head_keys(name))


def weights_digest(model: nn.Module) -> str:
    """Hash of all tensors of a network and their names: the same for the same network, in whatever file it came."""
    hashed = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        hashed.update(value.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]
