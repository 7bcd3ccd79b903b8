"""What the machine can do: which device, which precision pays on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from prunecxr.errors import EnvironmentFault


@dataclass(frozen=True)
class Compute:
    """Where and how a network is computed.

    Attributes:
        precision: `fp32` or `bf16`.
        channels_last: whether images and weights lie in the layout that convolutions prefer.
        eval_batch_size: images an evaluation step.
    """

    device: torch.device
    precision: str
    channels_last: bool
    eval_batch_size: int


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        EnvironmentFault: a device that this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    found = {
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if not found[device.type]:
        raise EnvironmentFault(f"device {name} is not available on this machine; device=auto takes what there is")
    return device


def resolve_precision(name: str, device: torch.device) -> str:
    """`fp32` or `bf16`; `auto` takes bf16 where the hardware multiplies it natively."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and _cpu_multiplies_bf16() else "fp32"


def _cpu_multiplies_bf16() -> bool:
    """Whether the CPU has bf16 instructions (AMX or AVX512-bf16); elsewhere bf16 is emulated and slower than fp32."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.12
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context in which layers compute in that precision; weights and losses stay fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
