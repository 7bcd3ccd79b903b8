"""Classes and numbers of diseases in pruning-identified exemplars (figure 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from prunecxr.report.section import Section
from prunecxr.report.style import BLUE, INK, PALE, log_ticks, new_figure, ratio_label
from prunecxr.report.wording import count, listing, short
from prunecxr.studies.pruning.sections.exemplars import at_sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import IMAGES, table_of


@dataclass(frozen=True)
class Ratios:
    """The figure of one group of rows: `class` or `diseases`.

    Attributes:
        label: of the axis.
        bar: what a bar stands for.
    """

    group: str
    label: str
    bar: str

    def figure(self, findings: Findings) -> Figure:
        """Share in PIEs relative to other images, with patient-bootstrap intervals."""
        rows = self._rows(findings)
        counts = rows["pie_count"] + rows["non_pie_count"]
        rows = rows.iloc[np.argsort(counts, kind="stable")] if self.group == "class" else rows.iloc[::-1]
        figure, axes = new_figure(height=1.1 + 0.21 * len(rows))
        low, high = _limits(rows)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        for y, row in enumerate(rows.itertuples()):
            _bar(axes, y, row, low, high)
        axes.axvline(1, color=INK, linewidth=1.2, linestyle=":")
        few = np.where(rows["few"], ", few", "")
        labels = [
            f"{short(value)} ({n:,}{mark})"
            for value, n, mark in zip(rows["value"], counts[rows.index], few, strict=True)
        ]
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.grid(visible=False, axis="y")
        log_ticks(axes.xaxis, low, high, FuncFormatter(ratio_label))
        figure.supxlabel("share in PIEs / share in other images (log scale)", fontsize=9)
        axes.set_ylabel(self.label)
        return figure

    def caption(self, findings: Findings) -> str:
        """Which classes, or numbers of diseases, differ between PIEs and other images."""
        table, pies = self._rows(findings), findings.tables["pies"]
        parts = [
            f"{what} frequent among PIEs: {listing(rows['value'])}"
            for what, rows in (("more", table[table["adjusted_low"] > 1]), ("less", table[table["adjusted_high"] < 1]))
            if len(rows)
        ]
        words = "; ".join(parts) or f"no {self.bar} is shown to be more or less frequent"
        members, patients = int(pies["is_pie"].sum()), pies["subject_id"].nunique()
        return (
            f"{words[0].upper()}{words[1:]}. n = {members:,} PIEs and "
            f"{int(pies['agreement'].notna().sum()) - members:,} other images of {count(patients, 'patient')}"
            f"{at_sparsity(findings)}. Lines are 95% intervals of a bootstrap over patients; bars are gray where the "
            "wider intervals that hold for all bars together include 1, or where fewer than 10 images or patients "
            "('few') support no claim. Two dense populations show such differences, too: what pruning adds is the "
            "excess."
        )

    def alt(self, _findings: Findings) -> str:
        """What the figure shows."""
        return (
            f"One bar per {self.bar}: share in pruning-identified exemplars relative to other images, with intervals."
        )

    def wanted(self, findings: Findings) -> bool:
        """Whether there are PIEs."""
        return "pie_ratios" in findings.tables and bool(findings.tables["pie_ratios"]["pie_count"].any())

    def _rows(self, findings: Findings) -> pd.DataFrame:
        table = findings.tables["pie_ratios"]
        return table[table["group"] == self.group]


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits of the log axis: every finite ratio and its interval, but no further than 50 times around 1."""
    values = rows[["ratio", "low", "high"]].to_numpy(np.float64).ravel()
    values = values[np.isfinite(values) & (values > 0)]
    low, high = min(values.min(initial=0.5), 0.5), max(values.max(initial=2.0), 2.0)
    return max(low / 1.3, 0.02), min(high * 1.3, 50.0)


def _bar(axes: Axes, y: int, row: Any, low: float, high: float) -> None:
    """A bar from 1 to the ratio, its interval, and words where a log axis has no place for it."""
    ratio, ends = row.ratio, np.clip([row.low, row.high], low, high)
    text: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 7.5, "color": "0.35"}
    if np.isnan(ratio):
        axes.text(1.05, y, "no such image", **text)
        return
    if ratio == 0 or np.isinf(ratio):
        axes.text(1.05, y, "not in PIEs" if ratio == 0 else "only in PIEs", **text)
        return
    clear = row.adjusted_low > 1 or row.adjusted_high < 1
    axes.barh(y, ratio - 1, left=1, height=0.62, color=BLUE if clear else PALE, zorder=2)
    axes.hlines(y, *ends, color=INK, linewidth=1.1, zorder=3)
    axes.plot([ratio], [y], marker="o", markersize=3.5, color=INK, zorder=4)


def figure_section(name: str, title: str, ratios: Ratios) -> Section[Findings]:
    """The figure of one group."""
    return Section(
        name=name,
        title=title,
        part=IMAGES,
        figure=ratios.figure,
        caption=ratios.caption,
        alt=ratios.alt,
        wanted=ratios.wanted,
    )


SECTIONS: tuple[Section[Findings], ...] = (
    figure_section("pie_classes", "Classes in PIEs (figure 5, left)", Ratios("class", "class (test images)", "class")),
    figure_section(
        "pie_diseases",
        "Number of diseases in PIEs (figure 5, right)",
        Ratios("diseases", "diseases (test images)", "number of diseases"),
    ),
    Section(
        name="pie_ratios",
        title="Classes and numbers of diseases in PIEs",
        table=table_of("pie_ratios"),
        note="low and high: 95% interval from a bootstrap over patients; adjusted_low and adjusted_high: those that "
        "hold for all classes, or all numbers of diseases, together; few: fewer than 10 images, or images of fewer "
        "than 10 patients: no claim.",
    ),
)
