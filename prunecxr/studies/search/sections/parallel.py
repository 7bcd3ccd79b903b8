"""Every trial as a line through its options."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report.section import Section
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.sections.shared import compared, draw, left_out, too_few


def figure(findings: SearchFindings) -> Figure:
    """One axis per option; wide enough for all."""
    from optuna.visualization import matplotlib as plots

    names = findings.options
    figure = draw(lambda: plots.plot_parallel_coordinate(findings.trials, params=names, target_name=findings.target))
    figure.set_size_inches(max(6.4, 1.5 * (len(names) + 1)), 4.8)
    return figure


SECTION: Section[SearchFindings] = Section(
    name="parallel_coordinate",
    title="Trials across all options",
    figure=figure,
    caption=compared,
    alt=lambda findings: f"One line per trial through its options, coloured by {findings.target}.",
    wanted=lambda findings: not too_few(findings),
    absent=left_out("figure of trials across all options", too_few),
)
