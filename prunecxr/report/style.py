"""The look of every figure: legible in gray, by colour-blind readers and on a phone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from prunecxr.report.wording import TIED, correlation

# Okabe and Ito's blue, vermilion and black: far apart in hue for all readers, and in lightness on paper.
BLUE, RED, INK, PALE = "#0072B2", "#D55E00", "#222222", "#BBBBBB"
THIRD = "#009E73"  # their bluish green, where lines also differ in dashes
WIDTH, HEIGHT = 5.2, 4.0  # inches; at 360 px on a phone a 9-point letter is still 9 px high
FREQUENT = [("-", "o"), ("-", "s"), ("-", "^")]
RARE = [("--", "o"), ("--", "s"), ("--", "^")]

SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.labelcolor": INK,
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "axes.grid": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "prunecxr",
    "axes.unicode_minus": True,
    "text.parse_math": False,  # class names may hold dollar signs
}


@contextmanager
def styled() -> Iterator[None]:
    """Within, figures are made and drawn in this style; settings outside are left alone."""
    with mpl.rc_context(SETTINGS):
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty figure with one plot; no pyplot, so nothing global holds on to it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def as_png(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    return _saved(figure, format="png", dpi=dpi, metadata={"Software": None})


def as_svg(figure: Figure) -> bytes:
    """The figure as SVG, letters as paths; equal figures give equal bytes."""
    return _saved(figure, format="svg", metadata={"Date": None, "Creator": None})


def percent_axis(axis: Axis, decimals: int = 0) -> None:
    """Ticks of fractions as percentages."""
    axis.set_major_formatter(PercentFormatter(1, decimals=decimals))


def ratio_label(value: float, _position: int | None = None) -> str:
    """2 -> '2×', 0.5 -> '0.5×'."""
    return f"{value:g}×"


def log_ticks(axis: Axis, low: float, high: float, label: FuncFormatter | None = None) -> None:
    """Ticks at 1, 2, 5 times powers of ten on a logarithmic axis, few enough to be read."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    every = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    ticks = [tick for tick in every if low <= tick <= high]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if np.isclose(np.log10(tick) % 1, 0)]
    axis.set_ticks(ticks)
    axis.set_ticks([], minor=True)
    axis.set_major_formatter(label or FuncFormatter(lambda value, _: f"{value:,g}"))


def sparsity_axis(axes: Axes) -> None:
    """The horizontal axis of everything by sparsity."""
    axes.set_xlabel("sparsity (share of weights removed)")
    percent_axis(axes.xaxis)


def frequency_axis(axes: Axes, counts: pd.Series) -> None:
    """The horizontal axis of everything by training frequency."""
    axes.set_xscale("log")
    if len(counts):
        low, high = counts.min() / 2, counts.max() * 2
        axes.set_xlim(low, high)
        log_ticks(axes.xaxis, low, high)
    axes.set_xlabel("training images with the class (log scale)")


def state(axes: Axes, row: pd.Series, noun: str) -> None:
    """A correlation above the plot."""
    axes.set_title(correlation(row, noun).replace(TIED, " "), fontsize=8.5, loc="left", color="0.3")


def lay_out(figure: Figure) -> None:
    """Give everything its place for good: what is laid out once need not be again for every format."""
    engine = figure.get_layout_engine()
    if engine is not None:
        with styled():
            engine.execute(figure)
        figure.set_layout_engine(None)  # "none" would leave a place holder, for which saving draws everything twice


def _saved(figure: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    lay_out(figure)
    with styled():
        figure.savefig(buffer, **options)
    return buffer.getvalue()
