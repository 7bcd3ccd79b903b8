"""What is found and missed at the threshold of the dense network, kept for its pruned variants."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_ends
from prunecxr.report.section import Section, has
from prunecxr.report.style import PALE, new_figure, percent_axis, sparsity_axis
from prunecxr.report.wording import count, number, percent, sparsity
from prunecxr.studies.pruning.analysis.rankings import FEW
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import CLASSES, LINES, table_of

NAMED = 3


def figure(findings: Findings) -> Figure:
    """Sensitivity by sparsity, every class with enough positives; those that lose most are named."""
    table = _shown(findings)
    figure, axes = new_figure(height=4.2)
    named, ends = dict(zip(_losses(table).index[:NAMED], LINES, strict=False)), []
    for name, curve in table.groupby("class", sort=False):
        if name not in named:
            axes.plot(curve["sparsity"], curve["sensitivity"], color=PALE, linewidth=0.8, zorder=1)
            continue
        colour, line, marker = named[name]
        x, low, high = curve["sparsity"], curve["sensitivity_low"], curve["sensitivity_high"]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, curve["sensitivity"], color=colour, linestyle=line, marker=marker, markersize=3.5, zorder=3)
        ends.append((name, colour, x.iloc[-1], curve["sensitivity"].iloc[-1]))
    sparsity_axis(axes)
    percent_axis(axes.yaxis)
    axes.set_ylabel("sensitivity at the kept threshold\n(median over seeds)")
    label_ends(axes, ends)
    return figure


def caption(findings: Findings) -> str:
    """What the classes lose together, and which loses most."""
    table = _shown(findings)
    last = table["sparsity"].max()
    losses, middle = _losses(table), table.groupby("sparsity")[["sensitivity", "missed_per_1000"]].median()
    most, rows = losses.index[0], table.set_index(["class", "sparsity"])
    dense, pruned = rows.loc[(most, 0.0)], rows.loc[(most, last)]
    return (
        "The threshold of each seed is the one at which its dense network has "
        f"{percent(table['asked_specificity'].iloc[0])} specificity on validation images. From the dense networks to "
        f"{sparsity(last)} sparsity sensitivity goes from {number(middle['sensitivity'].loc[0.0])} to "
        f"{number(middle['sensitivity'].loc[last])} and missed positive images from "
        f"{number(middle['missed_per_1000'].loc[0.0], 1)} to {number(middle['missed_per_1000'].loc[last], 1)} in 1,000 "
        f"(medians over {count(len(losses), 'class', 'classes')} with {FEW} test positives or more). The largest "
        f"change is that of {most}: {number(dense['sensitivity'])} to {number(pruned['sensitivity'])} "
        f"(95% {number(pruned['sensitivity_low'])} to {number(pruned['sensitivity_high'])}). Bands: 95% intervals over "
        "seeds and patients."
    )


def alt(_findings: Findings) -> str:
    """What the figure shows."""
    return (
        "One line per class: sensitivity by sparsity at the dense network's threshold; the classes that lose most are "
        "named and have bands."
    )


def wanted(findings: Findings) -> bool:
    """Whether any class with enough positives has a sensitivity at two sparsities."""
    return has("operating_points")(findings) and bool(len(_losses(_shown(findings))))


def _shown(findings: Findings) -> pd.DataFrame:
    table = findings.tables["operating_points"]
    return table[(table["test_count"] >= FEW) & table["sensitivity"].notna()]


def _losses(table: pd.DataFrame) -> pd.Series:
    """Change in sensitivity from dense to the highest sparsity, by class, the largest loss first."""
    wide = table.pivot_table(index="class", columns="sparsity", values="sensitivity")
    if 0.0 not in wide or len(wide.columns) < 2:
        return pd.Series(dtype=np.float64)
    return (wide[wide.columns.max()] - wide[0.0]).dropna().sort_values(kind="stable")


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="sensitivity",
        title="Sensitivity at the dense network's threshold",
        part=CLASSES,
        figure=figure,
        caption=caption,
        alt=alt,
        wanted=wanted,
    ),
    Section(
        name="operating_points",
        title="Operating points",
        table=table_of("operating_points"),
        note="Medians over seeds with 95% intervals over seeds and patients. missed_per_1000: positive images below "
        "the threshold, flagged_per_1000: all images above it, both per 1,000 test images. Sensitivity and missed "
        f"images depend on few images where test_count is below {FEW}.",
    ),
)
