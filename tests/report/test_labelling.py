"""Labels stay apart and in the picture."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from prunecxr.report.labelling import label_points, spread
from prunecxr.report.style import new_figure

LEVELS = st.lists(st.floats(-1, 1), max_size=10)


@given(LEVELS, st.floats(0.01, 1))
def test_spread_keeps_order_and_distance(levels: list[float], gap: float) -> None:
    placed = spread(levels, gap)
    order = np.argsort(levels, kind="stable")
    assert (np.diff(placed[order]) >= gap - 1e-9).all()
    if len(levels):
        assert abs(placed.mean() - np.mean(levels)) < 1e-9


def test_spread_leaves_room_alone() -> None:
    assert spread([0.0, 1.0, 0.5], 0.2).tolist() == [0.0, 1.0, 0.5]


def test_names_do_not_overlap() -> None:
    figure, axes = new_figure()
    rng = np.random.default_rng(0)
    x, y = rng.random(15), np.round(rng.random(15) * 4) / 4
    axes.scatter(x, y)
    label_points(axes, x, y, [f"class number {i}" for i in range(15)])
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    overlapping = [1 for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]
    assert sum(overlapping) <= 1
    frame = axes.get_window_extent(renderer).padded(2)
    assert all(frame.contains(*corner) for box in boxes for corner in (box.min, box.max))
