"""Figures of pairs of classes and of pruning-identified exemplars, from tidy tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from prunecxr.report.labelling import label_points
from prunecxr.report.style import BLUE, INK, PALE, RED, log_ticks, new_figure, ratio_label, state, styled
from prunecxr.report.wording import number, short
from prunecxr.studies.pruning.sections.findings import GalleryItem

AXES_OF_PAIRS = {
    "log_freq_diff": "difference in log test frequency, |LogFreqDiff|",
    "iou_fourth_root": "co-occurrence, IoU$^{1/4}$",
}
LINES = {0.1: ":", 0.5: "--", 0.9: "-"}  # quantile of the difference in frequency -> line
LOOKS = ((INK, "^"), (RED, "s"), (BLUE, "o"))


def pairs(
    pair_table: pd.DataFrame,
    correlations: pd.DataFrame,
    x: str,
    definition: str,
    highlight: tuple[str, str] | None = None,
    y: str = "fcd",
) -> Figure:
    """FCD (or ``chance_corrected_fcd``) of every pair of classes against ``log_freq_diff`` or ``iou_fourth_root``.

    The paper's figures 4 and 7.
    """
    with styled():
        figure, axes = new_figure()
        table = pair_table.dropna(subset=[f"{y}_{definition}", f"{x}_{definition}"])
        across, fcd = table[f"{x}_{definition}"], table[f"{y}_{definition}"]
        axes.scatter(across, fcd, s=16, color=BLUE, alpha=0.55, linewidth=0, zorder=2)
        axes.set_xlabel(AXES_OF_PAIRS[x], parse_math=True)
        axes.set_ylabel(_fcd_label(y, definition))
        rows = correlations[(correlations["definition"] == definition) & (correlations["y"] == y)]
        state(axes, rows[rows["x"] == x].iloc[0], "pairs")
        marked = _marked(table, fcd, highlight)
        if marked.any():
            axes.scatter(across[marked], fcd[marked], s=40, facecolor="none", edgecolor=INK, linewidth=1.3, zorder=4)
            names = [
                f"{short(a)} &\n{short(b)}"
                for a, b in table.loc[marked, ["class_a", "class_b"]].itertuples(index=False)
            ]
            label_points(axes, across[marked], fcd[marked], names, size=7.5, avoid=(across, fcd))
    return figure


def interaction(effects: pd.DataFrame, definition: str, y: str = "fcd") -> Figure:
    """Partial effect of co-occurrence in equation 2: the fit at a small, middle and large difference in frequency.

    ``effects`` is the table of :func:`analysis.pairs.partial_effects`. Lines of different slope are the
    interaction.
    """
    with styled():
        figure, axes = new_figure()
        rows = effects[(effects["definition"] == definition) & (effects["y"] == y)]
        for (quantile, line), (colour, marker) in zip(LINES.items(), LOOKS, strict=True):
            part = rows[rows["quantile"] == quantile]
            difference = part["log_freq_diff"].iloc[0]
            axes.fill_between(part["iou_fourth_root"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                part["iou_fourth_root"], part["fitted"], color=colour, linestyle=line, marker=marker, markevery=5,
                markersize=4, linewidth=1.6, label=f"{difference:.2f} ({100 * quantile:.0f}th percentile of pairs)",
            )  # fmt: skip
        axes.set_xlabel(AXES_OF_PAIRS["iou_fourth_root"], parse_math=True)
        axes.set_ylabel(f"fitted {_fcd_label(y, definition)}")
        axes.legend(
            title="at a difference in log frequency of", frameon=False, fontsize=7.5, title_fontsize=7.5, loc="best"
        )
    return figure


def pie_ratios(table: pd.DataFrame, group: str) -> Figure:
    """Share in PIEs relative to other images, with patient-bootstrap intervals (figure 5).

    ``group`` is ``class`` or ``diseases``.
    """
    with styled():
        rows = table[table["group"] == group]
        if group == "class":
            rows = rows.iloc[np.argsort(rows["pie_count"] + rows["non_pie_count"], kind="stable")]
        else:
            rows = rows.iloc[::-1]
        figure, axes = new_figure(height=1.1 + 0.21 * len(rows))
        low, high = _ratio_limits(rows)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        for y, row in enumerate(rows.itertuples()):
            _ratio_bar(axes, y, row, low, high)
        axes.axvline(1, color=INK, linewidth=1.2, linestyle=":")
        counted = rows["pie_count"] + rows["non_pie_count"]
        axes.set_yticks(
            range(len(rows)), [f"{short(value)} ({n:,})" for value, n in zip(rows["value"], counted, strict=True)]
        )
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.grid(visible=False, axis="y")
        log_ticks(axes.xaxis, low, high, FuncFormatter(ratio_label))
        figure.supxlabel("share in PIEs / share in other images (log scale)", fontsize=9)
        axes.set_ylabel("class (test images)" if group == "class" else "diseases (test images)")
    return figure


def gallery(items: Sequence[GalleryItem], columns: int = 4) -> Figure:
    """The PIEs that can be shown, with their labels and what either population puts first."""
    with styled():
        shown = [item for item in items if item.image is not None]
        rows = math.ceil(len(shown) / columns)
        figure = Figure(figsize=(1.7 * columns, 0.3 + 2.5 * max(rows, 1)), layout="constrained")
        for i, item in enumerate(shown):
            axes = figure.add_subplot(rows, columns, i + 1)
            axes.imshow(item.image, cmap="gray", vmin=0, vmax=255)  # type: ignore[arg-type]
            axes.set_axis_off()
            axes.set_title("\n".join(_said(item)), fontsize=6, loc="left", va="bottom")
        if not shown:
            figure.text(0.5, 0.5, "no images available", ha="center", color="0.4")
    return figure


def _said(item: GalleryItem, most: int = 5) -> list[str]:
    """Lines of a caption: labels (with a dot) and first classes, dense and pruned probability."""
    return [
        f"{'●' if one.labelled else '  '} {one.name[:24]} {number(one.dense)} → {number(one.pruned)}"
        for one in item.predictions[:most]
    ]


def _fcd_label(y: str, definition: str) -> str:
    return f"{'chance-corrected ' if y != 'fcd' else ''}FCD (definition '{definition}')"


def _marked(table: pd.DataFrame, fcd: pd.Series, highlight: tuple[str, str] | None) -> pd.Series:
    """The highlighted pair, or the most dissimilar one where none is named."""
    if highlight:
        return table["class_a"].isin(highlight) & table["class_b"].isin(highlight)
    return fcd == fcd.max()


def _ratio_limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits of the log axis: every finite ratio and its interval, but no further than 50 times around 1."""
    values = rows[["ratio", "low", "high"]].to_numpy(np.float64).ravel()
    values = values[np.isfinite(values) & (values > 0)]
    low, high = min(values.min(initial=0.5), 0.5), max(values.max(initial=2.0), 2.0)
    return max(low / 1.3, 0.02), min(high * 1.3, 50.0)


def _ratio_bar(axes: Axes, y: int, row: Any, low: float, high: float) -> None:
    """A bar from 1 to the ratio, its interval, and words where a log axis has no place for it."""
    ratio, ends = row.ratio, np.clip([row.low, row.high], low, high)
    text: dict[str, Any] = {"ha": "left", "va": "center", "fontsize": 7.5, "color": "0.35"}
    if np.isnan(ratio):
        axes.text(1.05, y, "no such image", **text)
        return
    if ratio == 0 or np.isinf(ratio):
        axes.text(1.05, y, "not in PIEs" if ratio == 0 else "only in PIEs", **text)
        return
    clear = row.low > 1 or row.high < 1
    axes.barh(y, ratio - 1, left=1, height=0.62, color=BLUE if clear else PALE, zorder=2)
    axes.hlines(y, *ends, color=INK, linewidth=1.1, zorder=3)
    axes.plot([ratio], [y], marker="o", markersize=3.5, color=INK, zorder=4)
