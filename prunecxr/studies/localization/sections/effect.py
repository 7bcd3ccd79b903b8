"""Effect of the pruned share on foreground and background (table 1)."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis, verdict_of
from prunecxr.report.style import INK, WIDTH, percent_axis
from prunecxr.report.wording import sparsity
from prunecxr.studies.localization.sections.answers import regions
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import PRUNING, REGIONS

# Columns of the mean and its SD, and what the panel shows: the scale without a floor first.
ABOVE = ("above_{}", "above_sd_{}", "above a mask that marks nothing")
RAW = ("drop_{}", "sd_{}", "of the raw IoU")


def figure(findings: HtlFindings) -> Figure:
    """Share that each region loses, by pruned share, with SD over seeds: above the floor, and of the raw IoU."""
    table = findings.tables["effect"]
    panels = [panel for panel in (ABOVE, RAW) if table[panel[0].format("foreground")].notna().any()]
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for one, panel in zip(axes, panels, strict=True):
        _panel(one, findings, panel)
    axes[0].set_ylabel("share lost (mean ± SD over seeds)")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def _panel(axes: Axes, findings: HtlFindings, panel: tuple[str, str, str]) -> None:
    table, (mean, spread, title) = findings.tables["effect"], panel
    for region, colour, marker, line in REGIONS:
        axes.errorbar(
            table["fraction"], table[mean.format(region)], table[spread.format(region)].fillna(0), color=colour,
            marker=marker, linestyle=line, markersize=5, linewidth=1.6, capsize=4, label=region,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xticks(table["fraction"], [sparsity(k) for k in table["fraction"]])
    axes.set_xlabel("pruned share of the weights")
    axes.set_title(title, fontsize=9)
    percent_axis(axes.yaxis)


def wanted(findings: HtlFindings) -> bool:
    """Whether any share has a difference."""
    return "effect" in findings.tables and bool(findings.tables["effect"]["difference"].notna().any())


SECTION: Section[HtlFindings] = Section(
    name="effect",
    title="Effect of the pruned share (table 1)",
    part=PRUNING,
    table=from_analysis("effect"),
    note="Training images. drop: share of the raw mean IoU that is lost; sd: over seeds; low, high: 95% interval of "
    "the difference over patients, these networks given. above: share that is lost of what the dense network has above "
    "a mask that marks nothing; its interval and P are over seeds and patients, p_holm over the pruned shares; "
    "above_seeds: seeds whose dense network is above that mask in both regions; at_floor: the foreground has lost 95% "
    "of it or more, and there is no test.",
    figure=figure,
    caption=verdict_of(regions.answer),
    alt=lambda _: (
        "Two panels with two lines each, foreground and background, by pruned share of the weights: the share lost "
        "above a mask that marks nothing, and the share lost of the raw IoU."
    ),
    wanted=wanted,
)
