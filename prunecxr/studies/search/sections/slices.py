"""How the values lie along each option."""

from __future__ import annotations

import optuna
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.shared import TARGET, compared, draw, options, too_few


def figure(study: optuna.Study) -> Figure:
    """One panel per option."""
    from optuna.visualization import matplotlib as plots

    names = options(study)
    figure = draw(lambda: plots.plot_slice(study, params=names, target_name=TARGET))
    for axes in figure.axes[: len(names)]:
        axes.tick_params(axis="x", labelrotation=45)
    return figure


SECTION: Section[optuna.Study] = Section(
    name="slice",
    title="Values along each option",
    figure=figure,
    caption=compared,
    alt=lambda _: f"One panel per option, one point per trial: {TARGET} by value of the option.",
    wanted=lambda study: not too_few(study),
    absent=too_few,
)
