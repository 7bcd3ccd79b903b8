"""What the figures of a search have in common: they are Optuna's own, drawn by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prunecxr.report.style import log_ticks
from prunecxr.report.wording import count
from prunecxr.studies.search.sections.findings import SearchFindings

ENOUGH = 2  # complete trials that a comparison of options takes


def too_few(findings: SearchFindings) -> str:
    """Why options cannot be compared, or nothing."""
    trials = len(findings.complete)
    return "" if trials >= ENOUGH else f"{count(trials, 'complete trial')}"


def compared(findings: SearchFindings) -> str:
    """What a comparison of options rests on."""
    return f"Over {count(len(findings.complete), 'complete trial')}: {', '.join(findings.options)}."


def left_out(what: str, why: Callable[[SearchFindings], str]) -> Callable[[SearchFindings], str]:
    """For :attr:`Section.absent`: the figure's name in words and why it is not there, or nothing."""
    return lambda findings: f"No {what}: {reason}." if (reason := why(findings)) else ""


def draw(make: Callable[[], Any]) -> Figure:
    """Optuna draws with pyplot, in a style that is not ours; neither stays behind."""
    import matplotlib.pyplot as plt

    with mpl.rc_context(), warnings.catch_warnings():
        plt.switch_backend("agg")
        mpl.rcdefaults()
        warnings.simplefilter("ignore")  # the functions are marked experimental
        first: Axes = np.ravel(make())[0]
        figure = first.figure
        assert isinstance(figure, Figure)
        plt.close(figure)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":  # matplotlib labels a range of less than a decade at every minor tick
                low, high = sorted(axis.get_view_interval())
                log_ticks(axis, low, high)
    return figure
