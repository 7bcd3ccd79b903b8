"""Magnitudes of the dense models' weights over seeds (Holste et al., MICCAI 2023, figure 1, right)."""

from __future__ import annotations

import pandas as pd

from prunecxr.studies.pruning.analysis.forgettability import QUARTILES


def weights(histograms: pd.DataFrame) -> pd.DataFrame:
    """The histograms of all seeds in one table.

    Args:
        histograms: columns seed, low, high, count; the same bins in every seed, rising.

    Returns:
        Columns low, high (magnitudes), share (of a seed's weights in the bin, median over seeds), q25, q75,
        share_below (of a seed's weights below ``high``, median over seeds), n (seeds). Seeds without a weight are
        left out.
    """
    total = histograms.groupby("seed")["count"].transform("sum")
    known = histograms[total > 0].sort_values(["seed", "low"])
    share = known["count"] / total[known.index]
    below = share.groupby(known["seed"]).cumsum()
    by_bin = known.assign(share=share, below=below).groupby(["low", "high"], sort=True)
    low, median, high = (by_bin["share"].quantile(q) for q in QUARTILES)
    table = pd.DataFrame(
        {"share": median, "q25": low, "q75": high, "share_below": by_bin["below"].median(), "n": by_bin.size()}
    )
    return table.reset_index()
