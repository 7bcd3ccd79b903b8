"""Magnitudes of the dense models' weights (figure 1, right)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.section import Section, has
from prunecxr.report.style import BLUE, PALE, log_ticks, new_figure, percent_axis
from prunecxr.report.wording import count, percent
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import OVERALL, table_of

SMALL = 0.01  # the paper's threshold for weight magnitudes, an edge of the histogram


def figure(findings: Findings) -> Figure:
    """Histogram of weight magnitudes on a logarithmic axis; those below the threshold are filled."""
    table = findings.tables["weights"]
    figure, axes = new_figure()
    bins = table[(table["share"] > 0) & (table["low"] > 0) & np.isfinite(table["high"])]
    below = bins["high"] <= SMALL
    for part, colour, hatch, name in (
        (below, BLUE, "///", f"below {SMALL:g}"),
        (~below, PALE, "", f"{SMALL:g} and above"),
    ):
        bars = bins[part]
        axes.bar(
            bars["low"], bars["share"], bars["high"] - bars["low"], align="edge", color=colour, hatch=hatch,
            edgecolor="white", linewidth=0.4, label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    if len(bins):
        low, high = bins["low"].min(), bins["high"].max()
        axes.set_xlim(low, high)
        log_ticks(axes.xaxis, low, high)
    percent_axis(axes.yaxis, decimals=1)
    axes.set_xlabel("magnitude of a weight (log scale)")
    axes.set_ylabel("share of the prunable weights (median over seeds)")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def caption(findings: Findings) -> str:
    """How many weights are small."""
    table = findings.tables["weights"]
    below = float(table.loc[np.isclose(table["high"], SMALL), "share_below"].iloc[0])
    seeds = count(int(table["n"].max()), "dense model")
    return (
        f"{percent(below)} of the prunable weights have a magnitude below {SMALL:g} (median over {seeds}). Magnitude "
        "pruning takes the weights on the left first."
    )


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="weight_magnitudes",
        title="Weight magnitudes (figure 1, right)",
        part=OVERALL,
        figure=figure,
        caption=caption,
        alt=lambda _: (
            "Histogram of the magnitudes of the dense models' prunable weights on a logarithmic axis; those "
            f"below {SMALL:g} are hatched."
        ),
        wanted=has("weights"),
    ),
    Section(
        name="weights",
        title="Weight magnitudes",
        table=table_of("weights", lambda table: table[table["share"] > 0]),
        note="share: of the prunable weights of the dense models with low ≤ magnitude < high, median and quartiles "
        "over seeds; share_below: of those below high. Empty bins are left out.",
    ),
)
