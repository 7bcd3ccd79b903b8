"""The figures of a search for hyper-parameters: Optuna's own, drawn by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import TrialState

from prunecxr.report.style import as_png, as_svg, log_ticks

TARGET = "mean AP, validation split"
ENOUGH = 2  # complete trials that a comparison of options takes
Drawn = dict[str, tuple[bytes, bytes]]


def draw(study: optuna.Study) -> tuple[Drawn, dict[str, str]]:
    """History of the trials, importance of the options, and how the values lie, over the complete trials.

    Args:
        study: trials numbered as users count.
    Returns:
        name -> PNG and SVG; and name -> why it is not there, for figures that too few complete trials do not allow.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    varied = sorted({name for trial in complete for name in trial.params})
    drawn: Drawn = {}
    absent: dict[str, str] = {}
    for name, make in _figures(study, varied):
        if name != "history" and len(complete) < ENOUGH:
            absent[name] = f"{len(complete)} complete trial(s)"
        elif name == "importances" and len({trial.value for trial in complete}) < ENOUGH:
            absent[name] = "all complete trials have the same value"
        else:
            figure = _drawn(make)
            if name == "parallel_coordinate":
                figure.set_size_inches(max(6.4, 1.5 * (len(varied) + 1)), 4.8)
            if name == "slice":
                for axes in figure.axes[: len(varied)]:
                    axes.tick_params(axis="x", labelrotation=45)
            with mpl.rc_context({"savefig.bbox": "tight"}):  # Optuna leaves tick labels and legends outside
                drawn[name] = (as_png(figure), as_svg(figure))
    return drawn, absent


def _figures(study: optuna.Study, varied: list[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    from optuna.visualization import matplotlib as plots

    yield "history", lambda: plots.plot_optimization_history(study, target_name=TARGET)
    yield "importances", lambda: plots.plot_param_importances(study, target_name=TARGET)
    yield "slice", lambda: plots.plot_slice(study, params=varied, target_name=TARGET)
    yield "parallel_coordinate", lambda: plots.plot_parallel_coordinate(study, params=varied, target_name=TARGET)


def _drawn(make: Callable[[], Any]) -> Figure:
    """Optuna draws with pyplot, in a style of its own; neither stays behind."""
    import matplotlib.pyplot as plt

    with mpl.rc_context(), warnings.catch_warnings():
        plt.switch_backend("agg")
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
