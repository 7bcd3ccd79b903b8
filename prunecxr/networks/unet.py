"""The localization networks of paper B: a plain U-Net with batch norm, and the same with a classification head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import BasicUNet
from torch import nn

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


def build_unet(features: Sequence[int], seed: int, head_classes: int | None = None) -> nn.Module:
    """MONAI's U-Net with batch norm, on RGB images, as a seed starts it.

    MONAI's own default, instance norm, takes its statistics anew from each image, which repairs most of what pruning
    does.

    Args:
        features: channels of the five levels, and of the last feature map.
        seed: drives the initialisation.
        head_classes: None: outputs are logits of background and foreground, (b, 2, height, width). A number: that many
            classes of images, logits (b, head_classes): the network of the weakly supervised setting.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BasicUNet(spatial_dims=2, in_channels=3, out_channels=len(REGIONS), features=features, norm="batch")
        if head_classes is not None:
            model.final_conv = ClassificationHead(features[-1], head_classes)
    return model


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
