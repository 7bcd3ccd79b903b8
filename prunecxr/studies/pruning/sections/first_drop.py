"""What is forgotten first, against training frequency, raw and chance-corrected (figure 3, left)."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from prunecxr.report.labelling import label_points
from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, RED, frequency_axis, new_figure, percent_axis, state
from prunecxr.report.wording import short
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    CLASSES,
    FIRST,
    MEASURED,
    ap,
    frequency_caption,
    has_counts,
    precision,
    title_of,
    twin,
)


def figure(findings: Findings, prefix: str) -> Figure:
    """First sparsity with a 20% drop against training frequency; censored classes on top."""
    classes, correlations = findings.tables["classes"], findings.tables["correlations"]
    drop, late = f"{prefix}{FIRST}", f"{prefix}censored"
    figure, axes = new_figure()
    known = classes[(classes["train_count"] > 0) & (classes[drop].notna() | classes[late])]
    never = 1.03
    height = known[drop].where(~known[late], never)
    seen = ~known[late]
    axes.scatter(known["train_count"][seen], height[seen], s=26, color=BLUE, zorder=3)
    axes.scatter(
        known["train_count"][~seen], height[~seen], s=34, marker="^", facecolor="white", edgecolor=RED, zorder=3
    )
    if (~seen).any():
        axes.annotate("never", (0, never), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8, color=RED)  # fmt: skip
    percent_axis(axes.yaxis)
    axes.set_ylabel(f"first sparsity with a median drop > 20%\nin {ap(prefix)}")
    frequency_axis(axes, known["train_count"])
    state(axes, correlations[correlations["y"] == drop].iloc[0], "classes")
    axes.margins(y=0.15)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1])
    label_points(axes, known["train_count"], height, known["class"].map(short), size=7.5)
    return figure


def alt(_findings: Findings, prefix: str) -> str:
    """What the figure shows."""
    return f"One point per class: first sparsity with a 20% drop in {precision(prefix)} against training frequency."


def figure_section(prefix: str) -> Section[Findings]:
    """The figure of one measure."""
    return Section(
        name=twin("first_drop", prefix),
        title=title_of("What is forgotten first (figure 3, left)", prefix),
        part=CLASSES,
        figure=partial(figure, prefix=prefix),
        caption=partial(frequency_caption, y=FIRST, prefix=prefix),
        alt=partial(alt, prefix=prefix),
        wanted=partial(has_counts, prefix=prefix),
    )


SECTIONS = tuple(map(figure_section, MEASURED))
