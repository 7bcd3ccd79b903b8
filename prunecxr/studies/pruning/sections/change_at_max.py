"""What is forgotten most, against training frequency, raw and chance-corrected (figure 3, right)."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from prunecxr.report.labelling import label_points
from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, frequency_axis, new_figure, percent_axis, state
from prunecxr.report.wording import short, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    CLASSES,
    MEASURED,
    MOST,
    ap,
    frequency_caption,
    has_counts,
    highest,
    precision,
    title_of,
    twin,
)


def figure(findings: Findings, prefix: str) -> Figure:
    """Relative change in AP at the highest sparsity against training frequency."""
    classes, correlations = findings.tables["classes"], findings.tables["correlations"]
    change = f"{prefix}{MOST}"
    figure, axes = new_figure()
    known = classes[(classes["train_count"] > 0) & classes[change].notna()]
    axes.scatter(known["train_count"], known[change], s=26, color=BLUE, zorder=3)
    percent_axis(axes.yaxis)
    axes.set_ylabel(f"relative change in {ap(prefix)}\nat {sparsity(highest(findings))} sparsity")
    frequency_axis(axes, known["train_count"])
    state(axes, correlations[correlations["y"] == change].iloc[0], "classes")
    axes.margins(y=0.15)
    label_points(axes, known["train_count"], known[change], known["class"].map(short), size=7.5)
    return figure


def alt(findings: Findings, prefix: str) -> str:
    """What the figure shows."""
    return (
        f"One point per class: relative change in {precision(prefix)} at {sparsity(highest(findings))} sparsity "
        "against training frequency."
    )


def figure_section(prefix: str) -> Section[Findings]:
    """The figure of one measure."""
    return Section(
        name=twin("change_at_max", prefix),
        title=title_of("What is forgotten most (figure 3, right)", prefix),
        part=CLASSES,
        figure=partial(figure, prefix=prefix),
        caption=partial(frequency_caption, y=MOST, prefix=prefix),
        alt=partial(alt, prefix=prefix),
        wanted=partial(has_counts, prefix=prefix),
    )


SECTIONS = tuple(map(figure_section, MEASURED))
