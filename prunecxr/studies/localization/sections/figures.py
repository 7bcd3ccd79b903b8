"""Figures of a localization study, from the tables of :mod:`analysis.study`. Nothing here computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from prunecxr.report.style import BLUE, INK, PALE, RED, THIRD, WIDTH, new_figure, percent_axis, styled
from prunecxr.report.wording import sparsity

REGIONS = (("foreground", RED, "o", "-"), ("background", BLUE, "s", "--"))
LOOKS = ((BLUE, "-", "o"), (RED, "--", "s"), (THIRD, "-.", "D"), (INK, ":", "^"))


def effect(table: pd.DataFrame) -> Figure:
    """Share of its IoU that each region loses, by pruned share, with SD over seeds (the paper's table 1)."""
    with styled():
        figure, axes = new_figure(height=3.6)
        for region, colour, marker, line in REGIONS:
            axes.errorbar(
                table["fraction"], table[f"drop_{region}"], table[f"sd_{region}"].fillna(0), color=colour,
                marker=marker, linestyle=line, markersize=5, linewidth=1.6, capsize=4, label=region,
            )  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(table["fraction"], [sparsity(k) for k in table["fraction"]])
        axes.set_xlabel("pruned share of the weights")
        axes.set_ylabel("share of its IoU lost (mean ± SD)")
        percent_axis(axes.yaxis)
        axes.legend(frameon=False)
    return figure


def drops(histogram: pd.DataFrame, large: float) -> Figure:
    """Distribution of what single images lose, foreground and background (the paper's figure 2)."""
    with styled():
        figure, axes = new_figure(height=3.6)
        for (region, colour, _, _), hatch in zip(reversed(REGIONS), ("///", ""), strict=True):
            rows = histogram[histogram["region"] == region]
            axes.bar(
                rows["low"], rows["share"], rows["high"] - rows["low"], align="edge", color=colour, alpha=0.6,
                hatch=hatch, edgecolor="white", linewidth=0.4, label=region,
            )  # fmt: skip
        axes.axvline(large, color=INK, linestyle=":", linewidth=1.3)
        axes.annotate(
            f" {sparsity(large)} and more", (large, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=8.5,
        )  # fmt: skip
        filled = histogram[histogram["share"] > 0]
        axes.set_xlim(filled["low"].min(), filled["high"].max())
        axes.set_yscale("log")
        axes.set_ylim(bottom=min(1e-3, float(filled["share"].min())))
        percent_axis(axes.xaxis)
        percent_axis(axes.yaxis, decimals=1)
        axes.set_xlabel("share of its IoU that an image loses")
        axes.set_ylabel("share of the images (log scale)")
        figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def differences(table: pd.DataFrame, label: Callable[[str], str], xlabel: str) -> Figure:
    """Differences in foreground IoU with both their intervals: over test images, and over seeds.

    Args:
        table: rows of :func:`prunecxr.studies.localization.analysis.htl.paired`.
        label: approach -> what to call it.
    """
    with styled():
        rows = table[table["metric"] == "foreground"].iloc[::-1]
        figure, axes = new_figure(height=1.5 + 0.42 * len(rows))
        for y, row in enumerate(rows.itertuples(index=False)):
            axes.hlines(y + 0.12, row.low_images, row.high_images, color=BLUE, linewidth=2.4)
            axes.hlines(y - 0.12, row.low_seeds, row.high_seeds, color=RED, linewidth=1.3, linestyle="--")
            axes.plot([row.difference], [y], "o", color=INK, markersize=5, zorder=3)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.plot([], [], color=BLUE, linewidth=2.4, label="95% over test images")
        axes.plot([], [], color=RED, linewidth=1.3, linestyle="--", label="95% over seeds")
        axes.set_yticks(range(len(rows)), [label(name) for name in rows["approach"]])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(visible=False, axis="y")
        figure.supxlabel(xlabel, fontsize=9)
        figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def methods(table: pd.DataFrame, dense: float, label: Callable[[str], str]) -> Figure:
    """Foreground IoU on the test images by pruned share of every pruning method (the paper's table 3)."""
    with styled():
        figure, axes = new_figure(height=3.6)
        for (name, rows), (colour, line, marker) in zip(table.groupby("method", sort=False), LOOKS * 3, strict=False):
            shares, values = [0.0, *rows["fraction"]], [dense, *rows["foreground"]]
            spread = [0.0, *rows["foreground_sd"].fillna(0)]
            axes.errorbar(
                shares, values, spread, color=colour, linestyle=line, marker=marker, markersize=5, linewidth=1.6,
                capsize=4, label=label(str(name)),
            )  # fmt: skip
        shares = [0.0, *sorted(table["fraction"].unique())]
        axes.set_xticks(shares, [sparsity(k) for k in shares])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("pruned share of the weights")
        axes.set_ylabel("foreground IoU (mean ± SD)")
        axes.legend(frameon=False)
    return figure


def groups(table: pd.DataFrame) -> Figure:
    """Shares of groups of patients in the data and among the HTLs, and their mean drops (the paper's figure 6)."""
    with styled():
        rows = table.iloc[::-1]
        figure = Figure(figsize=(WIDTH, 1.3 + 0.42 * len(rows)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        at = np.arange(len(rows))
        left.barh(at + 0.19, rows["share"], 0.36, color=PALE, label="all images")
        left.barh(at - 0.19, rows["htl_share"], 0.36, color=BLUE, hatch="///", edgecolor="white", label="HTLs")
        ends = [rows["htl_share"] - (rows["excess"] - rows["excess_low"]),
                rows["htl_share"] + (rows["excess_high"] - rows["excess"])]  # fmt: skip
        left.hlines(at - 0.19, *ends, color=INK, linewidth=1.1)
        left.set_yticks(at, [f"{name}\n(n = {n:,})" for name, n in zip(rows["group"], rows["n"], strict=True)])
        left.set_xlabel("share")
        percent_axis(left.xaxis)
        right.hlines(at, rows["drop_low"], rows["drop_high"], color=INK, linewidth=1.1)
        right.plot(rows["mean_drop"], at, "o", color=INK, markersize=5)
        right.set_xlabel("mean drop in IoU")
        for axes in (left, right):
            axes.grid(visible=False, axis="y")
            axes.set_xlim(left=0 if axes is left else None)
        left.set_ylim(-0.6, len(rows) - 0.4)
        figure.legend(*left.get_legend_handles_labels(), frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def planted(table: pd.DataFrame) -> Figure:
    """Precision of the HTLs for images that were drawn hard, by seed, against random choices."""
    with styled():
        rows = table.iloc[:-1]
        figure, axes = new_figure(height=3.4)
        at = np.arange(len(rows))
        axes.bar(at, rows["precision"], 0.5, color=BLUE, label="HTLs")
        middle = rows["random_precision"]
        spread = [middle - rows["random_precision_low"], rows["random_precision_high"] - middle]
        axes.errorbar(
            at, middle, spread, color=INK, linestyle="", marker="D", markersize=5, capsize=6,
            label="random choice, 95% of draws",
        )  # fmt: skip
        axes.set_xticks(
            at, [f"seed {name}\n{int(n)} HTLs" for name, n in zip(rows["seed"], rows["n_htl"], strict=True)]
        )
        axes.set_ylim(0, 1)
        axes.set_ylabel("share that was drawn hard")
        percent_axis(axes.yaxis)
        axes.grid(visible=False, axis="x")
        figure.legend(frameon=False, loc="outside upper center", ncols=2, fontsize=8)
    return figure


def subgroups(table: pd.DataFrame) -> Figure:
    """Share of each planted subgroup that are HTLs, with intervals."""
    with styled():
        rows = table.iloc[::-1]
        figure, axes = new_figure(height=1.1 + 0.42 * len(rows))
        at = np.arange(len(rows))
        axes.barh(at, rows["htl_rate"], 0.6, color=[PALE if name == "common" else BLUE for name in rows["subgroup"]])
        axes.hlines(at, rows["low"], rows["high"], color=INK, linewidth=1.2)
        axes.set_yticks(at, [f"{name} (n = {n:,})" for name, n in zip(rows["subgroup"], rows["n"], strict=True)])
        axes.set_xlim(0, 1)
        percent_axis(axes.xaxis)
        axes.set_xlabel("share that are HTLs")
        axes.grid(visible=False, axis="y")
    return figure
