"""A sparse model in few bytes: of each pruned tensor a bit mask and the values that stayed.

A `PackedModel` stands in for a network only while it is pickled; what comes back from the pickle is the plain
torchvision network, bit for bit (unless its weights were to be kept in 16 bits).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch import nn

from prunecxr.networks.families import build_skeleton
from prunecxr.networks.prunable import prunable_weights

# A mask costs one bit a weight and saves 32 bits a zero: worth it from one zero in 32 on.
WORTHWHILE = 1 / 32

# Of values kept in 16 bits, half precision has the 11 significant bits that weights need (bfloat16 has 8).
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}

# Compressed bit mask (None: nothing pruned), kept values in order, shape. Values in 16 bits were fp32 before.
Packed = tuple[torch.Tensor | None, torch.Tensor, tuple[int, ...]]


class PackedModel(nn.Module):
    """Wraps a network for `torch.save`; unpickling gives the network itself, in eval mode, in fp32."""

    def __init__(self, model: nn.Module, architecture: str, n_classes: int, precision: str = "fp32") -> None:
        """Args: precision: in which the prunable weights are kept; all else (biases, norms) stays as it is."""
        super().__init__()
        self.model = model
        self._build = (architecture, n_classes)
        self._precision = precision

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        rounded = prunable_weights(self.model) if self._precision != "fp32" else {}
        packed = {
            name: pack(tensor, self._precision if name in rounded else "fp32")
            for name, tensor in self.model.state_dict().items()
        }
        return unpack_model, (*self._build, packed)


def pack(tensor: torch.Tensor, precision: str = "fp32") -> torch.Tensor | Packed:
    """A tensor as (compressed bit mask uint8, kept values, shape) where that is smaller, else as it is.

    Kept is what is not all-zero bits, so that a negative zero survives. With `fp16` the kept values are rounded to 16
    bits, unless one of them is too large for that.
    """
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype != torch.float32 or tensor.numel() == 0:
        return tensor
    flat = tensor.reshape(-1).numpy()  # NumPy selects and counts several times faster than torch on a CPU
    kept = flat.view(np.int32) != 0
    sparse = np.count_nonzero(kept) <= (1 - WORTHWHILE) * len(flat)
    if not sparse and precision == "fp32":
        return tensor
    values = torch.from_numpy(flat[kept] if sparse else flat)
    rounded = values.to(PRECISIONS[precision])
    if not torch.isfinite(rounded).all():
        rounded = values
    bits = torch.frombuffer(bytearray(_compress(np.packbits(kept))), dtype=torch.uint8) if sparse else None
    return bits, rounded, tuple(tensor.shape)


def _compress(bits: np.ndarray) -> bytes:
    """The smaller of two coders: one of bytes alone, and one of bytes and runs, better where nearly all is zero.

    Both are faster than a search for repetitions, and closer to the mask's entropy: pruned weights do not repeat.
    """
    coded = []
    for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE):
        coder = zlib.compressobj(1, strategy=strategy)
        coded.append(coder.compress(bits.data) + coder.flush())
    return min(coded, key=len)


def unpack(packed: torch.Tensor | Packed) -> torch.Tensor:
    """The tensor that `pack` was given, bit for bit if its values were kept in fp32."""
    if isinstance(packed, torch.Tensor):
        return packed
    bits, values, shape = packed
    if bits is None:
        return values.float().view(shape)
    size = int(np.prod(shape))
    mask = np.frombuffer(zlib.decompress(bits.numpy().data), dtype=np.uint8)
    kept = torch.from_numpy(np.unpackbits(mask, count=size).view(bool))
    return torch.zeros(size).masked_scatter_(kept, values.float()).view(shape)


def unpack_model(architecture: str, n_classes: int, packed: dict[str, Any]) -> nn.Module:
    """The plain network of a `PackedModel`'s pickle."""
    model = build_skeleton(architecture, n_classes)  # no time for an initialisation that is overwritten at once
    model.load_state_dict({name: unpack(entry) for name, entry in packed.items()}, assign=True)
    return model.requires_grad_(True).eval()
