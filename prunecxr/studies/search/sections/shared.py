"""What the figures of a search have in common: they are Optuna's own, drawn by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from prunecxr.report.style import log_ticks
from prunecxr.report.wording import count

TARGET = "mean AP, validation split"
ENOUGH = 2  # complete trials that a comparison of options takes


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended with a value."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def options(study: optuna.Study) -> list[str]:
    """Names of the options that the complete trials set."""
    return sorted({name for trial in complete(study) for name in trial.params})


def too_few(study: optuna.Study) -> str:
    """Why options cannot be compared, or nothing."""
    trials = len(complete(study))
    return f"{trials} complete trial(s)" if trials < ENOUGH else ""


def compared(study: optuna.Study) -> str:
    """What a comparison of options rests on."""
    return f"Over {count(len(complete(study)), 'complete trial')}: {', '.join(options(study))}."


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
