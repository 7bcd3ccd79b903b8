"""What several elements of the report have in common: parts, names, and how differences and groups are worded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.section import from_analysis
from prunecxr.report.style import BLUE, INK, RED, new_figure
from prunecxr.report.wording import TIED, number, p_value, percent
from prunecxr.studies.localization.arms import ARMS
from prunecxr.studies.localization.sections.findings import HtlFindings

PRUNING, ATTENDING, WHO = "Pruning", "Fine-tuning", "Who the HTLs are"
REGIONS = (("foreground", RED, "o", "-"), ("background", BLUE, "s", "--"))
APPROACHES = {
    "plain": "no fine-tuning (baseline 1)",
    "htl": "HTLs",
    **{name: arm.words for name, arm in ARMS.items()},
}
METHODS = {
    "magnitude": "unstructured magnitude",
    "magnitude@channel": "structured magnitude",
    "magnitude@layer": "magnitude by layer",
    "random": "random",
    "random@channel": "random channels",
}


def method(name: str) -> str:
    """A pruning method in words."""
    return METHODS.get(name, name)


def approach(name: str) -> str:
    """An approach in words."""
    by = name.partition(":")[2]
    return f"HTLs of {method(by)} pruning" if by else APPROACHES.get(name, name)


def tuned_by(name: str, findings: HtlFindings) -> str:
    """The pruning method whose HTLs an approach is fine-tuned on."""
    return method(name.partition(":")[2] or findings.method)


def lost(value: float) -> str:
    """A share that is lost, as a whole percentage: no sign before a zero."""
    return percent(round(value, 2) + 0.0)


def in_words(name: str) -> Callable[[HtlFindings], pd.DataFrame | None]:
    """A table of the analysis, its approaches by what they are; a table without rows has no columns."""

    def shape(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(approach=[approach(one) for one in table["approach"]]) if len(table) else table

    return from_analysis(name, shape)


def difference(row: Any) -> str:
    """'+0.012 (−0.010 to 0.034, P = 0.14 after Holm)', over seeds and patients; over patients alone for one seed."""
    sign = "+" if row.difference > 0 else ""
    value = f"{sign}{number(row.difference, 3)}"
    if np.isnan(row.low):
        return f"{value} (one seed; over patients {number(row.low_images, 3)} to {number(row.high_images, 3)})"
    return f"{value} ({number(row.low, 3)} to {number(row.high, 3)}, {p_value(row.p_holm)} after Holm)"


def differences(table: pd.DataFrame, label: Callable[[str], str], xlabel: str) -> Figure:
    """Differences in foreground IoU with their intervals: over seeds and patients, and over patients alone.

    Args:
        table: rows of :func:`prunecxr.studies.localization.analysis.htl.paired`.
        label: approach -> what to call it.
    """
    rows = table[table["metric"] == "foreground"].iloc[::-1]
    figure, axes = new_figure(height=1.5 + 0.42 * len(rows))
    for y, row in enumerate(rows.itertuples(index=False)):
        axes.hlines(y, row.low, row.high, color=BLUE, linewidth=2.4)
        axes.hlines(y - 0.2, row.low_images, row.high_images, color=RED, linewidth=1.3, linestyle="--")
        axes.plot([row.difference], [y], "o", color=INK, markersize=5, zorder=3)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.plot([], [], color=BLUE, linewidth=2.4, label="95% over seeds and patients")
    axes.plot([], [], color=RED, linewidth=1.3, linestyle="--", label="over patients, these networks")
    axes.set_yticks(range(len(rows)), [label(name) for name in rows["approach"]])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    figure.supxlabel(xlabel, fontsize=9)
    figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def group_tests(findings: HtlFindings, variable: str) -> str:
    """Both tests of one variable, `sex` or `age`."""
    tests = findings.tables["group_tests"].set_index(["variable", "what"])
    share, drop = tests.loc[(variable, "htl share")], tests.loc[(variable, "mean drop")]
    unknown = f", {int(share.n_unknown):,} more of unknown {variable} left out" if share.n_unknown else ""
    return (
        f"{variable.capitalize()} (n{TIED}={TIED}{int(share.n):,} images{unknown}): how often images are HTLs "
        f"{p_value(share.p_holm)}, what pruning costs them {p_value(drop.p_holm)} (four tests, after Holm)."
    )


def group(row: Any) -> str:
    """Shares and mean drop of one group of patients."""
    return (
        f"{row.group} {percent(row.share)} of images, {percent(row.htl_share)} of HTLs, mean drop "
        f"{number(row.mean_drop)} ({number(row.drop_low)} to {number(row.drop_high)})"
    )
