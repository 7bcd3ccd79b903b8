"""The localization networks of paper B: a plain U-Net with batch norm, and the same with a classification head."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from prunecxr.errors import UserError

REGIONS = ("background", "foreground")  # the two outputs of a segmenting U-Net, in order


def unet_name(features: Sequence[int], head: bool) -> str:
    """What a U-Net is called where its architecture must be known by name: `unet:32,32,64,128,256,32`.

    Args:
        features: channels of the five levels, and of the last feature map.
        head: whether it tells classes of images.
    """
    return f"{'unet-classes' if head else 'unet'}:{','.join(map(str, features))}"


class ClassificationHead(nn.Module):
    """The last feature map, averaged over the image, and a linear layer (paper B, section 2.3.3)."""

    def __init__(self, features: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, n_classes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (b, channels, height, width) -> logits (b, n_classes)."""
        return self.linear(features.mean(dim=(2, 3)))


class UNet:
    """The family `unet:<channels>`: MONAI's U-Net with batch norm, on RGB images.

    MONAI's own default, instance norm, takes its statistics anew from each image, which repairs most of what pruning
    does.
    """

    outputs = "masks"
    head = False

    def names(self) -> list[str]:
        """None: their channels may have any number."""
        return []

    def check(self, name: str) -> None:
        """Raise a UserError if the name does not say six numbers of channels."""
        if not re.fullmatch(r"[1-9]\d{0,3}(,[1-9]\d{0,3}){5}", name.partition(":")[2]):
            example = unet_name((32, 32, 64, 128, 256, 32), self.head)
            raise UserError(f"option architecture: {name!r} does not say the channels of a U-Net, as in {example}")

    def build(self, name: str, n_outputs: int) -> nn.Module:
        """An untrained network, initialised from torch's global generator; logits (b, n_outputs, height, width)."""
        return self._network(features_in(name), n_outputs)

    def pretrained_name(self, name: str, weights: str) -> str:
        """A UserError: there are no weight sets."""
        raise UserError(f"option weights: {weights!r} is no file, and {name} has no weight sets; there is none")

    def pretrained(self, name: str, weights: str) -> dict[str, torch.Tensor]:
        """A UserError: there are no weight sets."""
        raise UserError(self.pretrained_name(name, weights))

    def _network(self, features: Sequence[int], n_outputs: int) -> nn.Module:
        from monai.networks.nets import BasicUNet  # seconds, for those who use it

        return BasicUNet(spatial_dims=2, in_channels=3, out_channels=n_outputs, features=features, norm="batch")


class UNetWithHead(UNet):
    """The family `unet-classes:<channels>`: the same, with a classification head (the weakly supervised setting)."""

    outputs = "classes"
    head = True

    def build(self, name: str, n_outputs: int) -> nn.Module:
        """An untrained network, initialised from torch's global generator; logits (b, n_outputs)."""
        features = features_in(name)
        model = self._network(features, len(REGIONS))
        model.final_conv = ClassificationHead(features[-1], n_outputs)
        return model


def features_in(name: str) -> tuple[int, ...]:
    """The channels that the name of a U-Net says."""
    return tuple(map(int, name.partition(":")[2].split(",")))


def build_unet(features: Sequence[int], seed: int, head_classes: int | None = None) -> nn.Module:
    """A U-Net as a seed starts it.

    Args:
        features: channels of the five levels, and of the last feature map.
        seed: drives the initialisation.
        head_classes: None: outputs are logits of background and foreground, (b, 2, height, width). A number: that many
            classes of images, logits (b, head_classes): the network of the weakly supervised setting.
    """
    family = UNet() if head_classes is None else UNetWithHead()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return family.build(unet_name(features, family.head), head_classes or len(REGIONS))


@torch.no_grad()
def last_features(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """What the last layer is given, (b, features[-1], height, width): the output of the last 3x3 convolution."""
    seen: list[torch.Tensor] = []
    handle = last_layer(model).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        model(inputs)
    finally:
        handle.remove()
    return seen[0]


def last_layer(model: nn.Module) -> nn.Module:
    """The layer that makes logits of the last feature map: a 1x1 convolution or a `ClassificationHead`."""
    layer = model.final_conv
    assert isinstance(layer, nn.Module)
    return layer
