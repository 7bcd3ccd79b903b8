"""torchvision's image classifiers by name, and its sets of pretrained weights."""

from __future__ import annotations

import difflib
from typing import Any

import torch
import torchvision
from torch import nn

from prunecxr.errors import EnvironmentFault, UserError

# Two architectures have auxiliary heads that return a tuple while training; the study needs the main head alone.
EXTRA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


class Torchvision:
    """The family of torchvision's classifiers; it takes every name that no other family knows."""

    outputs = "classes"

    def names(self) -> list[str]:
        """torchvision's own list of image classifiers."""
        return torchvision.models.list_models(module=torchvision.models)

    def check(self, name: str) -> None:
        """Raise a UserError with the closest names if torchvision has no such classifier."""
        if name not in self.names():
            close = difflib.get_close_matches(name, self.names(), n=3) or ["resnet18", "resnet50", "densenet121"]
            raise UserError(
                f"option architecture: torchvision has no classifier {name!r}; there are {', '.join(close)}, ..."
            )

    def build(self, name: str, n_outputs: int) -> nn.Module:
        """An untrained network, initialised from torch's global generator."""
        return torchvision.models.get_model(name, weights=None, num_classes=n_outputs, **EXTRA_ARGUMENTS.get(name, {}))

    def pretrained_name(self, name: str, weights: str) -> str:
        """What stands for a weight set in a run's identity."""
        return str(self._weight_set(name, weights))

    def pretrained(self, name: str, weights: str) -> dict[str, torch.Tensor]:
        """The tensors of a weight set, downloaded once.

        Raises:
            EnvironmentFault: it could not be downloaded.
        """
        entry = self._weight_set(name, weights)
        try:
            return dict(entry.get_state_dict(progress=True, check_hash=True))
        except OSError as error:
            raise EnvironmentFault(
                f"the weights {entry} could not be downloaded ({error}); pass a local file with weights=FILE, "
                "or train from scratch with weights=none"
            ) from None

    def _weight_set(self, name: str, weights: str) -> Any:
        """The weight set of that name; `imagenet` is the first, at paper A's time the usual one."""
        entries = list(torchvision.models.get_model_weights(name))
        if weights == "imagenet" and entries:
            return entries[0]
        for entry in entries:
            if weights in (entry.name, str(entry)):
                return entry
        names = ", ".join(["none", *(["imagenet"] if entries else []), *(entry.name for entry in entries)])
        raise UserError(f"option weights: {weights!r} is no file and no weight set of {name}; there are {names}")
