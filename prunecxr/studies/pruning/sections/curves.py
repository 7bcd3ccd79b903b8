"""Forgettability curves of every class, raw and chance-corrected (figure 2)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_ends
from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, FREQUENT, INK, PALE, RARE, RED, new_figure, percent_axis, sparsity_axis
from prunecxr.report.tables import by_sparsity
from prunecxr.report.wording import count, percent, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    CLASSES,
    FIRST,
    MEASURED,
    MOST,
    ap,
    frequency,
    has_changes,
    highest,
    precision,
    table_of,
    title_of,
    twin,
)

NAMED = 3


def figure(findings: Findings, prefix: str) -> Figure:
    """Relative change in AP by sparsity, every class; the most and the least frequent are named."""
    curves, value = findings.tables["curves"], f"{prefix}relative_change"
    figure, axes = new_figure(height=4.4)
    named = _named(findings.tables["classes"], set(curves.dropna(subset=value)["class"]))
    ends = []
    for name, curve in curves.groupby("class", sort=False):
        if name not in named:
            axes.plot(curve["sparsity"], curve[value], color=PALE, linewidth=0.8, zorder=1)
    for name, (colour, line, marker) in named.items():
        curve = curves[curves["class"] == name].dropna(subset=value)
        axes.plot(
            curve["sparsity"], curve[value], color=colour, linestyle=line, marker=marker,
            markersize=3.5, linewidth=1.5, markerfacecolor="white" if line == "--" else colour, zorder=3,
        )  # fmt: skip
        ends.append((name, colour, curve["sparsity"].iloc[-1], curve[value].iloc[-1]))
    marks = {-0.2: "−20%", -1: "back at chance"} if prefix else {-0.2: "−20%"}
    for level, text in marks.items():
        axes.axhline(level, color=INK, linestyle=":", linewidth=1)
        axes.annotate(text, (0, level), xytext=(2, -3), textcoords="offset points", va="top", fontsize=8)
    sparsity_axis(axes)
    percent_axis(axes.yaxis)
    axes.set_ylabel(f"relative change in {ap(prefix)}\n(median over seeds)")
    label_ends(axes, ends)
    axes.set_title("solid: most frequent; dashed: rarest; gray: all others", fontsize=8.5, loc="left", color="0.3")
    return figure


def _named(classes: pd.DataFrame, drawn: set[str]) -> dict[str, tuple[str, str, str]]:
    """Class -> (colour, line, marker) of the most frequent and the rarest classes that have a curve."""
    known = classes[classes["class"].isin(drawn)]
    order = known["class"].iloc[np.argsort(-frequency(known).to_numpy(), kind="stable")].tolist()
    most = order[: min(NAMED, (len(order) + 1) // 2)]
    least = order[len(most) :][-NAMED:]
    styles = [(BLUE, *look) for look in FREQUENT[: len(most)]] + [(RED, *look) for look in RARE[: len(least)]]
    return dict(zip([*most, *least], styles, strict=True))


def caption(findings: Findings, prefix: str) -> str:
    """How far changes go, and how many are below -20%."""
    table, at = findings.tables["classes"].set_index("class"), sparsity(highest(findings))
    change = table[f"{prefix}{MOST}"].dropna()
    if change.empty:
        return "No class has a defined change."
    dropped = int(table[f"{prefix}{FIRST}"].notna().sum())
    seeds = count(int(findings.tables["overall"]["n"].iloc[0]), "seed")
    meaning = f" {percent(-1)} is back at chance." if prefix else ""
    return (
        f"At {at} sparsity, the highest, changes of {count(len(change), 'class', 'classes')} go from "
        f"{percent(change.min())} to {percent(change.max())}; {dropped} are below −20% at some sparsity. Medians over "
        f"{seeds}.{meaning}"
    )


def alt(_findings: Findings, prefix: str) -> str:
    """What the figure shows."""
    return (
        f"One line per class: relative change in {precision(prefix)} by sparsity; the most frequent and the rarest "
        "are named."
    )


def figure_section(prefix: str) -> Section[Findings]:
    """The figure of one measure."""
    return Section(
        name=twin("forgettability_curves", prefix),
        title=title_of("Forgettability curves (figure 2)", prefix),
        part=CLASSES,
        figure=partial(figure, prefix=prefix),
        caption=partial(caption, prefix=prefix),
        alt=partial(alt, prefix=prefix),
        wanted=partial(has_changes, prefix=prefix),
    )


def table_section(prefix: str) -> Section[Findings]:
    """The table of one measure."""
    change = "change relative to AP above chance" if prefix else "relative change in AP"
    return Section(
        name=f"{prefix}curves",
        title=title_of("Forgettability curves", prefix),
        table=table_of("curves", partial(by_sparsity, value=f"{prefix}relative_change")),
        note=f"Median over seeds of the {change}; one column per sparsity.",
        csv=not prefix,
    )


SECTIONS = (*map(figure_section, MEASURED), *map(table_section, MEASURED))
