"""Pruning methods side by side: magnitude against its control, random."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from prunecxr.analysis.forgettability import QUARTILES

COLUMNS = ("method", "sparsity", "median_mean_ap", "q25", "q75", "n")


def methods(scores: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Mean AP by sparsity of every pruning method.

    Args:
        scores: method -> dims (seed, sparsity, class), variable ``ap`` (NaN where undefined or missing).

    Returns:
        Columns method (in the order given), sparsity (rising), median_mean_ap, q25, q75 (over seeds of the mean over
        classes), n (seeds with a value); a sparsity that no seed of a method has is left out.
    """
    rows = []
    for method, one in scores.items():
        mean_ap = one["ap"].mean("class").sortby("sparsity")
        for sparsity, column in mean_ap.groupby("sparsity"):
            known = column.dropna("seed")
            if known.size:
                low, median, high = known.quantile(list(QUARTILES)).to_numpy()
                rows.append((method, float(sparsity), median, low, high, known.size))
    return pd.DataFrame(rows, columns=list(COLUMNS))
