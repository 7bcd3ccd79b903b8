"""How much each option matters."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.sections.shared import ENOUGH, compared, draw, left_out, too_few


def figure(findings: SearchFindings) -> Figure:
    """Share of the variance between trials that goes with each option."""
    from optuna.visualization import matplotlib as plots

    return draw(lambda: plots.plot_param_importances(findings.trials, target_name=findings.target))


def why_not(findings: SearchFindings) -> str:
    """Why importance cannot be told, or nothing."""
    distinct = {trial.value for trial in findings.complete}
    return too_few(findings) or ("all complete trials have the same value" if len(distinct) < ENOUGH else "")


SECTION: Section[SearchFindings] = Section(
    name="importances",
    title="Importance of the options",
    figure=figure,
    caption=compared,
    alt=lambda findings: f"One bar per option: its importance for {findings.target}.",
    wanted=lambda findings: not why_not(findings),
    absent=left_out("figure of importances", why_not),
)
