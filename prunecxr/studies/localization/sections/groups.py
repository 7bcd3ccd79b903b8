"""Sex and age of the patients of HTLs (figure 6)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import Section, from_analysis
from prunecxr.report.style import BLUE, INK, PALE, WIDTH, percent_axis
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import WHO, group, group_tests


def figure(findings: HtlFindings, variable: str) -> Figure:
    """Shares of groups of patients in the data and among the HTLs, and their mean drops."""
    rows = _rows(findings, variable).iloc[::-1]
    figure = Figure(figsize=(WIDTH, 1.3 + 0.42 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    at = np.arange(len(rows))
    left.barh(at + 0.19, rows["share"], 0.36, color=PALE, label="all images")
    left.barh(at - 0.19, rows["htl_share"], 0.36, color=BLUE, hatch="///", edgecolor="white", label="HTLs")
    ends = [rows["htl_share"] - (rows["excess"] - rows["excess_low"]),
            rows["htl_share"] + (rows["excess_high"] - rows["excess"])]  # fmt: skip
    left.hlines(at - 0.19, *ends, color=INK, linewidth=1.1)
    left.set_yticks(at, [f"{name}\n(n = {n:,})" for name, n in zip(rows["group"], rows["n"], strict=True)])
    left.set_xlabel("share")
    percent_axis(left.xaxis)
    right.hlines(at, rows["drop_low"], rows["drop_high"], color=INK, linewidth=1.1)
    right.plot(rows["mean_drop"], at, "o", color=INK, markersize=5)
    right.set_xlabel("mean drop in IoU")
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
        axes.set_xlim(left=0 if axes is left else None)
    left.set_ylim(-0.6, len(rows) - 0.4)
    figure.legend(*left.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def caption(findings: HtlFindings, variable: str) -> str:
    """Tests and every group of one variable."""
    listed = "; ".join(group(row) for row in _rows(findings, variable).itertuples(index=False))
    return f"{group_tests(findings, variable)} {listed}."


def alt(_findings: HtlFindings, variable: str) -> str:
    """What the figure shows."""
    return f"Two panels by {variable}: shares of all images and of the HTLs; mean drop of an image with interval."


def wanted(findings: HtlFindings, variable: str) -> bool:
    """Whether there are HTLs."""
    return bool(_rows(findings, variable)["htl_share"].notna().any())


def _rows(findings: HtlFindings, variable: str) -> pd.DataFrame:
    table = findings.tables["groups"]
    return table[table["variable"] == variable]


def figure_section(variable: str) -> Section[HtlFindings]:
    """The figure of one variable."""
    return Section(
        name=variable,
        title=f"{variable.capitalize()} of the patients (figure 6)",
        part=WHO,
        figure=partial(figure, variable=variable),
        caption=partial(caption, variable=variable),
        alt=partial(alt, variable=variable),
        wanted=partial(wanted, variable=variable),
    )


SECTIONS: tuple[Section[HtlFindings], ...] = (
    figure_section("sex"),
    figure_section("age"),
    Section(
        name="groups",
        title="Sex and age (figure 6)",
        table=from_analysis("groups"),
        note="The HTLs of all seeds are pooled; excess: htl_share minus share; drops: IoU of the dense network minus "
        "that of the pruned one; intervals are 95%, over patients; images of unknown sex or age are a group too.",
    ),
    Section(
        name="group_tests",
        title="Sex and age: tests",
        table=from_analysis("group_tests"),
        note="Known groups only; images of one patient count as one. HTL share: chi-square with a permutation P; mean "
        "drop: Kruskal-Wallis; p_holm: adjusted over the four tests.",
    ),
)
