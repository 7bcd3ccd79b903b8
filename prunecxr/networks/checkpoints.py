"""State dicts in files that `torch.save` wrote, here or elsewhere. Loading one runs nothing that it holds."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from prunecxr.errors import UserError

# What torch.load raises for a file that is torn or was never its own.
LOAD_ERRORS = (
    OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError,
    struct.error, pickle.UnpicklingError,
)  # fmt: skip

# Types of weights; others are no weights, or need factors that a state dict does not hold.
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

# Where training programs put a state dict among other things.
ENTRIES = ("state_dict", "model_state_dict", "model")


def read_state(path: Path, option: str) -> dict[str, torch.Tensor]:
    """The tensors of a state dict by name, on the CPU, without the prefixes of wrappers such as DataParallel.

    Args:
        path: a file with a state dict, or with a dict that has one as `state_dict`, `model_state_dict` or `model`.
        option: what to call it in messages.
    Raises:
        UserError: no such file, a torn one, one that would run code, or one without a state dict.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise UserError(f"option {option}: {path} is {what}; give a file with a state dict")
    try:
        with warnings.catch_warnings():  # of what is unusual about the file; it is used, or named in one line
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise UserError(f"option {option}: {path} {_unreadable(path, str(error))}") from None
    state = next((content[name] for name in ENTRIES if _has_dict(content, name)), content)
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        held = f"; its keys are {', '.join(map(str, list(content)[:5]))}" if isinstance(content, dict) else ""
        raise UserError(f"option {option}: {path} holds no state dict (a mapping of names to tensors){held}")
    return without_prefix(state)


def without_prefix(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict without what all names begin with: `module.` of DataParallel, `model.` of a wrapping module.

    No classifier of torchvision has all of its tensors below one name.
    """
    names = [str(name) for name in state]
    first = names[0].partition(".")[0] + "."
    while len(names) > 1 and all(name.startswith(first) and len(name) > len(first) for name in names):
        names = [name.removeprefix(first) for name in names]
        first = names[0].partition(".")[0] + "."
    return dict(zip(names, state.values(), strict=True))


def _has_dict(content: Any, name: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(name), dict)


def _unreadable(path: Path, message: str) -> str:
    """What a file is that `torch.load` refused."""
    if "TorchScript" in message:
        return "is a TorchScript program, no state dict; write one with torch.save(model.state_dict(), FILE)"
    # torch names the class that a pickle asks for: a whole module, or options of the training beside the weights.
    foreign = re.search(r"(?:GLOBAL|Unsupported class) ([A-Za-z_][\w.]*)", message)
    if foreign:
        return (
            f"is a pickle that asks for {foreign[1]}, which could run code; write the tensors alone: "
            "torch.save(model.state_dict(), FILE)"
        )
    kind = "" if zipfile.is_zipfile(path) else ": torn, or no such file at all"
    return f"is not a file of tensors written by torch.save{kind} ({reason(message)})"


def reason(message: str) -> str:
    """One line of what torch says of a file that it cannot load, without its advice to load it in an unsafe way."""
    lines = [line.strip() for line in message.strip().splitlines()]
    lines = [line for line in lines if line and not re.search(r"weights_only|two options|trust", line)]
    return lines[0][:200] if lines else "nothing in it, or nothing that can be read safely"


def describe_unfit(value: torch.Tensor) -> str:
    """What makes a tensor unfit for a weight of a network, as in `is sparse`; empty for plain floating numbers."""
    if value.is_meta:
        return "has a shape but no values (device meta)"
    if value.is_quantized:
        return "is quantised"
    if value.layout is not torch.strided:
        return f"is sparse ({str(value.layout).removeprefix('torch.')})"
    if value.dtype not in FLOATING:
        return f"holds {str(value.dtype).removeprefix('torch.')} values"
    return "" if torch.isfinite(value).all() else "holds values that are not finite"
