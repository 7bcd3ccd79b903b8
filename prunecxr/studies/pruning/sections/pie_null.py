"""Classes and numbers of diseases in PIEs beyond what two dense populations show."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, PALE, log_ticks, new_figure, ratio_label
from prunecxr.report.wording import count, short
from prunecxr.studies.pruning.sections.answers.exemplars import sentence
from prunecxr.studies.pruning.sections.exemplars import enrichment
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import IMAGES, table_of

WIDEST = 50.0  # no excess is drawn further than this from 1


def figure(findings: Findings) -> Figure:
    """Share in PIEs of dense against pruned and of dense against dense networks, and the excess of the one."""
    rows = _rows(findings)
    figure, axes = new_figure(height=1.3 + 0.24 * len(rows))
    values = rows[["ratio", "null_ratio", "excess", "low", "high"]].to_numpy(np.float64).ravel()
    values = values[np.isfinite(values) & (values > 0)]
    low, high = max(values.min(initial=0.5) / 1.3, 1 / WIDEST), min(values.max(initial=2.0) * 1.3, WIDEST)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    for y, (_, row) in enumerate(rows.iterrows()):
        _excess(axes, y, row)
    axes.axvline(1, color=INK, linewidth=1.2, linestyle=":")
    few = np.where(rows["few"], ", few", "")
    labels = [
        f"{short(name)} ({n:,}{mark})" for name, n, mark in zip(rows["value"], rows["image_count"], few, strict=True)
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(visible=False, axis="y")
    log_ticks(axes.xaxis, low, high, FuncFormatter(ratio_label))
    figure.supxlabel("excess of the share in PIEs over dense against dense (log scale)", fontsize=9)
    axes.set_ylabel("class (test images)")
    return figure


def _excess(axes: Axes, y: int, row: pd.Series) -> None:
    """The excess with its interval, dark where the one of all classes together excludes 1."""
    if np.isnan(row["excess"]):
        axes.text(1.05, y, "in no PIE", ha="left", va="center", fontsize=7.5, color="0.35")
        return
    clear = row["adjusted_low"] > 1 or row["adjusted_high"] < 1
    colour = BLUE if clear else PALE
    if not np.isnan(row["low"]):
        axes.hlines(y, row["low"], row["high"], color=colour, linewidth=2.4 if clear else 1.6, zorder=2)
    axes.plot([row["excess"]], [y], marker="o", markersize=4.5, color=BLUE if clear else INK, zorder=3)


def caption(findings: Findings) -> str:
    """The verdict, and what the excess is."""
    row = _rows(findings).iloc[0]
    return (
        f"{sentence(enrichment(findings))} Excess: share in PIEs over share in other images, dense against pruned "
        f"networks, divided by the same of dense against dense ones; {count(int(row['seeds']), 'seed')}, "
        f"{count(int(row['splits']), 'parting')}. Lines are 95% intervals over patients and seeds, blue where the "
        "wider ones of all classes together exclude 1; 'few' marks classes of fewer than 10 images or patients, which "
        "support no claim."
    )


def wanted(findings: Findings) -> bool:
    """Whether there is a control, and any PIE."""
    null = findings.tables.get("pie_null")
    return null is not None and bool(null["excess"].notna().any())


def _rows(findings: Findings) -> pd.DataFrame:
    """The classes, the most frequent last."""
    table = findings.tables["pie_null"]
    return table[table["group"] == "class"].sort_values("image_count", kind="stable")


SECTIONS: tuple[Section[Findings], ...] = (
    Section(
        name="pie_excess",
        title="Classes in PIEs beyond dense against dense",
        part=IMAGES,
        figure=figure,
        caption=caption,
        alt=lambda _: (
            "One point per class: how much more often PIEs of pruned networks have it than PIEs of dense ones."
        ),
        wanted=wanted,
    ),
    Section(
        name="pie_null",
        title="Classes and numbers of diseases in PIEs beyond dense against dense",
        table=table_of("pie_null"),
        note="ratio: share in PIEs over share in other images, dense networks of one part of the seeds against pruned "
        "ones of the other; null_ratio: against dense ones of the other; both geometric means over partings, with half "
        "an image added to every count. excess: ratio over null_ratio; low and high: its 95% interval over patients "
        "and seeds; adjusted_low and adjusted_high: those that hold for all classes, or all numbers of diseases, "
        "together. few: fewer than 10 images, or images of fewer than 10 patients: no claim. Empty where no PIE has "
        "the class.",
    ),
)
