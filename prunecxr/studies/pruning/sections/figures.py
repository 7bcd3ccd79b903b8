"""Figures of classes and models, from tidy tables. Nothing here computes a statistic or fetches anything.

Every function takes a table of :func:`analysis.study.analyse` and returns a matplotlib ``Figure``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.report.labelling import label_points, spread
from prunecxr.report.style import (
    BLUE,
    FREQUENT,
    INK,
    PALE,
    RARE,
    RED,
    THIRD,
    log_ticks,
    new_figure,
    percent_axis,
    state,
    styled,  # fmt: skip
)
from prunecxr.report.wording import short, sparsity

NAMED = 3
CORRECTED = "chance_corrected_"
METHOD_LOOKS = ((BLUE, "-", "o"), (RED, "--", "s"), (INK, ":", "^"), (THIRD, "-.", "D"))


def overall(table: pd.DataFrame) -> Figure:
    """Mean AP by sparsity, raw and chance-corrected: median over seeds, quartiles, first significant drops (figure 1).

    The paper shows the raw one alone.
    """
    with styled():
        figure, axes = new_figure()
        drops: dict[float, list[str]] = {}
        for prefix, (colour, line, marker), name in (
            ("", METHOD_LOOKS[0], "AP"),
            (CORRECTED, METHOD_LOOKS[1], "chance-corrected AP"),
        ):
            _band(axes, table, prefix, colour, line, marker, name)
            first = table.loc[table[f"{prefix}significant_drop"], "sparsity"].min()
            if not np.isnan(first):
                drops.setdefault(float(first), []).append(name)
        for first, names in drops.items():
            axes.axvline(first, color=INK, linestyle=":", linewidth=1.2)
            of = "" if len(names) == 2 else f"\nof {names[0]}"
            axes.annotate(
                f" first significant drop{of}: {sparsity(first)} ",
                (first, 0.04 if names[0] == "AP" else 0.16), xycoords=("data", "axes fraction"),
                ha="right" if first > 0.4 else "left", fontsize=8.5,
            )  # fmt: skip
        _sparsity_axis(axes)
        axes.set_ylabel("mean over classes (median and quartiles over seeds)")
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.legend(frameon=False, fontsize=8, loc="center left")
    return figure


def methods(table: pd.DataFrame, prefix: str = "") -> Figure:
    """Mean AP by sparsity of every pruning method: median over seeds, quartiles; told apart by line and marker."""
    with styled():
        figure, axes = new_figure()
        ends = []
        for i, (name, rows) in enumerate(table.groupby("method", sort=False)):
            colour, line, marker = METHOD_LOOKS[i % len(METHOD_LOOKS)]
            _band(axes, rows, prefix, colour, line, marker)
            ends.append((str(name), colour, rows["sparsity"].iloc[-1], rows[f"{prefix}median_mean_ap"].iloc[-1]))
        _sparsity_axis(axes)
        what = "mean chance-corrected AP" if prefix else "mean AP"
        axes.set_ylabel(f"{what}\n(median and quartiles over seeds)")
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        _label_ends(axes, [end for end in ends if not np.isnan(end[-1])])
    return figure


def weights(table: pd.DataFrame, small: float) -> Figure:
    """Histogram of weight magnitudes on a logarithmic axis (the paper's figure 1, right); below ``small`` filled."""
    with styled():
        figure, axes = new_figure()
        shown = table[(table["share"] > 0) & (table["low"] > 0) & np.isfinite(table["high"])]
        below = shown["high"] <= small
        for part, colour, hatch, name in (
            (below, BLUE, "///", f"below {small:g}"),
            (~below, PALE, "", f"{small:g} and above"),
        ):
            bars = shown[part]
            axes.bar(
                bars["low"], bars["share"], bars["high"] - bars["low"], align="edge", color=colour, hatch=hatch,
                edgecolor="white", linewidth=0.4, label=name,
            )  # fmt: skip
        axes.set_xscale("log")
        if len(shown):
            low, high = shown["low"].min(), shown["high"].max()
            axes.set_xlim(low, high)
            log_ticks(axes.xaxis, low, high)
        percent_axis(axes.yaxis, decimals=1)
        axes.set_xlabel("magnitude of a weight (log scale)")
        axes.set_ylabel("share of the prunable weights (median over seeds)")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def forgettability_curves(curves: pd.DataFrame, classes: pd.DataFrame, prefix: str = "") -> Figure:
    """Relative change in AP by sparsity, every class; the most and the least frequent are named (figure 2)."""
    value = f"{prefix}relative_change"
    with styled():
        figure, axes = new_figure(height=4.4)
        named = _named(classes, set(curves.dropna(subset=value)["class"]))
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
        _sparsity_axis(axes)
        percent_axis(axes.yaxis)
        axes.set_ylabel(_change_label(prefix, "(median over seeds)"))
        _label_ends(axes, ends)
        axes.set_title("solid: most frequent; dashed: rarest; gray: all others", fontsize=8.5, loc="left", color="0.3")
    return figure


def first_drop(classes: pd.DataFrame, correlations: pd.DataFrame, prefix: str = "") -> Figure:
    """First sparsity with a 20% drop against training frequency (figure 3, left); censored classes on top."""
    drop, late = f"{prefix}first_drop_20", f"{prefix}censored"
    with styled():
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
        axes.set_ylabel(f"first sparsity with a median drop > 20%\nin {'chance-corrected AP' if prefix else 'AP'}")
        _frequency_axis(axes, known["train_count"])
        state(axes, correlations[correlations["y"] == drop].iloc[0], "classes")
        axes.margins(y=0.15)
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1])
        label_points(axes, known["train_count"], height, known["class"].map(short), size=7.5)
    return figure


