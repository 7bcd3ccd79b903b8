"""What chance correction does to the change of every class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, PALE, RED, new_figure, percent_axis
from prunecxr.report.wording import count, percent, short, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import (
    CLASSES,
    CORRECTED,
    MEASURED,
    MOST,
    frequency,
    has_changes,
    highest,
)

NEARLY_ALL = 0.9


def figure(findings: Findings) -> Figure:
    """Raw and chance-corrected change of every class, rarest at the bottom, with the most that raw AP can fall."""
    known = findings.tables["classes"].dropna(subset=[MOST])
    known = known.iloc[np.argsort(frequency(known).to_numpy(), kind="stable")]
    figure, axes = new_figure(height=1.4 + 0.19 * len(known))
    rows = np.arange(len(known))
    raw, corrected = known[MOST], known[f"{CORRECTED}{MOST}"]
    axes.hlines(rows, raw, corrected, color=PALE, linewidth=1.5, zorder=1)
    axes.scatter(
        known["floor_at_max"], rows, marker="|", s=80, color=INK, linewidth=1.3, label="forgotten entirely (raw)"
    )
    axes.scatter(raw, rows, s=26, color=BLUE, label="raw AP", zorder=3)
    axes.scatter(corrected, rows, s=28, marker="D", facecolor="white", edgecolor=RED, linewidth=1.4,
                 label="chance-corrected", zorder=3)  # fmt: skip
    counts = frequency(known)
    axes.set_yticks(rows, [f"{short(name)} ({n:,.0f})" for name, n in zip(known["class"], counts, strict=True)])
    axes.grid(visible=False, axis="y")
    percent_axis(axes.xaxis)
    axes.set_xlabel(f"relative change in AP at {sparsity(highest(findings))} sparsity")
    axes.set_ylabel("class (images)")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8, handletextpad=0.2, columnspacing=1)
    return figure


def caption(findings: Findings) -> str:
    """How far raw AP can fall, and how many classes have come near."""
    table = findings.tables["classes"].dropna(subset=[MOST, f"{CORRECTED}{MOST}"])
    lost = int((table[f"{CORRECTED}{MOST}"] < -NEARLY_ALL).sum())
    return (
        "A class that is forgotten entirely still scores AP = prevalence, so raw AP cannot fall below the black mark. "
        f"Measured from chance, {lost} of {count(len(table), 'class', 'classes')} have lost more than "
        f"{percent(NEARLY_ALL)} of what the dense models knew at {sparsity(highest(findings))} sparsity."
    )


def alt(findings: Findings) -> str:
    """What the figure shows."""
    return (
        f"For every class the raw and the chance-corrected relative change at {sparsity(highest(findings))} sparsity, "
        "and the raw change of a class that is forgotten entirely."
    )


SECTION: Section[Findings] = Section(
    name="chance_correction",
    title="Raw and chance-corrected change",
    part=CLASSES,
    figure=figure,
    caption=caption,
    alt=alt,
    wanted=lambda findings: any(has_changes(findings, prefix) for prefix in MEASURED),
)
