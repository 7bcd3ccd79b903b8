"""How the trials of a search went."""

from __future__ import annotations

import optuna
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.shared import TARGET, complete, draw


def figure(study: optuna.Study) -> Figure:
    """Value of every trial, and the best until then."""
    from optuna.visualization import matplotlib as plots

    return draw(lambda: plots.plot_optimization_history(study, target_name=TARGET))


SECTION: Section[optuna.Study] = Section(
    name="history",
    title="Trials",
    figure=figure,
    caption=lambda study: f"Highest {TARGET}: {max(trial.value or 0.0 for trial in complete(study)):.4f}.",
    alt=lambda _: f"One point per trial: {TARGET} by number of the trial, with the best value until then.",
)
