"""How the values lie along each option."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.sections.shared import compared, draw, left_out, too_few


def figure(findings: SearchFindings) -> Figure:
    """One panel per option."""
    from optuna.visualization import matplotlib as plots

    names = findings.options
    figure = draw(lambda: plots.plot_slice(findings.trials, params=names, target_name=findings.target))
    for axes in figure.axes[: len(names)]:
        axes.tick_params(axis="x", labelrotation=45)
    return figure


SECTION: Section[SearchFindings] = Section(
    name="slice",
    title="Values along each option",
    figure=figure,
    caption=compared,
    alt=lambda findings: f"One panel per option, one point per trial: {findings.target} by value of the option.",
    wanted=lambda findings: not too_few(findings),
    absent=left_out("figure of values along each option", too_few),
)
