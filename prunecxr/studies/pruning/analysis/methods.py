"""Pruning methods side by side: magnitude against its control, random."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from prunecxr.studies.pruning.analysis.forgettability import QUARTILES, chance_corrected, prevalence

COLUMNS = (
    "method", "sparsity", "median_mean_ap", "q25", "q75", "n",
    "chance_corrected_median_mean_ap", "chance_corrected_q25", "chance_corrected_q75",
)  # fmt: skip


def methods(scores: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Mean AP by sparsity of every pruning method.

    Args:
        scores: method -> dims (seed, sparsity, class), variable ``ap`` (NaN where undefined or missing), class
            coordinate ``test_count``, ``attrs["n_test"]``.

    Returns:
        Columns method (in the order given), sparsity (rising), median_mean_ap, q25, q75 (over seeds of the mean over
        classes), n (seeds with a value), and the same of the chance-corrected AP with the prefix
        ``chance_corrected_``; a sparsity that no seed of a method has is left out.
    """
    rows = []
    for method, one in scores.items():
        raw, corrected = (
            ap.mean("class").sortby("sparsity") for ap in (one["ap"], chance_corrected(one["ap"], prevalence(one)))
        )
        for sparsity in raw["sparsity"].to_numpy():
            known = raw.sel(sparsity=sparsity).dropna("seed")
            if known.size:
                from_chance = corrected.sel(sparsity=sparsity).dropna("seed")
                (low, median, high), (floor, middle, top) = (
                    values.quantile(list(QUARTILES)).to_numpy() for values in (known, from_chance)
                )
                rows.append((method, float(sparsity), median, low, high, known.size, middle, floor, top))
    return pd.DataFrame(rows, columns=list(COLUMNS))
