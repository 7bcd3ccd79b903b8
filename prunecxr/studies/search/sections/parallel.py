"""Every trial as a line through its options."""

from __future__ import annotations

import optuna
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.shared import TARGET, compared, draw, options, too_few


def figure(study: optuna.Study) -> Figure:
    """One axis per option; wide enough for all."""
    from optuna.visualization import matplotlib as plots

    names = options(study)
    figure = draw(lambda: plots.plot_parallel_coordinate(study, params=names, target_name=TARGET))
    figure.set_size_inches(max(6.4, 1.5 * (len(names) + 1)), 4.8)
    return figure


SECTION: Section[optuna.Study] = Section(
    name="parallel_coordinate",
    title="Trials across all options",
    figure=figure,
    caption=compared,
    alt=lambda _: f"One line per trial through its options, coloured by {TARGET}.",
    wanted=lambda study: not too_few(study),
    absent=too_few,
)
