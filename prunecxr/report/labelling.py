"""Places text in figures so that it does not overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from prunecxr.report.style import lay_out
from prunecxr.report.wording import short

DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])
DISTANCES = (7, 14, 24, 36)
CLOSE = 14


def label_points(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    names: Sequence[str],
    size: float = 8,
    avoid: tuple[ArrayLike, ArrayLike] | None = None,
) -> None:
    """Writes a name beside each point, where it covers no other name and no point.

    Greedy: every name in turn takes the free place nearest to its point, or the least crowded; a thin line leads to
    a name that had to move away.

    Args:
        axes: with its limits and scales set; the layout of its figure is fixed by this call.
        x: data coordinates of the points, shape (n,).
        y: the same.
        names: texts, length n.
        size: of the font, in points.
        avoid: coordinates of further points that names should not cover.
    """
    figure = axes.figure
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[arg-type]
    lay_out(figure)  # type: ignore[arg-type]
    scale = figure.dpi / 72
    points = _pixels(axes, x, y)
    frame = axes.get_window_extent(renderer)
    bounds = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    dots = points if avoid is None else np.vstack([points, _pixels(axes, *avoid)])
    taken = np.column_stack([dots - 4 * scale, dots + 4 * scale])
    inverse = axes.transData.inverted()
    for name, point in zip(names, points, strict=True):
        text = axes.text(0, 0, name, fontsize=size, ha="center", va="center", color="0.15", zorder=5)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        extent = text.get_window_extent(renderer)
        box, distance = _place(point, extent.width, extent.height, taken, bounds, scale)
        taken = np.vstack([taken, box])
        centre = (box[:2] + box[2:]) / 2
        text.set_position(tuple(inverse.transform(centre)))
        if distance > CLOSE:
            end = np.clip(point, box[:2], box[2:])
            line = inverse.transform(np.vstack([point, end]))
            axes.plot(*line.T, color="0.6", linewidth=0.6, zorder=1, scalex=False, scaley=False)


def label_ends(axes: Axes, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Names at the right ends of curves, apart from each other.

    Args:
        ends: name, colour, x and y of the last point of each curve; limits of the axes are set before.
    """
    low, high = axes.get_ylim()
    heights = spread([y for *_, y in ends], 0.055 * (high - low))
    heights = heights - max(0.0, heights.max(initial=low) - high)
    for (name, colour, x, y), height in zip(ends, heights, strict=True):
        axes.annotate(
            short(name), (x, y), xytext=(1.04, height), textcoords=axes.get_yaxis_transform(), color=colour, fontsize=8,
            va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkB": 3},
        )  # fmt: skip


def spread(positions: Sequence[float], gap: float) -> np.ndarray:
    """Positions moved apart to at least ``gap``, in the same order, around where they were; shape (n,)."""
    order = np.argsort(positions, kind="stable")
    wanted = np.asarray(positions, float)[order] - gap * np.arange(len(positions))
    # Pool adjacent violators: the closest non-decreasing sequence.
    blocks: list[tuple[float, int]] = []
    for value in wanted:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    placed = np.concatenate([np.full(n, value) for value, n in blocks]) if blocks else np.zeros(0)
    result = np.empty(len(positions))
    result[order] = placed + gap * np.arange(len(positions))
    return result


def _pixels(axes: Axes, x: ArrayLike, y: ArrayLike) -> np.ndarray:
    return axes.transData.transform(np.column_stack([np.asarray(x, float), np.asarray(y, float)]))


def _place(
    point: np.ndarray, width: float, height: float, taken: np.ndarray, bounds: np.ndarray, scale: float
) -> tuple[np.ndarray, float]:
    """The best box (x0, y0, x1, y1) for a text of this size near ``point``, and its distance in points."""
    candidates = [
        (_box(point, direction, distance * scale, width, height), distance)
        for distance in DISTANCES
        for direction in DIRECTIONS
    ]
    costs = [
        _overlap(box, taken) + 20 * _outside(box, bounds) + distance * scale * height / 8
        for box, distance in candidates
    ]
    return candidates[int(np.argmin(costs))]


def _box(point: np.ndarray, direction: np.ndarray, distance: float, width: float, height: float) -> np.ndarray:
    half = np.array([width, height]) / 2
    centre = point + direction * (half + distance / (np.sqrt(2) if direction.all() else 1))
    return np.concatenate([centre - half, centre + half])


def _overlap(box: np.ndarray, taken: np.ndarray) -> float:
    """Area that ``box`` shares with the boxes in ``taken``, weighed so that any overlap costs more than distance."""
    sides = np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2])
    return float(10 * sides.clip(min=0).prod(axis=1).sum())


def _outside(box: np.ndarray, bounds: np.ndarray) -> float:
    """Area of ``box`` that lies outside the axes."""
    inside = (np.minimum(box[2:], bounds[2:]) - np.maximum(box[:2], bounds[:2])).clip(min=0).prod()
    return float((box[2:] - box[:2]).prod() - inside)
