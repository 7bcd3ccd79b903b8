"""Effect of the pruned share on foreground and background (table 1)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis, verdict_of
from prunecxr.report.style import INK, new_figure, percent_axis
from prunecxr.report.wording import sparsity
from prunecxr.studies.localization.sections.answers import regions
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import PRUNING, REGIONS


def figure(findings: HtlFindings) -> Figure:
    """Share of its IoU that each region loses, by pruned share, with SD over seeds."""
    table = findings.tables["effect"]
    figure, axes = new_figure(height=3.6)
    for region, colour, marker, line in REGIONS:
        axes.errorbar(
            table["fraction"], table[f"drop_{region}"], table[f"sd_{region}"].fillna(0), color=colour,
            marker=marker, linestyle=line, markersize=5, linewidth=1.6, capsize=4, label=region,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(table["fraction"], [sparsity(k) for k in table["fraction"]])
    axes.set_xlabel("pruned share of the weights")
    axes.set_ylabel("share of its IoU lost (mean ± SD)")
    percent_axis(axes.yaxis)
    axes.legend(frameon=False)
    return figure


def wanted(findings: HtlFindings) -> bool:
    """Whether any share has a difference."""
    return "effect" in findings.tables and bool(findings.tables["effect"]["difference"].notna().any())


SECTION: Section[HtlFindings] = Section(
    name="effect",
    title="Effect of the pruned share (table 1)",
    part=PRUNING,
    table=from_analysis("effect"),
    note="Relative drop of the mean IoU of the training images; sd: over seeds; low, high: 95% interval of the "
    "difference, over patients.",
    figure=figure,
    caption=verdict_of(regions.answer),
    alt=lambda _: "Two lines, foreground and background: share of the IoU that is lost by pruned share of the weights.",
    wanted=wanted,
)
