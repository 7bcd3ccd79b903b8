"""How large the weights of a network are: what magnitude pruning has to work with (paper A, figure 1, right)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

SMALL = 0.01  # the paper: over half of all learned weights have a magnitude below this
# Ten bins a decade from 1e-6 to 10, the same for every network so that networks can be compared bin by bin; powers
# of ten are exact. The first bin reaches down to 0, the last has no end.
DECADES = range(-6, 1)
EDGES = (0.0, *(float(f"{10 ** (step / 10):.6g}e{power}") for power in DECADES for step in range(10)), 10.0, np.inf)


def magnitude_histogram(weights: Mapping[str, torch.Tensor]) -> pd.DataFrame:
    """How many weights lie in each of the logarithmic bins of magnitude.

    Args:
        weights: tensors of any shape, device and memory layout; for the paper's figure the prunable ones.

    Returns:
        Columns low, high (edges: low <= magnitude < high), count; one row a bin, rising. Weights that are not finite
        are in no bin.
    """
    edges = np.array(EDGES).astype(np.float32)
    edges = np.where(edges < EDGES, np.nextafter(edges, np.float32(np.inf)), edges)  # no float32 lies between the two
    counts = torch.zeros(len(EDGES) + 1, dtype=torch.int64)
    for weight in weights.values():
        magnitudes = weight.detach().reshape(-1).abs().float()
        above = torch.bucketize(magnitudes, torch.from_numpy(edges).to(weight.device), out_int32=True, right=True)
        counts += torch.bincount(above, minlength=len(counts)).cpu()
    inside = counts[1:-1].numpy()  # infinite magnitudes and NaN lie behind the last edge
    return pd.DataFrame({"low": EDGES[:-1], "high": EDGES[1:], "count": inside})


def share_below(histogram: pd.DataFrame, magnitude: float = SMALL) -> float:
    """Share of the weights below a magnitude that is an edge of the histogram; NaN without weights."""
    total = int(histogram["count"].sum())
    return float(histogram.loc[histogram["high"] <= magnitude, "count"].sum()) / total if total else float("nan")
