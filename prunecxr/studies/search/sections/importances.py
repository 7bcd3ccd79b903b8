"""How much each option matters."""

from __future__ import annotations

import optuna
from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.shared import ENOUGH, TARGET, compared, complete, draw, too_few


def figure(study: optuna.Study) -> Figure:
    """Share of the variance between trials that goes with each option."""
    from optuna.visualization import matplotlib as plots

    return draw(lambda: plots.plot_param_importances(study, target_name=TARGET))


def absent(study: optuna.Study) -> str:
    """Why importance cannot be told, or nothing."""
    distinct = {trial.value for trial in complete(study)}
    return too_few(study) or ("all complete trials have the same value" if len(distinct) < ENOUGH else "")


SECTION: Section[optuna.Study] = Section(
    name="importances",
    title="Importance of the options",
    figure=figure,
    caption=compared,
    alt=lambda _: f"One bar per option: its importance for {TARGET}.",
    wanted=lambda study: not absent(study),
    absent=absent,
)
