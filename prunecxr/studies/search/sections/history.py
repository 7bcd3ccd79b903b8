"""How the trials of a search went."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.sections.shared import draw


def figure(findings: SearchFindings) -> Figure:
    """Value of every trial, and the best until then."""
    from optuna.visualization import matplotlib as plots

    return draw(lambda: plots.plot_optimization_history(findings.trials, target_name=findings.target))


SECTION: Section[SearchFindings] = Section(
    name="history",
    title="Trials",
    figure=figure,
    caption=lambda findings: (
        f"Highest {findings.target}: {max(trial.value or 0.0 for trial in findings.complete):.4f}."
    ),
    alt=lambda findings: (
        f"One point per trial: {findings.target} by number of the trial, with the best value until then."
    ),
)