def change_at_max(classes: pd.DataFrame, correlations: pd.DataFrame, highest: float, prefix: str = "") -> Figure:
    """Relative change in AP at the highest sparsity against training frequency (figure 3, right)."""
    change = f"{prefix}relative_change_at_max"
    with styled():
        figure, axes = new_figure()
        known = classes[(classes["train_count"] > 0) & classes[change].notna()]
        axes.scatter(known["train_count"], known[change], s=26, color=BLUE, zorder=3)
        percent_axis(axes.yaxis)
        axes.set_ylabel(_change_label(prefix, f"at {sparsity(highest)} sparsity"))
        _frequency_axis(axes, known["train_count"])
        state(axes, correlations[correlations["y"] == change].iloc[0], "classes")
        axes.margins(y=0.15)
        label_points(axes, known["train_count"], known[change], known["class"].map(short), size=7.5)
    return figure


def chance_correction(classes: pd.DataFrame, highest: float) -> Figure:
    """Raw and chance-corrected change of every class, rarest at the bottom, with the most that raw AP can fall."""
    with styled():
        known = classes[classes["relative_change_at_max"].notna()]
        known = known.iloc[np.argsort(_frequency(known).to_numpy(), kind="stable")]
        figure, axes = new_figure(height=1.4 + 0.19 * len(known))
        rows = np.arange(len(known))
        raw, corrected = known["relative_change_at_max"], known["chance_corrected_relative_change_at_max"]
        axes.hlines(rows, raw, corrected, color=PALE, linewidth=1.5, zorder=1)
        axes.scatter(
            known["floor_at_max"], rows, marker="|", s=80, color=INK, linewidth=1.3, label="forgotten entirely (raw)"
        )
        axes.scatter(raw, rows, s=26, color=BLUE, label="raw AP", zorder=3)
        axes.scatter(corrected, rows, s=28, marker="D", facecolor="white", edgecolor=RED, linewidth=1.4,
                     label="chance-corrected", zorder=3)  # fmt: skip
        axes.set_yticks(
            rows, [f"{short(name)} ({n:,.0f})" for name, n in zip(known["class"], _frequency(known), strict=True)]
        )
        axes.grid(visible=False, axis="y")
        percent_axis(axes.xaxis)
        axes.set_xlabel(f"relative change in AP at {sparsity(highest)} sparsity")
        axes.set_ylabel("class (images)")
        figure.legend(
            loc="outside upper center", ncols=3, frameon=False, fontsize=8, handletextpad=0.2, columnspacing=1
        )
    return figure


def _named(classes: pd.DataFrame, drawn: set[str]) -> dict[str, tuple[str, str, str]]:
    """Class -> (colour, line, marker) of the most frequent and the rarest classes that have a curve."""
    known = classes[classes["class"].isin(drawn)]
    order = known["class"].iloc[np.argsort(-_frequency(known).to_numpy(), kind="stable")].tolist()
    most = order[: min(NAMED, (len(order) + 1) // 2)]
    least = order[len(most) :][-NAMED:]
    styles = [(BLUE, *look) for look in FREQUENT[: len(most)]] + [(RED, *look) for look in RARE[: len(least)]]
    return dict(zip([*most, *least], styles, strict=True))


def _frequency(classes: pd.DataFrame) -> pd.Series:
    """Training images of each class, or test images where the former are unknown."""
    return classes["train_count"].fillna(classes["test_count"])


def _label_ends(axes: Axes, ends: list[tuple[str, str, float, float]]) -> None:
    """Names at the right ends of curves, apart from each other."""
    low, high = axes.get_ylim()
    heights = spread([y for *_, y in ends], 0.055 * (high - low))
    heights = heights - max(0.0, heights.max(initial=low) - high)
    for (name, colour, x, y), height in zip(ends, heights, strict=True):
        axes.annotate(
            short(name), (x, y), xytext=(1.04, height), textcoords=axes.get_yaxis_transform(), color=colour, fontsize=8,
            va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkB": 3},
        )  # fmt: skip


def _sparsity_axis(axes: Axes) -> None:
    axes.set_xlabel("sparsity (share of weights removed)")
    percent_axis(axes.xaxis)


def _frequency_axis(axes: Axes, counts: pd.Series) -> None:
    axes.set_xscale("log")
    if len(counts):
        low, high = counts.min() / 2, counts.max() * 2
        axes.set_xlim(low, high)
        log_ticks(axes.xaxis, low, high)
    axes.set_xlabel("training images with the class (log scale)")


def _band(
    axes: Axes, table: pd.DataFrame, prefix: str, colour: str, line: str, marker: str, name: str | None = None
) -> None:
    """Median over seeds with a band between the quartiles."""
    x, low, high = table["sparsity"], table[f"{prefix}q25"], table[f"{prefix}q75"]
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(
        x, table[f"{prefix}median_mean_ap"], color=colour, linestyle=line, marker=marker, markersize=4, linewidth=1.6,
        label=name,
    )  # fmt: skip


def _change_label(prefix: str, end: str) -> str:
    return f"relative change in {'chance-corrected AP' if prefix else 'AP'}\n{end}"
