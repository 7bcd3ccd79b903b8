"""How often images of each planted subgroup are HTLs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis
from prunecxr.report.style import BLUE, INK, PALE, new_figure, percent_axis
from prunecxr.report.wording import percent
from prunecxr.studies.localization.sections import planted
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import WHO


def figure(findings: HtlFindings) -> Figure:
    """Share of each planted subgroup that are HTLs, with intervals."""
    rows = findings.tables["subgroups"].iloc[::-1]
    figure, axes = new_figure(height=1.1 + 0.42 * len(rows))
    at = np.arange(len(rows))
    axes.barh(at, rows["htl_rate"], 0.6, color=[PALE if name == "common" else BLUE for name in rows["subgroup"]])
    axes.hlines(at, rows["low"], rows["high"], color=INK, linewidth=1.2)
    axes.set_yticks(at, [f"{name} (n = {n:,})" for name, n in zip(rows["subgroup"], rows["n"], strict=True)])
    axes.set_xlim(0, 1)
    percent_axis(axes.xaxis)
    axes.set_xlabel("share that are HTLs")
    axes.grid(visible=False, axis="y")
    return figure


def caption(findings: HtlFindings) -> str:
    """The shares."""
    rows = (
        f"{row.subgroup} {percent(row.htl_rate)} ({percent(row.low)} to {percent(row.high)})"
        for row in findings.tables["subgroups"].itertuples(index=False)
    )
    return f"Share of the images that are HTLs, mean over seeds, with 95% intervals: {', '.join(rows)}."


SECTION: Section[HtlFindings] = Section(
    name="subgroups",
    title="Planted subgroups",
    part=WHO,
    table=from_analysis("subgroups"),
    note="htl_rate: share of the images that are HTLs, mean over seeds; interval over images.",
    figure=figure,
    caption=caption,
    alt=lambda _: "One bar per planted subgroup: share of its images that are HTLs, with interval.",
    wanted=planted.wanted,
)
