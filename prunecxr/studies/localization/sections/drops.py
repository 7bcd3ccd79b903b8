"""What single images lose, foreground and background (figure 2)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis, has, verdict_of
from prunecxr.report.style import INK, new_figure, percent_axis
from prunecxr.report.wording import sparsity
from prunecxr.studies.localization.sections.answers import losers
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import PRUNING, REGIONS

LARGE = 0.4


def figure(findings: HtlFindings) -> Figure:
    """Distribution of the drops of single images."""
    histogram = findings.tables["drop_histogram"]
    figure, axes = new_figure(height=3.6)
    for (region, colour, _, _), hatch in zip(reversed(REGIONS), ("///", ""), strict=True):
        rows = histogram[histogram["region"] == region]
        axes.bar(
            rows["low"], rows["share"], rows["high"] - rows["low"], align="edge", color=colour, alpha=0.6,
            hatch=hatch, edgecolor="white", linewidth=0.4, label=region,
        )  # fmt: skip
    axes.axvline(LARGE, color=INK, linestyle=":", linewidth=1.3)
    axes.annotate(
        f" {sparsity(LARGE)} and more", (LARGE, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=8.5,
    )  # fmt: skip
    filled = histogram[histogram["share"] > 0]
    axes.set_xlim(filled["low"].min(), filled["high"].max())
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(1e-3, float(filled["share"].min())))
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis, decimals=1)
    axes.set_xlabel("share of its raw IoU that an image loses")
    axes.set_ylabel("share of the images (log scale)")
    figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


SECTION: Section[HtlFindings] = Section(
    name="drops",
    title="What single images lose (figure 2)",
    part=PRUNING,
    table=from_analysis("drops"),
    note="Raw IoU of the training images, means over seeds; share_large: those that lose 40% of it or more; undefined: "
    "images of which the dense network finds nothing.",
    figure=figure,
    caption=verdict_of(losers.answer),
    alt=lambda _: "Two histograms, foreground and background: share of its raw IoU that an image loses.",
    wanted=has("drop_histogram"),
)
